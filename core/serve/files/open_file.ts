/**
 * A regular file, opened for reading one version of it.
 *
 * Reads for bodies are synchronous: measured 3.9 GB/s against 2.8 for
 * asynchronous ones. Hashing, which may wait for the disk, reads asynchronously.
 */
import * as fs from "node:fs";
import { type FileVersion, isOfVersion } from "./file_version.ts";

/** The bytes on the disk are not, or no longer, those of the version that was opened. */
export class FileChangedError extends Error {
  constructor(name: string) {
    super(`"${name}" changed while it was read`);
    this.name = "FileChangedError";
  }
}

export interface Located {
  readonly name: string;
  /** Without links. */
  readonly path: string;
  readonly version: FileVersion;
}

/** `O_NONBLOCK` because a pipe may take the file's place just before it is opened, and would wait for a writer. */
const OPEN_FLAGS = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);

export class OpenFile implements Located, Disposable {
  readonly name: string;
  readonly path: string;
  readonly version: FileVersion;
  readonly #namedPath: string;
  readonly #descriptor: number;
  #closed = false;

  /** @param namedPath where its name is; there may be links on the way. */
  constructor({ name, path, version }: Located, namedPath: string) {
    this.name = name;
    this.path = path;
    this.version = version;
    this.#namedPath = namedPath;
    this.#descriptor = fs.openSync(path, OPEN_FLAGS);
  }

  stat(): fs.Stats {
    return fs.fstatSync(this.#descriptor);
  }

  /**
   * Whether the name still leads to the version that was opened. Looking at the path
   * costs a fifth of looking at the descriptor and says more: while the file is
   * open, no other one can have its inode.
   */
  isUnchanged(): boolean {
    try {
      return isOfVersion(Deno.statSync(this.#namedPath), this.version);
    } catch {
      return false;
    }
  }

  /**
   * Fills all of `into` with the bytes from `position` on.
   *
   * @throws {FileChangedError} if they are not all there, or not of this version.
   */
  read(into: Uint8Array, position: number): void {
    for (let filled = 0; filled < into.length;) {
      const length = into.length - filled;
      const count = fs.readSync(this.#descriptor, into, filled, length, position + filled);
      if (count === 0) throw new FileChangedError(this.name);
      filled += count;
    }
    this.#requireUnchanged();
  }

  /** As `read`, without blocking the event loop while the disk is busy. @returns the length of `into`. */
  async readAsync(into: Uint8Array, position: number): Promise<number> {
    for (let filled = 0; filled < into.length;) {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const length = into.length - filled;
      fs.read(this.#descriptor, into, filled, length, position + filled, (error, count) => {
        if (error) reject(error);
        else resolve(count);
      });
      const count = await promise;
      if (count === 0) throw new FileChangedError(this.name);
      filled += count;
    }
    this.#requireUnchanged();
    return into.length;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    fs.closeSync(this.#descriptor);
  }

  #requireUnchanged(): void {
    if (!this.isUnchanged()) throw new FileChangedError(this.name);
  }
}

/** Readable for its owner, its group and all others. */
const READABLE_FOR_ALL = 0o444;

/** Whether this process may read the regular file at `path`. @param open throws if it may not. */
export function isReadable(
  path: string,
  { mode }: Pick<Deno.FileInfo, "mode">,
  open = openAndClose,
): boolean {
  // Windows has no such bits, and files that may not be read are rare there.
  if (mode === null || (mode & READABLE_FOR_ALL) === READABLE_FOR_ALL) return true;
  try {
    open(path);
    return true;
  } catch (error) {
    const { code } = Object(error);
    return code !== "EACCES" && code !== "EPERM";
  }
}

function openAndClose(path: string): void {
  fs.closeSync(fs.openSync(path, OPEN_FLAGS));
}
