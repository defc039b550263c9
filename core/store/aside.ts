/**
 * Parts of other contents than the one that is downloaded now: they are renamed after their content
 * and stay beside the target, for when that content is wanted again.
 */
import { existsSync } from "node:fs";
import { basename, dirname, extname, join } from "@std/path";
import { sha256 } from "../base/digest.ts";
import { type Disk, realDisk, removeIfThere, statIfExists } from "./disk.ts";
import { withDiskErrors } from "./disk_errors.ts";
import type { User } from "./owner.ts";
import {
  beginning,
  besideTarget,
  byteLength,
  JOURNAL_SUFFIX,
  MAX_NAME_BYTES,
  PART_SUFFIX,
} from "./target.ts";

/** Marks what is of no known content. */
export const UNVERIFIED = "unverified";
/** Marks what is in the way of a journal and is none. */
export const OLD = "old";
/** Marks the copy of a part file until it takes that file's place. */
export const COPY = "copy";

/** Time after which a part that was set aside is removed. */
const MAX_AGE_MS = 30 * 24 * 60 * 60 * 1000;

const ASIDE_NAME = new RegExp(
  `^(.+?)(~~?)([0-9a-f]{8}|${UNVERIFIED}|${OLD}|${COPY})(-\\d+)?\\.p2p-(?:part|journal)$`,
);

/** A part that was set aside. */
export interface Aside {
  readonly path: string;
  /** Bytes that it takes on the disk. */
  readonly bytes: number;
  /** When it was set aside, or written last: ms since 1970. */
  readonly since: number;
}

/** The mark of a content; undefined for one without a manifest. */
export function markOf(id: string | null): string {
  return id?.slice(0, 8) ?? UNVERIFIED;
}

/** The name beside which a part of `target` and its journal are set aside. */
export function asideTarget(target: string, mark: string): string {
  const name = basename(target);
  // A download of other bytes than are at "name" goes to "name~<id>", where that has no extension.
  const ending = extname(name) === "" ? `~~${mark}` : `~${mark}`;
  if (byteLength(name + ending + JOURNAL_SUFFIX) <= MAX_NAME_BYTES) return target + ending;
  const digest = sha256(new TextEncoder().encode(name)).toHex().slice(0, 8);
  const rest = `~${digest}~~${mark}`;
  const room = MAX_NAME_BYTES - byteLength(rest + JOURNAL_SUFFIX);
  return join(dirname(target), beginning(name, room) + rest);
}

/** Renames `path` after what it is. */
export function quarantineFile(
  path: string,
  target: string,
  mark: string,
  suffix: string,
  disk: Disk,
): void {
  if (statIfExists(path, disk) === undefined) return;
  const aside = quarantinePath(target, mark, suffix, disk);
  withDiskErrors(`rename "${path}"`, () => disk.renameSync(path, aside));
}

/** A name to set something aside that nothing has. */
export function quarantinePath(target: string, mark: string, suffix: string, disk: Disk): string {
  for (const numbered of numberedFrom(mark)) {
    const aside = besideTarget(asideTarget(target, numbered), suffix);
    if (!statIfExists(aside, disk)) return aside;
  }
  throw new Error("unreachable");
}

function* numberedFrom(mark: string): Iterable<string> {
  yield mark;
  for (let n = 2;; n++) yield `${mark}-${n}`;
}

/** The names beside which parts of the content `id` were set aside when `target` was downloaded. */
export function asidesWith(id: string, target: string): string[] {
  const found: string[] = [];
  // Version 0.1.0 has the second one, whatever the name.
  for (
    const nameWith of [
      (mark: string) => asideTarget(target, mark),
      (mark: string) => `${target}~${mark}`,
    ]
  ) {
    for (const mark of numberedFrom(markOf(id))) {
      const name = nameWith(mark);
      if (found.includes(name) || !existsSync(besideTarget(name, PART_SUFFIX))) break;
      found.push(name);
    }
  }
  return found;
}

/** Removes all that was set aside when `target` was downloaded. @throws {DiskError} */
export function removeAsides(target: string, disk: Disk = realDisk): void {
  const folder = dirname(target);
  for (const name of namesIn(folder)) {
    const [, , , mark, number = ""] = ASIDE_NAME.exec(name) ?? [];
    if (mark === undefined || !isAside(name)) continue;
    const aside = asideTarget(target, mark + number);
    const isThis = [PART_SUFFIX, JOURNAL_SUFFIX].some((suffix) =>
      besideTarget(aside, suffix) === join(folder, name)
    );
    if (isThis) removeIfThere(join(folder, name), disk);
  }
}

/** The parts that were set aside in `folder`. */
export function asidesIn(folder: string): Aside[] {
  return namesIn(folder).filter((name) => isAside(name) && name.endsWith(PART_SUFFIX))
    .flatMap((name) => {
      const path = join(folder, name);
      const there = statIfExists(path);
      if (!there?.isFile) return [];
      const bytes = there.blocks === null ? there.size : there.blocks * 512;
      return [{ path, bytes, since: changedAt(there) }];
    });
}

/** Removes what was set aside in `folder` too long ago. What cannot be removed stays. @throws the signal's reason if it aborts. */
export async function removeOldAsides(
  folder: string,
  nowMs: number,
  user: User | undefined,
  signal: AbortSignal,
): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    signal.throwIfAborted();
    if (!isAside(name)) continue;
    const path = join(folder, name);
    const there = statIfExists(path);
    if (!there?.isFile || nowMs - changedAt(there) < MAX_AGE_MS) continue;
    if (user !== undefined && there.uid !== null && there.uid !== user.uid) continue;
    try {
      removeIfThere(path);
    } catch {
      // Next time.
    }
  }
}

/** A rename counts, where the platform tells. */
function changedAt({ mtime, ctime }: Deno.FileInfo): number {
  return Math.max(mtime?.getTime() ?? 0, ctime?.getTime() ?? 0);
}

/** Without an extension, "name~<id>.p2p-part" may be of a download that goes to "name~<id>". */
function isAside(name: string): boolean {
  const [, base = "", tildes, mark = ""] = ASIDE_NAME.exec(name) ?? [];
  return base !== "" && (tildes === "~~" || extname(base) !== "" || !/^[0-9a-f]{8}$/.test(mark));
}

function namesIn(folder: string): string[] {
  try {
    return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  } catch {
    return [];
  }
}
