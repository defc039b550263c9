/**
 * The unfinished file: only one process has it open, links are not followed, and a write by any
 * other process is noticed by the modification time.
 */
import { ConflictError } from "../base/errors.ts";
import {
  type Disk,
  type DiskFile,
  type DiskOptions,
  isWrittenOnlyBy,
  mayBeSameInode,
  realDisk,
  removeIfExists,
  statIfExists,
  toDiskError,
  withDiskErrors,
} from "./disk.ts";

/** How often a part file may be replaced while it is opened. */
const MAX_TRIES = 10;
/** How much older than its last write the file is made to look. */
const MARK_AGE_MS = 10_000;
/** Resolution of the modification time on FAT. */
const MARK_UNIT_MS = 2000;

export interface PartOptions extends DiskOptions {
  /** The complete file: a part file that is a hard link to it is left of an interrupted finish. */
  readonly target?: string;
  /** Names the process that has the file open, for the error message. */
  readonly holder?: () => string;
}

/** What a file keeps of the one that it is a copy of. */
export interface FileAttributes {
  /** Time of the last change, in milliseconds since 1970. */
  readonly modified?: number;
  /** Whether it is a program. */
  readonly executable?: boolean;
}

/**
 * Gives a complete file its attributes. A file that is not this user's stays as it is.
 *
 * @throws {DiskError}
 */
export function setAttributes(
  path: string,
  { modified, executable = false }: FileAttributes,
  { disk = realDisk, platform = Deno.build.os }: DiskOptions = {},
): void {
  try {
    const time = modified === undefined ? undefined : new Date(modified);
    const before = disk.lstatSync(path);
    if (!before.isFile) return;
    if (time && before.mtime?.getTime() !== time.getTime()) disk.utimeSync(path, time, time);
    if (executable) makeExecutable(path, { disk, platform });
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return;
    throw toDiskError(`write to "${path}"`, error);
  }
}

/** Lets everyone run the file who may read it. Windows has no such permission. */
function makeExecutable(path: string, { disk = realDisk, platform }: DiskOptions): void {
  if (platform === "windows") return;
  withDiskErrors(`write to "${path}"`, () => {
    const { mode } = disk.lstatSync(path);
    if (mode !== null) disk.chmodSync(path, (mode & 0o777) | (mode & 0o444) >> 2);
  });
}

/** "taken": the path exists and must not be replaced; "touched": another process wrote to the file. */
export type PlaceResult = "placed" | "taken" | "touched";

export class PartFile implements Disposable {
  readonly file: DiskFile;
  /** `stat` when it was opened; a new file has size 0. */
  readonly before: Deno.FileInfo;
  /** Only this user can have written it, and it has no other hard link. Otherwise it must not be written to. */
  readonly isOwn: boolean;
  #path: string;
  readonly #disk: Disk;
  readonly #platform: string;
  #size: number;
  /** The modification time that each write leaves, once it is marked. */
  #mark: Date | undefined;
  /** The modification time after the last write of this process. */
  #mtime: number | undefined;
  #closed = false;

  private constructor(path: string, file: DiskFile, info: Deno.FileInfo, options: PartOptions) {
    const { disk = realDisk, platform = Deno.build.os, user } = options;
    this.#path = path;
    this.file = file;
    this.before = info;
    this.isOwn = (info.nlink ?? 1) <= 1 && isWrittenOnlyBy(user, info, path, disk);
    this.#size = info.size;
    this.#mtime = info.mtime?.getTime();
    this.#disk = disk;
    this.#platform = platform;
  }

  /**
   * Opens or creates the part file at `path`, for this process alone.
   *
   * @throws {ConflictError} if another process has it, or if it is no plain file. @throws {DiskError}
   */
  static open(path: string, options: PartOptions = {}): PartFile {
    const { disk = realDisk, holder = () => "another p2p" } = options;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const file = createOrOpen(path, disk);
      if (file === undefined) continue;
      try {
        if (!withDiskErrors(`lock "${path}"`, () => file.tryLockSync(true))) {
          throw new ConflictError(`Cannot write "${path}": ${holder()} works on it`, {
            problem: "target-busy",
          });
        }
        const info = infoIfCurrent(path, file, options);
        if (info !== undefined) return new PartFile(path, file, info, options);
      } catch (error) {
        file.close();
        throw error;
      }
      file.close();
    }
    const text = `Cannot write "${path}": another program keeps replacing it`;
    throw new ConflictError(text, { problem: "target-replaced" });
  }

  get size(): number {
    return this.#size;
  }

  get path(): string {
    return this.#path;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * From now on each write of this process leaves the same modification time, in the past, so that
   * any other write is noticed even within one tick of the clock.
   *
   * @param before the mark of an earlier run: the new one differs from it, unless nothing was
   * written since.
   * @returns the mark; undefined where a file's time cannot be set: then the time is read after each write.
   */
  mark(before?: number): number | undefined {
    withDiskErrors(`write to "${this.path}"`, () => {
      const now = this.file.statSync().mtime?.getTime();
      if (now === undefined) return;
      this.#mark = new Date(now === before ? before : newMark(now, before));
      this.#noteWrite();
      // As the file system rounds it.
      this.#mtime = this.file.statSync().mtime?.getTime();
      if (this.#mark) this.#mark = new Date(this.#mtime ?? this.#mark);
    });
    return this.#mark?.getTime();
  }

  /**
   * Whether the file is as this process left it.
   *
   * @throws {ConflictError} if another file or none is at its path. @throws {DiskError}
   */
  isUntouched(): boolean {
    const info = statIfExists(this.path, this.#disk);
    if (!info?.isFile || !mayBeSameInode(info.ino, this.before.ino)) {
      throw new ConflictError(
        `Cannot go on with "${this.path}": another program removed or replaced it`,
        { problem: "target-replaced" },
      );
    }
    return info.size === this.#size && info.mtime?.getTime() === this.#mtime;
  }

  /** Synchronous: nothing may come between seek and write, and it is the fastest way. @throws {DiskError} */
  write(position: number, bytes: Uint8Array): void {
    withDiskErrors(`write to "${this.path}"`, () => {
      try {
        this.file.seekSync(position, Deno.SeekMode.Start);
        let at = 0;
        while (at < bytes.length) at += this.file.writeSync(bytes.subarray(at));
        this.#size = Math.max(this.#size, position + at);
      } finally {
        // After a failure, too: the pieces before it are still right.
        this.#noteWrite();
      }
    });
  }

  /** Fills `into` from `position` on. @returns the bytes read: fewer where the file ends. @throws {DiskError} */
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

  /** Sets the length; unwritten bytes take no space. @throws {DiskError} */
  resize(size: number): void {
    withDiskErrors(`write to "${this.path}"`, () => {
      this.file.truncateSync(size);
      this.#size = size;
      this.#noteWrite();
    });
  }

  /** Takes the present state of the file as left by this process. @throws {DiskError} */
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

  /** Waits until the bytes are on the disk. @throws {DiskError} */
  async sync(): Promise<void> {
    await withDiskErrors(`sync "${this.path}"`, () => this.file.syncData());
  }

  /**
   * Gives the file its final name. Its time is that of its attributes, else `modified` if it is
   * marked.
   *
   * @throws {ConflictError} if another file or none is at its path. @throws {DiskError}
   */
  place(
    path: string,
    { replace, modified, attributes = {} }: {
      replace: boolean;
      modified?: Date | undefined;
      attributes?: FileAttributes | undefined;
    },
  ): PlaceResult {
    // It is closed already if an attempt to rename it failed on Windows.
    if (!this.#closed && !this.isUntouched()) return "touched";
    const time = attributes.modified === undefined
      ? this.#mark && modified
      : new Date(attributes.modified);
    if (!this.#closed && time) {
      this.#mark = undefined;
      withDiskErrors(`write to "${this.path}"`, () => {
        this.file.utimeSync(time, time);
        this.#mtime = this.file.statSync().mtime?.getTime();
      });
    }
    if (attributes.executable) {
      makeExecutable(this.path, { disk: this.#disk, platform: this.#platform });
    }
    this.#closeOnWindows();
    return withDiskErrors(`rename to "${path}"`, () => {
      if (!replace) return renameToNew(this.path, path, this.#disk) ? "placed" : "taken";
      this.#disk.renameSync(this.path, path);
      return "placed";
    });
  }

  /** Renames it, replacing any file at `path`; it stays locked except on Windows. @throws {DiskError} */
  moveTo(path: string): void {
    this.#closeOnWindows();
    withDiskErrors(`rename "${this.path}"`, () => this.#disk.renameSync(this.path, path));
    this.#path = path;
  }

  /** @throws {DiskError} */
  remove(): void {
    this.#closeOnWindows();
    removeIfExists(this.path, this.#disk);
  }

  /** Windows can neither rename nor remove an open file; another process may open it in between. */
  #closeOnWindows(): void {
    if (this.#platform === "windows") this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Closing may not release the lock: a sync that runs, or a child process that is being started
    // at this moment, still has the file open.
    try {
      this.file.unlockSync();
    } catch {
      // The lock ends with the last descriptor.
    }
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function newMark(now: number, before: number | undefined): number {
  const mark = Math.max(0, Math.floor((now - MARK_AGE_MS) / MARK_UNIT_MS)) * MARK_UNIT_MS;
  return mark === before ? mark + MARK_UNIT_MS : mark;
}

/** Creates first, because most part files are new. @returns undefined if the file was removed at this moment. */
function createOrOpen(path: string, disk: Disk): DiskFile | undefined {
  const open = (options: Deno.OpenOptions) =>
    withDiskErrors(`open "${path}"`, () => {
      try {
        return disk.openSync(path, { read: true, write: true, ...options });
      } catch (error) {
        const { AlreadyExists, NotFound, PermissionDenied } = Deno.errors;
        if (error instanceof (options.createNew ? AlreadyExists : NotFound)) return undefined;
        // Another user's file may be readable only.
        if (options.createNew || !(error instanceof PermissionDenied)) throw error;
        return disk.openSync(path, { read: true });
      }
    });
  const created = open({ createNew: true });
  if (created) return created;
  const info = statIfExists(path, disk);
  if (info && !info.isFile) {
    const text = `Cannot write "${path}": it is not a plain file`;
    throw new ConflictError(text, { problem: "target-blocked" });
  }
  return open({});
}

/**
 * `stat` of the locked file; undefined if it is not the part file any more: before it was locked,
 * another process may have finished it, or a link may have replaced it.
 */
function infoIfCurrent(
  path: string,
  file: DiskFile,
  { disk = realDisk, target }: PartOptions,
): Deno.FileInfo | undefined {
  const info = withDiskErrors(`look at "${path}"`, () => file.statSync());
  const atPath = statIfExists(path, disk);
  if (!atPath?.isFile || !mayBeSameInode(atPath.ino, info.ino)) return undefined;
  if ((info.nlink ?? 1) > 1 && target !== undefined && info.ino !== null) {
    if (statIfExists(target, disk)?.ino !== info.ino) return info;
    removeIfExists(path, disk);
    return undefined;
  }
  return info;
}

/** Renames if nothing is at `to`. A hard link fails where the name is taken, which a rename does not. */
function renameToNew(from: string, to: string, disk: Disk): boolean {
  try {
    disk.linkSync(from, to);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    // FAT has no hard links: check, then rename.
    if (statIfExists(to, disk)) return false;
    disk.renameSync(from, to);
    return true;
  }
  removeIfExists(from, disk);
  return true;
}
