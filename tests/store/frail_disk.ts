/** Disks that fail at the k-th operation, once or from then on, or lose what was not synced. */
import type { Disk, DiskFile } from "../../core/store/disk.ts";
import { type MemoryFolder } from "../support/temp_folder.ts";

export type Mishap =
  /** Only this operation fails. */
  | "throws"
  /** This and all later operations fail, as when the process is killed. */
  | "dies"
  /** As "dies", and half of a write has reached the disk. */
  | "tears";

type Act = (...args: unknown[]) => unknown;

/** The real disk with a counter of operations. */
export class FrailDisk {
  readonly disk: Disk;
  operations = 0;
  readonly #at: number;
  readonly #mishap: Mishap;
  readonly #onDone: (operation: string, file: Deno.FsFile, options: unknown) => void;

  /** @param at counts from 1; 0 for a disk that does not fail. */
  constructor(
    at: number,
    mishap: Mishap,
    onDone: (operation: string, file: Deno.FsFile, options: unknown) => void = () => {},
  ) {
    this.#at = at;
    this.#mishap = mishap;
    this.#onDone = onDone;
    this.disk = actor<Disk>((name, args) => {
      const made = this.#step(name, args, Reflect.get(Deno, name) as Act);
      return name === "openSync" ? this.#opened(name, made as Deno.FsFile, args[1]) : made;
    });
  }

  #opened(name: string, file: Deno.FsFile, options: unknown): DiskFile {
    this.#onDone(name, file, options);
    return actor<DiskFile>((name, args) => {
      // A process that dies closes its files and releases its locks.
      if (name === "close") return file.close();
      if (name === "unlockSync") return file.unlockSync();
      const act = (Reflect.get(file, name) as Act).bind(file);
      const made = this.#step(name, args, act);
      if (!/^sync/.test(name)) return made;
      return (made as Promise<void>).then(() => this.#onDone(name, file, undefined));
    });
  }

  #step(name: string, args: unknown[], act: Act): unknown {
    this.operations++;
    const failed = this.operations === this.#at ||
      (this.#mishap !== "throws" && this.#at > 0 && this.operations > this.#at);
    if (!failed) return act(...args);
    if (this.#mishap === "tears" && this.operations === this.#at && name === "writeSync") {
      const bytes = args[0] as Uint8Array;
      act(bytes.subarray(0, bytes.length >> 1));
    }
    const error = new Error("Input/output error (os error 5)");
    if (name.endsWith("Sync")) throw error;
    return Promise.reject(error);
  }
}

/** An object whose methods all call `act`; without `then`, which would make it a promise. */
function actor<T extends object>(act: (name: string, args: unknown[]) => unknown): T {
  return new Proxy({} as T, {
    get: (_, name) => name === "then" ? undefined : (...args: unknown[]) => act(String(name), args),
  });
}

export type Survives = (what: "length" | "block", path: string) => boolean;

/** A power failure: what was written since the last sync is lost, all of it or at random. */
export class PowerCut {
  readonly frail: FrailDisk;
  readonly #folder: MemoryFolder;
  /** Synced bytes by inode. */
  readonly #durable = new Map<number, Uint8Array>();

  constructor(folder: MemoryFolder, at: number) {
    this.#folder = folder;
    for (const { ino, path } of this.#files()) this.#durable.set(ino, Deno.readFileSync(path));
    this.frail = new FrailDisk(at, "tears", (operation, file, options) => {
      const { ino } = file.statSync();
      if (/^sync/.test(operation)) this.#synced(ino!);
      // A new file may have the number of an old one.
      else if ((options as Deno.OpenOptions).createNew) this.#durable.delete(ino!);
    });
  }

  /** @param survives whether an unsynced block, or the unsynced length of a file, is on the disk. */
  strike(survives: Survives): void {
    for (const { ino, path } of this.#files()) {
      const durable = this.#durable.get(ino) ?? new Uint8Array();
      const written = Deno.readFileSync(path);
      const { atime, mtime } = Deno.statSync(path);
      Deno.writeFileSync(path, mixed(durable, written, (what) => survives(what, path)));
      // The worst case: the modification time does not show it.
      Deno.utimeSync(path, atime!, mtime!);
    }
  }

  #synced(inode: number): void {
    for (const { ino, path } of this.#files()) {
      if (ino === inode) this.#durable.set(ino, Deno.readFileSync(path));
    }
  }

  #files(): { ino: number; path: string }[] {
    return this.#folder.names().map((name) => this.#folder.pathOf(name)).flatMap((path) => {
      const { isFile, ino } = Deno.lstatSync(path);
      return isFile ? [{ ino: ino!, path }] : [];
    });
  }
}

/** Smaller than a piece, so that a part of a piece may survive. */
const BLOCK = 4;

function mixed(
  durable: Uint8Array,
  written: Uint8Array,
  survives: (what: "length" | "block") => boolean,
): Uint8Array {
  const longer = survives("length") ? written : durable;
  const bytes = new Uint8Array(longer.length);
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const from = survives("block") ? written : durable;
    bytes.set(from.subarray(at, Math.min(at + BLOCK, bytes.length)), at);
  }
  return bytes;
}
