/** The unfinished file: opened by one process only, no link followed, filled piece by piece. */
import { dirname } from "@std/path";
import { ConflictError } from "../base/errors.ts";
import { type Disk, type DiskFile, lookAt, realDisk, removeIfThere } from "./disk.ts";
import { onDisk, onSlowDisk } from "./disk_faults.ts";

/** How often a part file may change under our hands before we give up on it. */
const MOST_TRIES = 10;

export class PartFile implements Disposable {
  readonly path: string;
  readonly file: DiskFile;
  /** Nothing was there when it was opened. */
  readonly fresh: boolean;
  /** Bytes that were there when it was opened. */
  readonly sizeBefore: number;
  /** undefined where the platform does not tell. */
  readonly inode: number | undefined;
  readonly #disk: Disk;
  readonly #platform: string;
  #closed = false;

  private constructor(
    path: string,
    { file, fresh }: Opened,
    own: Own,
    disk: Disk,
    platform: string,
  ) {
    this.path = path;
    this.file = file;
    this.fresh = fresh;
    this.sizeBefore = own.size;
    this.inode = own.inode;
    this.#disk = disk;
    this.#platform = platform;
  }

  /**
   * Opens or makes the part file at `path`, for this process alone.
   *
   * @param holder says who holds it, for the message.
   * @param platform as `Deno.build.os` names it.
   * @throws {ConflictError} if another process has it, or if it is no plain file. @throws {DiskError}
   */
  static open(
    path: string,
    holder: () => string,
    disk: Disk = realDisk,
    platform: string = Deno.build.os,
  ): PartFile {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const opened = makeOrOpen(path, disk);
      if (opened === undefined) continue;
      const { file } = opened;
      try {
        requireLock(path, file, holder);
        const own = ownFile(path, file, disk);
        if (own !== undefined) return new PartFile(path, opened, own, disk, platform);
      } catch (error) {
        file.close();
        throw error;
      }
      file.close();
    }
    throw new ConflictError(`Cannot write "${path}": somebody keeps replacing it`);
  }

  /** Writes all of `bytes` at `position`. Synchronous: seek and write must not be torn apart, and it is the fastest way. @throws {DiskError} */
  write(position: number, bytes: Uint8Array): void {
    onDisk(`write to "${this.path}"`, () => {
      this.file.seekSync(position, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) at += this.file.writeSync(bytes.subarray(at));
    });
  }

  /** Fills `into` from `position` on, as far as the file goes. @returns bytes read. @throws {DiskError} */
  read(position: number, into: Uint8Array): number {
    return onDisk(`read "${this.path}"`, () => {
      this.file.seekSync(position, Deno.SeekMode.Start);
      let at = 0;
      while (at < into.length) {
        const count = this.file.readSync(into.subarray(at));
        if (count === null) break;
        at += count;
      }
      return at;
    });
  }

  /** Gives the file its final length; what was not written yet takes no room. */
  resize(size: number): void {
    onDisk(`write to "${this.path}"`, () => this.file.truncateSync(size));
  }

  /** Until the bytes are on the disk itself. */
  async sync(): Promise<void> {
    await onSlowDisk(`sync "${this.path}"`, () => this.file.syncData());
  }

  /**
   * Gives the file its final name. Without `replace` it never takes the place of
   * another: false when there is one.
   */
  async place(path: string, options: { replace: boolean; sync: boolean }): Promise<boolean> {
    this.#requireOwn();
    this.#letGo();
    const placed = onDisk(`rename to "${path}"`, () => {
      if (!options.replace) return renameToNew(this.path, path, this.#disk);
      this.#disk.renameSync(this.path, path);
      return true;
    });
    if (placed && options.sync) await this.#syncFolder(dirname(path));
    return placed;
  }

  /** @throws {ConflictError} if another file lies where ours was: its bytes were never checked. */
  #requireOwn(): void {
    const there = lookAt(this.path, this.#disk);
    if (there?.isFile && mayBeOne(there.ino, this.inode)) return;
    throw new ConflictError(`Cannot finish "${this.path}": somebody replaced it`);
  }

  /** Renames it out of the way of a new one; it stays locked where it can. */
  moveTo(path: string): void {
    this.#letGo();
    onDisk(`rename "${this.path}"`, () => this.#disk.renameSync(this.path, path));
  }

  /** Nothing can be written to it any more. */
  remove(): void {
    this.#letGo();
    removeIfThere(this.path, this.#disk);
  }

  /** On Windows, an open file can be neither renamed nor removed: somebody else may get at it in between. */
  #letGo(): void {
    if (this.#platform === "windows") this.close();
  }

  /** The new name itself is on the disk only when its folder is. Windows cannot do it, nor does every folder's rights allow it. */
  async #syncFolder(path: string): Promise<void> {
    if (this.#platform === "windows") return;
    try {
      const folder = this.#disk.openSync(path, { read: true });
      await folder.sync().catch(() => {});
      folder.close();
    } catch {
      // It has its name all the same.
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

interface Opened {
  readonly file: DiskFile;
  readonly fresh: boolean;
}

/** Most often there is nothing: so it is made, and looked at only when that fails. undefined when it went in this very moment. */
function makeOrOpen(path: string, disk: Disk): Opened | undefined {
  const made = openUnless(Deno.errors.AlreadyExists, path, { createNew: true }, disk);
  if (made) return { file: made, fresh: true };
  const there = lookAt(path, disk);
  if (there && !there.isFile) {
    throw new ConflictError(`Cannot write "${path}": it is not a plain file`);
  }
  const file = openUnless(Deno.errors.NotFound, path, {}, disk);
  return file && { file, fresh: false };
}

/** undefined where it fails with `refusal`. */
function openUnless(
  refusal: typeof Deno.errors.NotFound,
  path: string,
  options: Deno.OpenOptions,
  disk: Disk,
): DiskFile | undefined {
  return onDisk(`open "${path}"`, () => {
    try {
      return disk.openSync(path, { write: true, read: true, ...options });
    } catch (error) {
      if (error instanceof refusal) return undefined;
      throw error;
    }
  });
}

function requireLock(path: string, file: DiskFile, holder: () => string): void {
  if (onDisk(`lock "${path}"`, () => file.tryLockSync(true))) return;
  throw new ConflictError(`Cannot write "${path}": ${holder()} works on it`, {
    hint: "Wait for it, or choose another folder with --out",
  });
}

interface Own {
  readonly size: number;
  readonly inode: number | undefined;
}

/**
 * What the locked file is, or undefined if it must not be written to: since
 * it was opened it may have been finished by another process, or been swapped
 * for a link; or it is the second name of a finished file, which an interrupted
 * finish left.
 */
function ownFile(path: string, file: DiskFile, disk: Disk): Own | undefined {
  const { ino, nlink, size } = onDisk(`look at "${path}"`, () => file.statSync());
  const there = lookAt(path, disk);
  if (!there?.isFile || !mayBeOne(there.ino, ino)) return undefined;
  if ((nlink ?? 1) <= 1) return { size, inode: ino ?? undefined };
  removeIfThere(path, disk);
  return undefined;
}

/** Whether two inodes can be of one file: Windows does not always tell. */
function mayBeOne(a: number | null | undefined, b: number | null | undefined): boolean {
  return !a || !b || a === b;
}

/** A hard link fails where the name is taken, which a rename does not. */
function renameToNew(from: string, to: string, disk: Disk): boolean {
  try {
    disk.linkSync(from, to);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    // A file system without hard links (FAT): as near to it as can be had.
    if (lookAt(to, disk)) return false;
    disk.renameSync(from, to);
    return true;
  }
  removeIfThere(from, disk);
  return true;
}
