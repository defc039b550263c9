/**
 * The unfinished file: opened by one process only, no link followed, filled piece by piece. Any
 * write of somebody else is noticed by the file's modification time.
 */
import { ConflictError } from "../base/errors.ts";
import {
  type Disk,
  type DiskFile,
  isWrittenOnlyBy,
  mayBeSameInode,
  realDisk,
  removeIfExists,
  statIfExists,
  type User,
  withDiskErrors,
  withDiskErrorsAsync,
} from "./disk.ts";

/** How often a part file may be replaced while it is opened, before that is an error. */
const MAX_TRIES = 10;
/** How much older than its last write the file is made to look. */
const MARK_AGE_MS = 10_000;
/** FAT counts in these. */
const MARK_UNIT_MS = 2000;

export interface PartOptions {
  readonly disk?: Disk;
  /** As `Deno.build.os` names it. */
  readonly platform?: string;
  /** Who runs this process; undefined where files have no owners. */
  readonly user?: User | undefined;
  /** The finished file: a part that is a second name of it is not a part any more. */
  readonly target?: string;
}

export class PartFile implements Disposable {
  readonly file: DiskFile;
  /** Nothing was there when it was opened. */
  readonly fresh: boolean;
  /** Bytes that were there when it was opened. */
  readonly sizeBefore: number;
  /** When it was written before it was opened, ms since 1970. */
  readonly mtimeBefore: number | undefined;
  /** undefined where the platform does not tell. */
  readonly inode: number | undefined;
  /** Nobody else can have written it, and it has no other name. Otherwise it must not be written to. */
  readonly isOwn: boolean;
  /** undefined where files have no owners. */
  readonly uid: number | undefined;
  /** How many names it has. */
  readonly links: number;
  #path: string;
  readonly #disk: Disk;
  readonly #platform: string;
  #size: number;
  /** The modification time that each write leaves, once it is marked. */
  #mark: Date | undefined;
  /** The modification time that the last own write left. */
  #mtime: number | undefined;
  #closed = false;

  private constructor(path: string, { file, fresh }: Opened, there: There, terms: PartOptions) {
    const { disk = realDisk, platform = Deno.build.os } = terms;
    this.#path = path;
    this.file = file;
    this.fresh = fresh;
    this.isOwn = there.isOwn;
    this.uid = there.uid;
    this.links = there.links;
    this.sizeBefore = this.#size = there.size;
    this.mtimeBefore = this.#mtime = there.mtime;
    this.inode = there.inode;
    this.#disk = disk;
    this.#platform = platform;
  }

  /**
   * Opens or makes the part file at `path`, for this process alone.
   *
   * @param holder says who holds it, for the message.
   * @throws {ConflictError} if another process has it, or if it is no plain file. @throws {DiskError}
   */
  static open(path: string, holder: () => string, terms: PartOptions = {}): PartFile {
    const { disk = realDisk } = terms;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const opened = makeOrOpen(path, disk);
      if (opened === undefined) continue;
      const { file } = opened;
      try {
        requireLock(path, file, holder);
        const there = lockedFile(path, file, terms);
        if (there !== undefined) return new PartFile(path, opened, there, terms);
      } catch (error) {
        file.close();
        throw error;
      }
      file.close();
    }
    throw new ConflictError(`Cannot write "${path}": somebody keeps replacing it`);
  }

  get size(): number {
    return this.#size;
  }

  get path(): string {
    return this.#path;
  }

  /**
   * From now on each write leaves the same modification time, in the past: so the write of anybody
   * else is noticed, even within one tick of the clock. Where a file's time cannot be set, what the
   * system says is noted after each write.
   *
   * @param mtime the mark of an earlier run: the new one differs from it, unless nobody has written
   * to the file since.
   * @returns the mark; undefined where the file's time cannot be set.
   */
  mark(mtime?: number): number | undefined {
    withDiskErrors(`write to "${this.path}"`, () => {
      const now = this.file.statSync().mtime?.getTime();
      if (now === undefined) return;
      this.#mark = new Date(now === mtime ? mtime : newMark(now, mtime));
      this.#noteWrite();
      // As the file system keeps it.
      this.#mtime = this.file.statSync().mtime?.getTime();
      if (this.#mark) this.#mark = new Date(this.#mtime ?? this.#mark);
    });
    return this.#mark?.getTime();
  }

  /**
   * Whether the file is as this process left it.
   *
   * @throws {ConflictError} if it is not at its path any more. @throws {DiskError}
   */
  isUntouched(): boolean {
    const there = statIfExists(this.path, this.#disk);
    if (!there?.isFile || !mayBeSameInode(there.ino, this.inode)) {
      throw new ConflictError(`Cannot go on with "${this.path}": somebody removed or replaced it`, {
        hint: "Run the same command again to begin anew",
      });
    }
    return there.size === this.#size && there.mtime?.getTime() === this.#mtime;
  }

  /** Writes all of `bytes` at `position`. Synchronous: seek and write must not be torn apart, and it is the fastest way. @throws {DiskError} */
  write(position: number, bytes: Uint8Array): void {
    withDiskErrors(`write to "${this.path}"`, () => {
      try {
        this.file.seekSync(position, Deno.SeekMode.Start);
        let at = 0;
        while (at < bytes.length) at += this.file.writeSync(bytes.subarray(at));
        this.#size = Math.max(this.#size, position + at);
      } finally {
        // After a failure, too: what was there before is still right.
        this.#noteWrite();
      }
    });
  }

  /** Fills `into` from `position` on, as far as the file goes. @returns bytes read. @throws {DiskError} */
  read(position: number, into: Uint8Array): number {
    return withDiskErrors(`read "${this.path}"`, () => {
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
    withDiskErrors(`write to "${this.path}"`, () => {
      this.file.truncateSync(size);
      this.#size = size;
      this.#noteWrite();
    });
  }

  /** Takes the file as it is now for what this process left. */
  acceptTouch(): void {
    withDiskErrors(`look at "${this.path}"`, () => this.#noteWrite());
  }

  #noteWrite(): void {
    if (this.#mark) {
      try {
        return this.file.utimeSync(this.#mark, this.#mark);
      } catch {
        // Some file systems do not let a file's time be set.
        this.#mark = undefined;
      }
    }
    const { mtime, size } = this.file.statSync();
    this.#mtime = mtime?.getTime();
    this.#size = size;
  }

  /** Until the bytes are on the disk itself. */
  async sync(): Promise<void> {
    await withDiskErrorsAsync(`sync "${this.path}"`, () => this.file.syncData());
  }

  /**
   * Gives the file its final name. Without `replace` it never takes the place of another: "taken"
   * when there is one. "touched" when somebody else wrote to it.
   *
   * @param options.modified when it was written last, if it is marked.
   * @throws {ConflictError} if it is not at its path any more. @throws {DiskError}
   */
  place(
    path: string,
    options: { replace: boolean; modified?: Date | undefined },
  ): "placed" | "taken" | "touched" {
    if (!this.isUntouched()) return "touched";
    if (this.#mark && options.modified) this.#unmark(options.modified);
    this.#letGo();
    return withDiskErrors(`rename to "${path}"`, () => {
      if (!options.replace) return renameToNew(this.path, path, this.#disk) ? "placed" : "taken";
      this.#disk.renameSync(this.path, path);
      return "placed";
    });
  }

  #unmark(modified: Date): void {
    this.#mark = undefined;
    withDiskErrors(`write to "${this.path}"`, () => {
      this.file.utimeSync(modified, modified);
      this.#mtime = this.file.statSync().mtime?.getTime();
    });
  }

  /** Renames it, over whatever is there; it stays locked where it can. */
  moveTo(path: string): void {
    this.#letGo();
    withDiskErrors(`rename "${this.path}"`, () => this.#disk.renameSync(this.path, path));
    this.#path = path;
  }

  /** Nothing can be written to it any more. */
  remove(): void {
    this.#letGo();
    removeIfExists(this.path, this.#disk);
  }

  /** On Windows, an open file can be neither renamed nor removed: somebody else may get at it in between. */
  #letGo(): void {
    if (this.#platform === "windows") this.close();
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Closing alone may not release the lock: a running sync, or a child process that is being
    // started at this moment, still has the file open.
    this.#unlock();
    this.file.close();
  }

  #unlock(): void {
    try {
      this.file.unlockSync();
    } catch {
      // The lock goes with the last descriptor.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function newMark(now: number, before: number | undefined): number {
  const mark = Math.max(0, Math.floor((now - MARK_AGE_MS) / MARK_UNIT_MS)) * MARK_UNIT_MS;
  return mark === before ? mark + MARK_UNIT_MS : mark;
}

interface Opened {
  readonly file: DiskFile;
  readonly fresh: boolean;
}

/**
 * Most often there is nothing: so it is made, and looked at only when that fails. Another user's may
 * be for reading only. undefined when it went in this very moment.
 */
function makeOrOpen(path: string, disk: Disk): Opened | undefined {
  const made = openUnless(Deno.errors.AlreadyExists, path, { createNew: true }, disk);
  if (made) return { file: made, fresh: true };
  const there = statIfExists(path, disk);
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
  return withDiskErrors(`open "${path}"`, () => {
    try {
      return disk.openSync(path, { write: true, read: true, ...options });
    } catch (error) {
      if (error instanceof Deno.errors.PermissionDenied && !options.createNew) {
        return disk.openSync(path, { read: true });
      }
      if (error instanceof refusal) return undefined;
      throw error;
    }
  });
}

function requireLock(path: string, file: DiskFile, holder: () => string): void {
  if (withDiskErrors(`lock "${path}"`, () => file.tryLockSync(true))) return;
  throw new ConflictError(`Cannot write "${path}": ${holder()} works on it`, {
    hint: "Wait for it, or choose another folder with --out",
  });
}

interface There {
  readonly size: number;
  readonly mtime: number | undefined;
  readonly inode: number | undefined;
  readonly isOwn: boolean;
  readonly uid: number | undefined;
  readonly links: number;
}

/**
 * What the locked file is; undefined if it is not the part file any more: since it was opened it may
 * have been finished by another process, or been swapped for a link; or it is the second name of the
 * finished file, which an interrupted finish left.
 */
function lockedFile(path: string, file: DiskFile, terms: PartOptions): There | undefined {
  const { disk = realDisk, user, target } = terms;
  const info = withDiskErrors(`look at "${path}"`, () => file.statSync());
  const { ino, nlink, size, mtime } = info;
  const there = statIfExists(path, disk);
  if (!there?.isFile || !mayBeSameInode(there.ino, ino)) return undefined;
  const links = nlink ?? 1;
  if (links > 1 && target !== undefined && isSame(statIfExists(target, disk)?.ino, ino)) {
    removeIfExists(path, disk);
    return undefined;
  }
  return {
    size,
    mtime: mtime?.getTime(),
    inode: ino ?? undefined,
    isOwn: links <= 1 && isWrittenOnlyBy(user, info, path, disk),
    uid: info.uid ?? undefined,
    links,
  };
}

function isSame(a: number | null | undefined, b: number | null): boolean {
  return a !== null && a !== undefined && a === b;
}

/** A hard link fails where the name is taken, which a rename does not. */
function renameToNew(from: string, to: string, disk: Disk): boolean {
  try {
    disk.linkSync(from, to);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    // A file system without hard links (FAT): as near to it as can be had.
    if (statIfExists(to, disk)) return false;
    disk.renameSync(from, to);
    return true;
  }
  removeIfExists(from, disk);
  return true;
}
