import { dirname } from "@std/path";
import { type Disk, realDisk } from "./disk.ts";
import { diskFault } from "./disk_faults.ts";
import { PartFile } from "./part_file.ts";
import { besideTarget, JOURNAL_SUFFIX, PART_SUFFIX } from "./target.ts";

/** Removes what an unfinished download left beside `target`, if anything. @throws {DiskError} */
export async function removePartial(target: string): Promise<void> {
  for (const suffix of [PART_SUFFIX, JOURNAL_SUFFIX]) {
    const path = besideTarget(target, suffix);
    await Deno.remove(path).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw diskFault(`remove "${path}"`, error);
    });
  }
}

/** Whether an unfinished download lies beside `target`. */
export function hasPartial(target: string): boolean {
  try {
    return Deno.lstatSync(besideTarget(target, PART_SUFFIX)).isFile;
  } catch {
    return false;
  }
}

/**
 * Takes over what an earlier run has of the same content under another name in
 * the same folder, so that nothing is fetched twice: the first of `targets` that
 * has something. What somebody works on, or cannot be had, stays where it is.
 */
export async function adoptPartial(
  targets: readonly string[],
  target: string,
  disk: Disk = realDisk,
  platform: string = Deno.build.os,
): Promise<void> {
  // In another folder it is another wish: who asked for it there may want it there.
  const beside = targets.filter((other) => other !== target && dirname(other) === dirname(target));
  const from = beside.find(hasPartial);
  if (from === undefined || hasPartial(target)) return;
  try {
    const nobody = () => Promise.resolve("another p2p");
    // Locked while it moves; the journal knows the part file by its inode, not by its name.
    using part = await PartFile.open(
      besideTarget(from, PART_SUFFIX),
      nobody,
      disk,
      platform,
    );
    await part.moveTo(besideTarget(target, PART_SUFFIX));
    const journal = besideTarget(from, JOURNAL_SUFFIX);
    await disk.rename(journal, besideTarget(target, JOURNAL_SUFFIX));
  } catch {
    // In use, on another disk, or gone: then it is fetched from the seeds.
  }
}
