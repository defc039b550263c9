/** What unfinished downloads leave beside their targets. */
import { dirname } from "@std/path";
import { markOf, quarantineFile, removeAsides } from "./aside.ts";
import { realDisk, removeIfThere } from "./disk.ts";
import { readJournal } from "./journal.ts";
import { withoutLinks } from "./out_folder.ts";
import { PartFile, type PartTerms } from "./part_file.ts";
import { besideTarget, JOURNAL_SUFFIX, PART_SUFFIX } from "./target.ts";

/**
 * Removes what an unfinished download left.
 *
 * @param path where it was to go. @param asked where it would have gone if nothing else were there:
 * what was set aside for that goes, too.
 * @throws {ConflictError} if another process works on it. @throws {DiskError}
 */
export function removePartial(path: string, asked: string = path): void {
  const partPath = besideTarget(path, PART_SUFFIX);
  // A record may be older than the download that works on the same target now.
  using _lock = hasPartial(path) ? PartFile.open(partPath, () => "another p2p") : undefined;
  for (const suffix of [PART_SUFFIX, JOURNAL_SUFFIX]) removeIfThere(besideTarget(path, suffix));
  for (const target of new Set([path, asked])) removeAsides(target);
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
 * Takes over what an earlier run has of the content `id` under another name in the same folder, so
 * that nothing is fetched twice: the first of `targets` that has something. What is in use, or
 * cannot be had, stays where it is.
 */
export function adoptPartial(
  targets: readonly string[],
  target: string,
  id: string | null,
  terms: PartTerms = {},
): void {
  const candidates = targets.filter((other) => other !== target && hasPartial(other));
  if (candidates.length === 0 || hasPartial(target)) return;
  // In another folder it is another wish: who asked for it there may want it there.
  const folder = withoutLinks(dirname(target));
  for (const from of candidates) {
    if (withoutLinks(dirname(from)) === folder && adopt(from, target, id, terms)) return;
  }
}

function adopt(from: string, target: string, id: string | null, terms: PartTerms): boolean {
  const { disk = realDisk } = terms;
  try {
    const journal = besideTarget(from, JOURNAL_SUFFIX);
    const found = readJournal(journal, terms);
    if (found?.content !== undefined && found.content.identity.id !== id) return false;
    // Locked while it moves; the journal knows the part file by its inode, not by its name.
    using part = PartFile.open(besideTarget(from, PART_SUFFIX), () => "another p2p", terms);
    clearJournal(target, id, terms);
    // The journal first: interrupted in between, the next run finds the part again.
    if (found) disk.renameSync(journal, besideTarget(target, JOURNAL_SUFFIX));
    part.moveTo(besideTarget(target, PART_SUFFIX));
    return true;
  } catch {
    // In use, on another disk, or gone: then it is fetched from the seeds.
    return false;
  }
}

/** A journal without its part is of a part that was just being set aside. */
function clearJournal(target: string, id: string | null, terms: PartTerms): void {
  const { disk = realDisk } = terms;
  const journal = besideTarget(target, JOURNAL_SUFFIX);
  const identity = readJournal(journal, terms)?.content?.identity;
  if (identity === undefined || identity.id === id) return;
  quarantineFile(journal, target, markOf(identity.id), JOURNAL_SUFFIX, disk);
}
