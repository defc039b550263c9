/**
 * The platform's files as an argument: what the store does to a disk, so that a
 * test can count it, let any one of it fail, or pull the plug.
 */
import { onDisk } from "./disk_faults.ts";

/** An open file, as far as the store uses one. */
export type DiskFile = Pick<
  Deno.FsFile,
  | "close"
  | "read"
  | "seek"
  | "seekSync"
  | "stat"
  | "statSync"
  | "sync"
  | "syncData"
  | "truncateSync"
  | "tryLockSync"
  | "writeSync"
>;

export interface Disk extends
  Pick<
    typeof Deno,
    "link" | "lstat" | "readTextFile" | "remove" | "rename"
  > {
  open(path: string, options: Deno.OpenOptions): Promise<DiskFile>;
  openSync(path: string, options: Deno.OpenOptions): DiskFile;
}

/**
 * Names are looked up, made and moved at once: the platform's asynchronous calls
 * cost ten times as much as the work itself (measured on a local disk: 100 µs
 * instead of 3 to 10), and a small file needs a dozen of them. What may take
 * long, reading and syncing, is waited for.
 */
export const realDisk: Disk = {
  link: (from, to) => Promise.try(() => Deno.linkSync(from, to)),
  lstat: (path) => Promise.try(() => Deno.lstatSync(path)),
  open: (path, options) => Promise.try(() => Deno.openSync(path, options)),
  openSync: Deno.openSync,
  readTextFile: (path) => Promise.try(() => Deno.readTextFileSync(path)),
  remove: (path) => Promise.try(() => Deno.removeSync(path)),
  rename: (from, to) => Promise.try(() => Deno.renameSync(from, to)),
};

/** Removes `path`; somebody else may have been faster. */
export async function removeIfThere(path: string, disk: Disk): Promise<void> {
  await onDisk(`remove "${path}"`, async () => {
    try {
      await disk.remove(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  });
}

/** What is at `path` itself, a link not followed; undefined for nothing. */
export async function lookAt(
  path: string,
  disk: Disk = realDisk,
): Promise<Deno.FileInfo | undefined> {
  return await onDisk(`look at "${path}"`, async () => {
    try {
      return await disk.lstat(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  });
}
