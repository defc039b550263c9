/**
 * Which version of a file is on the disk: what changes when its bytes do.
 * Digests and half-sent bodies hold for one version only.
 */

export interface FileVersion {
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
  /** When name, rights or content last changed; nobody can set it back. 0 where the platform does not tell. */
  readonly changedMs: number;
  readonly ino: number | null;
  readonly dev: number | null;
  /** Equal ids, same version of the same file. */
  readonly id: string;
}

/**
 * What `Deno.stat` and `node:fs` both can say. In this Deno neither tells
 * more than whole milliseconds of `mtime` and whole seconds of `ctime`, not even
 * `node:fs` with `bigint`: a change in the same second as the one before it, whose
 * author also puts the time back, goes unseen.
 */
export interface FileStat {
  readonly size: number;
  readonly mtime: Date | null;
  readonly ctime: Date | null;
  readonly ino: number | null;
  readonly dev: number | null;
}

export function versionOf(facts: FileStat): FileVersion {
  const { size, ino, dev } = facts;
  const modifiedMs = facts.mtime?.getTime() ?? 0;
  const changedMs = facts.ctime?.getTime() ?? 0;
  const id = `${size}:${modifiedMs}:${changedMs}:${ino}:${dev}`;
  return { size, modifiedMs, changedMs, ino, dev, id };
}

/** Whether `facts` tell of `version`. Asked for every block that is sent: without its id, it costs half of `versionOf`. */
export function isOfVersion(facts: FileStat, version: FileVersion): boolean {
  return facts.size === version.size && facts.ino === version.ino && facts.dev === version.dev &&
    (facts.mtime?.getTime() ?? 0) === version.modifiedMs &&
    (facts.ctime?.getTime() ?? 0) === version.changedMs;
}

/** The coarsest time stamps that a file system keeps (FAT). */
const MAX_STAMP_GRANULARITY_MS = 2000;

/**
 * Whether a change right after `atMs` could leave the version as it is, because
 * time stamps are coarse. Git calls such entries racily clean and does not trust them.
 */
export function isRacy(version: FileVersion, atMs: number): boolean {
  const last = Math.max(version.modifiedMs, version.changedMs);
  return atMs - last < MAX_STAMP_GRANULARITY_MS;
}
