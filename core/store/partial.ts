import { dirname } from "@std/path";
import { type Disk, realDisk, removeIfThere } from "./disk.ts";
import { PartFile } from "./part_file.ts";
import { besideTarget, JOURNAL_SUFFIX, PART_SUFFIX } from "./target.ts";

/** Removes what an unfinished download left beside `target`, if anything. @throws {DiskError} */
export function removePartial(target: string): void {
  for (const suffix of [PART_SUFFIX, JOURNAL_SUFFIX]) removeIfThere(besideTarget(target, suffix));
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
export function adoptPartial(
  targets: readonly string[],
  target: string,
  disk: Disk = realDisk,
  platform: string = Deno.build.os,
): void {
  // In another folder it is another wish: who asked for it there may want it there.
  const beside = targets.filter((other) => other !== target && dirname(other) === dirname(target));
  const from = beside.find(hasPartial);
  if (from === undefined || hasPartial(target)) return;
  try {
    const nobody = () => "another p2p";
    // Locked while it moves; the journal knows the part file by its inode, not by its name.
    using part = PartFile.open(besideTarget(from, PART_SUFFIX), nobody, { disk, platform });
    part.moveTo(besideTarget(target, PART_SUFFIX));
    const journal = besideTarget(from, JOURNAL_SUFFIX);
    disk.renameSync(journal, besideTarget(target, JOURNAL_SUFFIX));
  } catch {
    // In use, on another disk, or gone: then it is fetched from the seeds.
  }
}
