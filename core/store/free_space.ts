/** Room on a volume. */
import { statfsSync } from "node:fs";

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
