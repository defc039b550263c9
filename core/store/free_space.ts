/** Room on a volume. */
import { statfsSync } from "node:fs";
import { dirname } from "@std/path";
import { DiskFullError } from "./disk_faults.ts";

/** Whether `bytes` fit into the volume of `folder`; true where the platform cannot tell: then the write will. */
export function hasRoom(folder: string, bytes: number): boolean {
  const free = freeBytes(folder);
  return free === undefined || bytes <= free;
}

/** undefined where the platform cannot tell. */
export function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

/** @throws {DiskFullError} if `bytes` more do not fit into the folder of `target`. */
export function requireSpace(target: string, bytes: number): void {
  const folder = dirname(target);
  const free = freeBytes(folder);
  // Not every file system can tell; then the write will.
  if (free === undefined || bytes <= free) return;
  const fault = new DiskFullError(
    `Cannot download to "${target}": ${bytes} bytes are missing, ${free} bytes are free`,
    {
      hint: "Free some space or choose another folder with --out, then run the same command again",
    },
  );
  fault.lacking = { folder, bytes };
  throw fault;
}

/** All that the volume of `folder` may hold; Infinity where the platform cannot tell. */
export function volumeBytes(folder: string): number {
  try {
    const { blocks, bsize } = statfsSync(folder);
    return blocks * bsize;
  } catch {
    return Infinity;
  }
}
