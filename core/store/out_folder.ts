/**
 * Where downloads end up: a name becomes a path below the folder that the user has chosen. All that
 * concerns a download's place (its task's id, the part file, what is removed) goes by this path.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { basename, dirname, join } from "@std/path";
import { ConflictError } from "../base/errors.ts";
import { type Disk, realDisk } from "./disk.ts";
import { withDiskErrors } from "./disk_errors.ts";
import { syncFolder } from "./part_file.ts";

export class OutFolder {
  readonly #path: string;
  readonly #platform: string;
  readonly #disk: Disk;
  /** Its own path without links, once it is there. */
  #root: string | undefined;
  /** Where the folders are that names lie in, without links, as far as they are there. */
  readonly #located = new Map<string, string>();

  /** Folders in which folders were made that may not be on the disk yet. */
  readonly #unsynced = new Set<string>();

  /** @param path made when missing, with the first file. @param platform as `Deno.build.os` names it. */
  constructor(path: string, platform: string = Deno.build.os, disk: Disk = realDisk) {
    this.#path = path;
    this.#platform = platform;
    this.#disk = disk;
  }

  /** The path that `prepare` will give, as long as no link changes; nothing is made. */
  locate(name: string): string {
    const parts = localName(name, this.#platform).split("/");
    const folder = parts.slice(0, -1).join("/");
    let located = this.#located.get(folder);
    if (located === undefined) {
      located = withoutLinks(join(this.#path, folder));
      this.#located.set(folder, located);
    }
    return join(located, parts.at(-1)!);
  }

  /** The folders that were asked for by `locate`. */
  get folders(): Iterable<string> {
    return this.#located.values();
  }

  /**
   * The path of `name` below the folder, without links; the folders on the way are made. No link
   * among them may lead out.
   *
   * @throws {ConflictError} if one does. @throws {DiskError}
   */
  prepare(name: string): string {
    const root = this.#root ??= this.#open();
    const parts = localName(name, this.#platform).split("/");
    let folder = root;
    for (const part of parts.slice(0, -1)) {
      folder = join(folder, part);
      if (withDiskErrors(`make folder "${folder}"`, () => makeFolder(folder))) {
        this.#unsynced.add(dirname(folder));
      }
      if (!withDiskErrors(`look at "${folder}"`, () => Deno.lstatSync(folder)).isSymlink) continue;
      const real = withDiskErrors(`open folder "${folder}"`, () => Deno.realPathSync(folder));
      if (real !== root && !real.startsWith(join(root, "/"))) {
        throw new ConflictError(
          `Cannot write below "${folder}": it is a link that leads out of "${this.#path}"`,
        );
      }
      folder = real;
    }
    return join(folder, parts.at(-1)!);
  }

  /** Until the folders that were made for `path`, which `prepare` gave, are on the disk. @throws {DiskError} */
  async sync(path: string): Promise<void> {
    for (const folder of this.#unsynced) {
      if (!path.startsWith(join(folder, "/"))) continue;
      await syncFolder(folder, this.#disk, this.#platform);
      this.#unsynced.delete(folder);
    }
  }

  /**
   * Makes the folder if it is missing, and checks that it can be written, so that a fault of it is
   * reported once and not for each file.
   *
   * @throws {DiskError}
   */
  open(): void {
    this.#root ??= this.#open();
    const root = this.#root;
    withDiskErrors(`write to "${this.#path}"`, () => accessSync(root, constants.W_OK));
  }

  #open(): string {
    for (let folder = this.#path; !existsSync(folder) && dirname(folder) !== folder;) {
      folder = dirname(folder);
      this.#unsynced.add(withoutLinks(folder));
    }
    withDiskErrors(
      `make folder "${this.#path}"`,
      () => Deno.mkdirSync(this.#path, { recursive: true }),
    );
    return withDiskErrors(`open folder "${this.#path}"`, () => Deno.realPathSync(this.#path));
  }
}

/** `path` as far as it is there without links, and the rest as it is. */
export function withoutLinks(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const folder = dirname(path);
    return folder === path ? path : join(withoutLinks(folder), basename(path));
  }
}

/** @returns whether there was none. */
function makeFolder(folder: string): boolean {
  try {
    Deno.mkdirSync(folder);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    if (Deno.statSync(folder).isDirectory) return false;
    throw new ConflictError(`Cannot make folder "${folder}": there is a file of that name`);
  }
}

/** What Windows takes for something else than a part of a name, or drops from its end. */
const IMPOSSIBLE = /[<>:"|?*]|[. ]$/g;
/** Devices, there in every folder, whatever the extension. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|$)/i;

/**
 * A name as `platform` (as `Deno.build.os` names it) can hold it: what is
 * impossible there is written as `%` and its code. Two names that become one are
 * settled as any two files of one name are.
 */
export function localName(name: string, platform: string): string {
  if (platform !== "windows") return name;
  return name.split("/").map((part) => {
    const possible = part.replace(IMPOSSIBLE, escaped);
    return DEVICE.test(possible) ? escaped(possible[0]!) + possible.slice(1) : possible;
  }).join("/");
}

function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
