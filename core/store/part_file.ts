/** The unfinished file: opened by one process only, no link followed, filled piece by piece. */
import { dirname } from "@std/path";
import { ConflictError } from "../base/errors.ts";
import { diskFault, onDisk } from "./disk_faults.ts";
import { lookAt } from "./target.ts";

export class PartFile implements Disposable {
  readonly path: string;
  readonly file: Deno.FsFile;
  /** Bytes that were there when it was opened. */
  readonly sizeBefore: number;
  #closed = false;

  private constructor(path: string, file: Deno.FsFile, sizeBefore: number) {
    this.path = path;
    this.file = file;
    this.sizeBefore = sizeBefore;
  }

  /**
   * Opens or makes the part file at `path`, for this process alone.
   *
   * @param holder says who holds it, for the message.
   * @throws {ConflictError} if another process has it, or if it is no plain file. @throws {DiskError}
   */
  static async open(path: string, holder: () => Promise<string>): Promise<PartFile> {
    const there = await lookAt(path);
    if (there && !there.isFile) {
      throw new ConflictError(`Cannot write "${path}": it is not a plain file`);
    }
    const mode = there ? { write: true, read: true } : { write: true, read: true, createNew: true };
    const file = await onDisk(`open "${path}"`, () => Deno.open(path, mode));
    try {
      const info = await file.stat();
      // Between the look and the opening, somebody may have put a link there.
      if (there && info.ino !== there.ino) {
        throw new ConflictError(`Cannot write "${path}": it was swapped`);
      }
      if (!file.tryLockSync(true)) {
        throw new ConflictError(`Cannot write "${path}": ${await holder()} works on it`, {
          hint: "Wait for it, or choose another folder with --out",
        });
      }
      return new PartFile(path, file, info.size);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Writes all of `bytes` at `position`. Synchronous: seek and write must not be torn apart, and it is the fastest way. @throws {DiskError} */
  write(position: number, bytes: Uint8Array): void {
    try {
      this.file.seekSync(position, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) at += this.file.writeSync(bytes.subarray(at));
    } catch (error) {
      throw diskFault(`write to "${this.path}"`, error);
    }
  }

  /** Gives the file its final length; what was not written yet takes no room. */
  async resize(size: number): Promise<void> {
    await onDisk(`write to "${this.path}"`, () => this.file.truncate(size));
  }

  /** Until the bytes are on the disk itself. */
  async sync(): Promise<void> {
    await onDisk(`sync "${this.path}"`, () => this.file.syncData());
  }

  /**
   * Gives the file its final name. Without `replace` it never takes the place of
   * another: false when there is one.
   */
  async place(path: string, options: { replace: boolean; sync: boolean }): Promise<boolean> {
    // An open file cannot be renamed there.
    if (Deno.build.os === "windows") this.close();
    return await onDisk(`rename to "${path}"`, async () => {
      if (options.replace) await Deno.rename(this.path, path);
      else if (!await renameToNew(this.path, path)) return false;
      if (options.sync) await syncFolder(dirname(path));
      return true;
    });
  }

  async remove(): Promise<void> {
    await onDisk(`remove "${this.path}"`, () => Deno.remove(this.path));
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

/** A hard link fails where the name is taken, which a rename does not. */
async function renameToNew(from: string, to: string): Promise<boolean> {
  try {
    await Deno.link(from, to);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    // A file system without hard links (FAT): as near to it as can be had.
    if (await lookAt(to)) return false;
    await Deno.rename(from, to);
    return true;
  }
  await Deno.remove(from);
  return true;
}

/** The new name itself is on the disk only when its folder is. Not every platform can do it. */
async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(path, { read: true });
  await folder.sync().catch(() => {});
}
