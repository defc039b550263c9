/**
 * The file system as an argument, so that a test can count operations, let any of them fail, or cut
 * the power; and what its errors and file owners mean.
 */
import { dirname } from "node:path";
import { isOutOfDescriptors } from "../base/descriptors.ts";
import { DiskError, P2pError, plainReasonOf } from "../base/errors.ts";

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
    | "chmodSync"
    | "linkSync"
    | "lstatSync"
    | "readTextFileSync"
    | "removeSync"
    | "renameSync"
    | "utimeSync"
  > {
  openSync(path: string, options: Deno.OpenOptions): DiskFile;
}

/**
 * Synchronous except for reading and syncing, which may take long: the platform's asynchronous calls
 * cost ten times as much as the work itself (measured on a local disk: 100 µs instead of 3 to 10),
 * and a small file needs a dozen of them.
 */
export const realDisk: Disk = {
  chmodSync: Deno.chmodSync,
  linkSync: Deno.linkSync,
  lstatSync: Deno.lstatSync,
  openSync: Deno.openSync,
  readTextFileSync: Deno.readTextFileSync,
  removeSync: Deno.removeSync,
  renameSync: Deno.renameSync,
  utimeSync: Deno.utimeSync,
};

/** What everything that uses the disk gets. */
export interface DiskOptions {
  readonly disk?: Disk;
  /** As `Deno.build.os` names it; the default is this platform. */
  readonly platform?: string;
  /** Who runs this process; undefined where files have no owners. */
  readonly user?: User | undefined;
}

/** The disk has no space: other tasks may go on, and this one later. */
export class DiskFullError extends DiskError {
  /** The folder, the bytes that are needed there, and the bytes that are free; undefined if a write failed. */
  lacking?: { readonly folder: string; readonly bytes: number; readonly free: number };
}

/** Too many open files, in this process or in the system: passes when others close theirs. */
export class OutOfDescriptorsError extends DiskError {}

/** Sharing violation and lock violation on Windows. Elsewhere 32 is a broken pipe. */
const HELD_ON_WINDOWS = /\(os error 3[23]\)/;

/** `error`, thrown while doing `what` ("write to "/a/b""), as a DiskError; p2p's own errors and bugs stay as they are. */
export function toDiskError(what: string, error: unknown): unknown {
  if (error instanceof P2pError || !(error instanceof Error)) return error;
  const { code, message } = error as Error & { code?: unknown };
  const options = { cause: error };
  if (code === "ENOSPC" || code === "EDQUOT" || /no space left|quota exceeded/i.test(message)) {
    const text = `Cannot ${what}: the disk is full`;
    return new DiskFullError(text, { ...options, problem: "disk-full" });
  }
  if (isOutOfDescriptors(error)) {
    const text = `Cannot ${what}: too many open files`;
    return new OutOfDescriptorsError(text, { ...options, problem: "open-files" });
  }
  const isSystemError = Object.values(Deno.errors).some((kind) => error instanceof kind) ||
    /\(os error \d+\)/.test(message);
  if (!isSystemError) return error;
  if (HELD_ON_WINDOWS.test(message) && !(error instanceof Deno.errors.BrokenPipe)) {
    const text = `Cannot ${what}: another program has the file open`;
    return new DiskError(text, { ...options, problem: "file-held" });
  }
  const text = `Cannot ${what}: ${plainReasonOf(error)}`;
  return new DiskError(text, { ...options, problem: "disk-access" });
}

/** Runs `act`, which may return a promise; system errors become DiskErrors. */
export function withDiskErrors<T>(what: string, act: () => T): T {
  const fail = (error: unknown): never => {
    throw toDiskError(what, error);
  };
  try {
    const result = act();
    return result instanceof Promise ? result.catch(fail) as T : result;
  } catch (error) {
    return fail(error);
  }
}

/** Removes `path`, which another process may have removed already. */
export function removeIfExists(path: string, disk: Disk = realDisk): void {
  withDiskErrors(`remove "${path}"`, () => {
    try {
      disk.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  });
}

/** `lstat`, or undefined if nothing is at `path`, also because one of its folders is a file. */
export function statIfExists(path: string, disk: Disk = realDisk): Deno.FileInfo | undefined {
  return withDiskErrors(`look at "${path}"`, () => {
    try {
      return disk.lstatSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      if (error instanceof Deno.errors.NotADirectory) return undefined;
      throw error;
    }
  });
}

/** Whether two inodes can be of one file; a path on Windows has none. */
export function mayBeSameInode(a: number | null | undefined, b: number | null | undefined) {
  return !a || !b || a === b;
}

/** Errors after which the folder's entries may not be on the disk; others mean that it cannot be synced at all. */
const NOT_ON_DISK = new Set(["EIO", "ENOSPC", "EDQUOT"]);

/**
 * Makes new names in a folder durable. Windows cannot sync a folder, nor do all file systems and
 * permissions allow it.
 *
 * @throws {DiskError} if the disk failed.
 */
export async function syncFolder(path: string, disk: Disk, platform: string): Promise<void> {
  if (platform === "windows") return;
  try {
    const folder = disk.openSync(path, { read: true });
    try {
      await folder.sync();
    } finally {
      folder.close();
    }
  } catch (error) {
    const fault = toDiskError(`sync folder "${path}"`, error);
    const { code, message } = Object(error) as { code?: unknown; message?: unknown };
    const isFailure = typeof code === "string"
      ? NOT_ON_DISK.has(code)
      : /\(os error 5\)/.test(String(message));
    if (isFailure || fault instanceof DiskFullError) throw fault;
  }
}

/** Who runs this process. */
export interface User {
  readonly uid: number;
  /** Permissions that this user's new files do not have. */
  readonly umask: number;
}

const WRITABLE_BY_OTHERS = 0o022;
const ANY_ACCESS_BY_OTHERS = 0o077;

/**
 * Whether only `user` can have written the file at `path`. The user's own umask may let others
 * write to all new files: they are trusted.
 *
 * @param user undefined where files have no owners, as on Windows: then every file is trusted.
 */
export function isWrittenOnlyBy(
  user: User | undefined,
  { uid, mode }: Deno.FileInfo,
  path: string,
  disk: Disk,
): boolean {
  if (user === undefined || uid === null || mode === null) return true;
  if (uid !== user.uid) return false;
  if ((mode & WRITABLE_BY_OTHERS & user.umask) === 0) return true;
  const folder = statIfExists(dirname(path), disk);
  return folder?.uid === user.uid && folder.mode !== null &&
    (folder.mode & ANY_ACCESS_BY_OTHERS) === 0;
}
