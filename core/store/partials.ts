/**
 * Unfinished downloads on the disk: a part file and a journal beside the target. Those of other
 * contents are quarantined: renamed after their content, for when that content is wanted again.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type Disk,
  type DiskOptions,
  realDisk,
  removeIfExists,
  statIfExists,
  type User,
  withDiskErrors,
} from "./disk.ts";
import { readJournal } from "./journal.ts";
import { PartFile } from "./part_file.ts";
import {
  hasPartial,
  journalPath,
  markOf,
  parseQuarantined,
  partPath,
  quarantineTarget,
  realPathOf,
} from "./paths.ts";
import type { StoredContent } from "./piece_sink.ts";

const MAX_QUARANTINE_AGE_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Removes an unfinished download and what was quarantined for it.
 *
 * @param requested the target that it would have had without conflicts.
 * @throws {ConflictError} if another process works on it. @throws {DiskError}
 */
export function removePartial(target: string, requested: string = target): void {
  // The record may be older than a download that works on the same target now.
  using _lock = hasPartial(target) ? PartFile.open(partPath(target)) : undefined;
  removeIfExists(partPath(target));
  removeIfExists(journalPath(target));
  for (const each of new Set([target, requested])) removeQuarantined(each);
}

/** Where a content may have been begun. */
export interface PartialHints {
  /** The target that it would have without conflicts. */
  readonly requested?: string;
  /** Targets of earlier runs with the same content. */
  readonly others?: readonly string[];
}

/**
 * Moves an unfinished download of the same content to `target`: from quarantine, or from another
 * target in the same folder. What is in use stays, and what was requested in another folder.
 */
export function adoptPartial(
  target: string,
  { layout, manifest }: StoredContent,
  { requested = target, others = [] }: PartialHints,
  options: DiskOptions = {},
): void {
  if (manifest === undefined) return;
  const { id } = manifest;
  // A file of one piece leaves nothing in quarantine.
  const quarantined = (from: string) => layout.count <= 1 ? [] : quarantinedOf(id, from);
  const all = [...quarantined(requested), requested, ...others];
  if (target !== requested) all.push(...quarantined(target));
  const candidates = all.filter((other) => other !== target && hasPartial(other));
  if (candidates.length === 0 || hasPartial(target)) return;
  const folder = realPathOf(dirname(target));
  for (const from of candidates) {
    if (realPathOf(dirname(from)) === folder && adopt(from, target, id, options)) return;
  }
}

function adopt(from: string, target: string, id: string, options: DiskOptions): boolean {
  const { disk = realDisk } = options;
  try {
    const found = readJournal(journalPath(from), options);
    if (found?.state !== undefined && found.state.identity.id !== id) return false;
    // Locked while it moves; the journal knows the part file by its inode, not by its name.
    using part = PartFile.open(partPath(from), options);
    // A journal without a part file is left of an interrupted quarantine.
    const identity = readJournal(journalPath(target), options)?.state?.identity;
    if (identity !== undefined && identity.id !== id) {
      quarantineJournal(target, markOf(identity.id), disk);
    }
    // The journal first: if the process is killed in between, the next run finds the part file again.
    if (found) disk.renameSync(journalPath(from), journalPath(target));
    part.moveTo(partPath(target));
    return true;
  } catch {
    // In use, on another disk, or gone: its pieces are downloaded again.
    return false;
  }
}

/** Renames whatever is at the path of the journal. @throws {DiskError} */
export function quarantineJournal(target: string, mark: string, disk: Disk): void {
  const path = journalPath(target);
  if (statIfExists(path, disk) === undefined) return;
  const to = freePath(target, mark, journalPath, disk);
  withDiskErrors(`rename "${path}"`, () => disk.renameSync(path, to));
}

/** Renames the part file of `target`. @returns its new path. @throws {DiskError} */
export function quarantinePart(part: PartFile, target: string, mark: string, disk: Disk): string {
  const path = freePath(target, mark, partPath, disk);
  part.moveTo(path);
  return path;
}

function freePath(target: string, mark: string, pathOf: typeof partPath, disk: Disk): string {
  for (let n = 1;; n++) {
    const path = pathOf(quarantineTarget(target, numbered(mark, n)));
    if (!statIfExists(path, disk)) return path;
  }
}

function numbered(mark: string, n: number): string {
  return n === 1 ? mark : `${mark}-${n}`;
}

/** Targets beside which part files of the content `id` were quarantined when `target` was downloaded. */
function quarantinedOf(id: string, target: string): string[] {
  const found: string[] = [];
  const oldQuarantineTarget = (target: string, mark: string) => `${target}~${mark}`; // Version 0.1.0
  for (const targetOf of [quarantineTarget, oldQuarantineTarget]) {
    for (let n = 1;; n++) {
      const quarantined = targetOf(target, numbered(markOf(id), n));
      if (found.includes(quarantined) || !existsSync(partPath(quarantined))) break;
      found.push(quarantined);
    }
  }
  return found;
}

/** Removes all that was quarantined when `target` was downloaded. @throws {DiskError} */
export function removeQuarantined(target: string, disk: Disk = realDisk): void {
  for (const { path, mark } of quarantinedFilesIn(dirname(target))) {
    const quarantined = quarantineTarget(target, mark);
    if ([partPath(quarantined), journalPath(quarantined)].includes(path)) {
      removeIfExists(path, disk);
    }
  }
}

/** A part file in quarantine. */
export interface QuarantinedPart {
  /** Its absolute path. */
  readonly path: string;
  /** Bytes that it takes on the disk. */
  readonly bytes: number;
  /** When it was quarantined or last written: ms since 1970. */
  readonly since: number;
}

export function quarantinedPartsIn(folder: string): QuarantinedPart[] {
  return quarantinedFilesIn(folder).filter(({ isPart }) => isPart).flatMap(({ path }) => {
    const info = statIfExists(path);
    if (!info?.isFile) return [];
    const bytes = info.blocks === null ? info.size : info.blocks * 512;
    return [{ path, bytes, since: changedAt(info) }];
  });
}

/** Removes old quarantined files of `folder`; what cannot be removed stays. @throws the signal's reason if it aborts. */
export async function removeOldQuarantined(
  folder: string,
  nowMs: number,
  user: User | undefined,
  signal: AbortSignal,
): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    signal.throwIfAborted();
    if (parseQuarantined(name) === undefined) continue;
    const path = join(folder, name);
    const info = statIfExists(path);
    if (!info?.isFile || nowMs - changedAt(info) < MAX_QUARANTINE_AGE_MS) continue;
    if (user !== undefined && info.uid !== null && info.uid !== user.uid) continue;
    try {
      removeIfExists(path);
    } catch {
      // The next run tries again.
    }
  }
}

/** The time of the last write or rename, where the platform has a `ctime`. */
function changedAt({ mtime, ctime }: Deno.FileInfo): number {
  return Math.max(mtime?.getTime() ?? 0, ctime?.getTime() ?? 0);
}

function quarantinedFilesIn(folder: string): { path: string; mark: string; isPart: boolean }[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort().flatMap((name) => {
      const parsed = parseQuarantined(name);
      return parsed === undefined ? [] : [{ path: join(folder, name), ...parsed }];
    });
  } catch {
    return [];
  }
}
