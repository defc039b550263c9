/**
 * A disk that behaves like Windows, on any platform: an open file can be neither renamed, removed nor
 * replaced; a lock is mandatory for all other handles; folders cannot be opened; and the `stat` of a
 * path has no inode, while that of an open file has.
 */
import { existsSync } from "node:fs";
import { type Disk, type DiskFile, realDisk } from "../../core/store/disk.ts";

export function windowsDisk(): Disk {
  const open = new Map<string, OpenFile[]>();
  const requireClosed = (path: string) => {
    if (open.get(path)?.length) throw new Error(`${path} is in use (os error 32)`);
  };
  const openSync = (path: string, options: Deno.OpenOptions): DiskFile => {
    if (existsSync(path) && Deno.statSync(path).isDirectory) {
      throw new Deno.errors.PermissionDenied("Access is denied (os error 5)");
    }
    const others = open.get(path) ?? [];
    open.set(path, others);
    return new OpenFile(Deno.openSync(path, options), others);
  };
  return {
    ...realDisk,
    openSync,
    lstatSync: (path) => ({ ...Deno.lstatSync(path), ino: null, nlink: null }),
    removeSync: (path) => {
      requireClosed(String(path));
      Deno.removeSync(path);
    },
    renameSync: (from, to) => {
      requireClosed(String(from));
      requireClosed(String(to));
      Deno.renameSync(from, to);
    },
  };
}

class OpenFile implements DiskFile {
  readonly #file: Deno.FsFile;
  readonly #all: OpenFile[];
  #locked = false;

  constructor(file: Deno.FsFile, all: OpenFile[]) {
    this.#file = file;
    this.#all = all;
    all.push(this);
  }

  #requireNoLock(): void {
    if (this.#all.some((other) => other !== this && other.#locked)) {
      throw new Error("Another process has locked a portion of the file (os error 33)");
    }
  }

  close(): void {
    this.#file.close();
    this.#all.splice(this.#all.indexOf(this), 1);
  }

  async read(into: Uint8Array): Promise<number | null> {
    this.#requireNoLock();
    return await this.#file.read(into);
  }

  readSync(into: Uint8Array): number | null {
    this.#requireNoLock();
    return this.#file.readSync(into);
  }

  writeSync(bytes: Uint8Array): number {
    this.#requireNoLock();
    return this.#file.writeSync(bytes);
  }

  tryLockSync(exclusive?: boolean): boolean {
    this.#locked = this.#file.tryLockSync(exclusive);
    return this.#locked;
  }

  unlockSync(): void {
    this.#locked = false;
    this.#file.unlockSync();
  }

  seek: DiskFile["seek"] = (offset, whence) => this.#file.seek(offset, whence);
  seekSync: DiskFile["seekSync"] = (offset, whence) => this.#file.seekSync(offset, whence);
  stat: DiskFile["stat"] = () => this.#file.stat();
  statSync: DiskFile["statSync"] = () => this.#file.statSync();
  sync: DiskFile["sync"] = () => this.#file.sync();
  syncData: DiskFile["syncData"] = () => this.#file.syncData();
  utimeSync: DiskFile["utimeSync"] = (atime, mtime) => this.#file.utimeSync(atime, mtime);
  truncateSync: DiskFile["truncateSync"] = (size) => this.#file.truncateSync(size);
}
