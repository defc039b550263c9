/**
 * The platform's files as an argument: what the store does to a disk, so that a
 * test can count it, let any one of it fail, or pull the plug.
 */
import { withDiskErrors } from "./disk_errors.ts";

/** An open file, as far as the store uses one. */
export type DiskFile = Pick<
  Deno.FsFile,
  | "close"
  | "read"
  | "readSync"
  | "seek"
  | "seekSync"
  | "stat"
  | "statSync"
  | "sync"
  | "syncData"
  | "truncateSync"
  | "tryLockSync"
  | "unlockSync"
  | "utimeSync"
  | "writeSync"
>;

export interface Disk extends
  Pick<
    typeof Deno,
    "linkSync" | "lstatSync" | "readTextFileSync" | "removeSync" | "renameSync"
  > {
  openSync(path: string, options: Deno.OpenOptions): DiskFile;
}

/**
 * Names are looked up, made and moved at once: the platform's asynchronous calls
 * cost ten times as much as the work itself (measured on a local disk: 100 µs
 * instead of 3 to 10), and a small file needs a dozen of them. What may take
 * long, reading and syncing, is waited for.
 */
export const realDisk: Disk = {
  linkSync: Deno.linkSync,
  lstatSync: Deno.lstatSync,
  openSync: Deno.openSync,
  readTextFileSync: Deno.readTextFileSync,
  removeSync: Deno.removeSync,
  renameSync: Deno.renameSync,
};

/** Removes `path`; somebody else may have been faster. */
export function removeIfThere(path: string, disk: Disk = realDisk): void {
  withDiskErrors(`remove "${path}"`, () => {
    try {
      disk.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  });
}

/** What is at `path` itself, a link not followed; undefined for nothing. */
export function statIfExists(path: string, disk: Disk = realDisk): Deno.FileInfo | undefined {
  return withDiskErrors(`look at "${path}"`, () => {
    try {
      return disk.lstatSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  });
}

/** Whether two inodes can be of one file: Windows does not always tell. */
export function mayBeOne(a: number | null | undefined, b: number | null | undefined): boolean {
  return !a || !b || a === b;
}
