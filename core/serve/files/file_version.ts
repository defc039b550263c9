/** Which version of a file is on the disk: it changes when the file's bytes do. */

export interface FileVersion {
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
  /** When name, rights or content last changed, which nobody can set back; 0 where the platform has no such time. */
  readonly changedMs: number;
  readonly ino: number | null;
  readonly dev: number | null;
  /** Equal ids mean the same version of the same file. */
  readonly id: string;
}

/**
 * What both `Deno.stat` and `node:fs` provide. In this Deno neither provides
 * more than whole milliseconds of `mtime` and whole seconds of `ctime`, not even
 * `node:fs` with `bigint`: a second change within one second whose author also
 * sets the time back goes unnoticed.
 */
export type FileStat = Pick<Deno.FileInfo, "size" | "mtime" | "ctime" | "ino" | "dev">;

export function versionOf(stat: FileStat): FileVersion {
  const { size, ino, dev } = stat;
  const modifiedMs = stat.mtime?.getTime() ?? 0;
  const changedMs = stat.ctime?.getTime() ?? 0;
  const id = `${size}:${modifiedMs}:${changedMs}:${ino}:${dev}`;
  return { size, modifiedMs, changedMs, ino, dev, id };
}

/** Whether `stat` is of `version`. Called for every block that is sent; half the cost of `versionOf`, which makes an id. */
export function isOfVersion(stat: FileStat, version: FileVersion): boolean {
  return stat.size === version.size && stat.ino === version.ino && stat.dev === version.dev &&
    (stat.mtime?.getTime() ?? 0) === version.modifiedMs &&
    (stat.ctime?.getTime() ?? 0) === version.changedMs;
}

/** The coarsest time stamps of any file system (FAT). */
const MAX_STAMP_GRANULARITY_MS = 2000;

/**
 * Whether a change right after `atMs` could leave the version as it is, because
 * time stamps are coarse. Git calls such entries racily clean and does not trust them.
 */
export function isRacy(version: FileVersion, atMs: number): boolean {
  const last = Math.max(version.modifiedMs, version.changedMs);
  return atMs - last < MAX_STAMP_GRANULARITY_MS;
}
