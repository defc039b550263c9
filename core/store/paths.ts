/**
 * Where files go. Only this file turns a name into a path, and a target into the paths of its part
 * file and journal; task ids, adoption, status and removal all use these paths.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { sha256 } from "../base/digest.ts";
import { ConflictError } from "../base/errors.ts";
import { type Disk, realDisk, statIfExists, syncFolder, withDiskErrors } from "./disk.ts";

const PART_SUFFIX = ".p2p-part";
const JOURNAL_SUFFIX = ".p2p-journal";
const RESERVED_SUFFIX = /\.p2p-(?:part|journal)$/i;
/** Longest file name that the common file systems accept. */
const MAX_FILE_NAME_BYTES = 255;

/** Whether any part of `name` has a suffix of p2p's own files. Such names are neither offered nor downloaded. */
export function isReservedName(name: string): boolean {
  return name.split("/").some((part) => RESERVED_SUFFIX.test(part));
}

/** The unfinished file of `target`. */
export function partPath(target: string): string {
  return pathBeside(target, PART_SUFFIX);
}

/** Whether an unfinished download is beside `target`. */
export function hasPartial(target: string): boolean {
  try {
    return Deno.lstatSync(partPath(target)).isFile;
  } catch {
    return false;
  }
}

/** The journal of the part file of `target`. */
export function journalPath(target: string): string {
  return pathBeside(target, JOURNAL_SUFFIX);
}

/** Where the content `id` goes if `target` has other bytes: "a/b.tar" → "a/b~12345678.tar", the same on every machine. */
export function renamedTarget(target: string, id: string): string {
  const mark = `~${id.slice(0, 8)}`;
  const extension = extname(target);
  const stem = truncate(
    basename(target, extension),
    MAX_FILE_NAME_BYTES - byteLength(mark + extension),
  );
  return join(dirname(target), `${stem}${mark}${extension}`);
}

/** Marks a quarantined part file without a manifest; others are marked with their content's id. */
export const UNVERIFIED = "unverified";
/** Marks an entry that has the name of a journal and is no file. */
export const NOT_A_JOURNAL = "old";
/** Marks the copy of a part file until it replaces that file. */
export const COPY = "copy";

const QUARANTINED = new RegExp(
  `^(.+?)(~~?)([0-9a-f]{8}|${UNVERIFIED}|${NOT_A_JOURNAL}|${COPY})(-\\d+)?\\.p2p-(part|journal)$`,
);

/** The mark of a content; `id` is null for one without a manifest. */
export function markOf(id: string | null): string {
  return id?.slice(0, 8) ?? UNVERIFIED;
}

/** Part file and journal of this path are those of `target` in quarantine. */
export function quarantineTarget(target: string, mark: string): string {
  const name = basename(target);
  // Without an extension, "name~<id>" is already the target that `renamedTarget` returns.
  const ending = extname(name) === "" ? `~~${mark}` : `~${mark}`;
  if (fits(name + ending)) return target + ending;
  return join(dirname(target), shorten(name, `~~${mark}`));
}

/** What the name of a quarantined file says; undefined for any other file. */
export function parseQuarantined(
  fileName: string,
): { readonly mark: string; readonly isPart: boolean } | undefined {
  const [, base = "", tildes, mark = "", number = "", kind] = QUARANTINED.exec(fileName) ?? [];
  // "name~<id>.p2p-part" may be the part file of the target "name~<id>"; see `quarantineTarget`.
  const isAmbiguous = tildes === "~" && extname(base) === "" && /^[0-9a-f]{8}$/.test(mark);
  return base === "" || isAmbiguous ? undefined : { mark: mark + number, isPart: kind === "part" };
}

function pathBeside(target: string, suffix: string): string {
  const name = basename(target);
  return fits(name) ? target + suffix : join(dirname(target), shorten(name, "") + suffix);
}

/** Whether `name` leaves room for the longest suffix. */
function fits(name: string): boolean {
  return byteLength(name + JOURNAL_SUFFIX) <= MAX_FILE_NAME_BYTES;
}

/** The beginning of a long name, a digest of all of it, and `ending`; leaves room for the longest suffix. */
function shorten(name: string, ending: string): string {
  const digest = sha256(new TextEncoder().encode(name)).toHex().slice(0, 8);
  const rest = `~${digest}${ending}`;
  return truncate(name, MAX_FILE_NAME_BYTES - byteLength(rest + JOURNAL_SUFFIX)) + rest;
}

/** As many whole characters of `text` as fit into `bytes`. */
function truncate(text: string, bytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(Math.max(0, bytes)));
  return text.slice(0, read);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Characters that Windows reserves, or drops from the end of a name. */
const RESERVED_CHARACTERS = /[<>:"|?*]|[. ]$/g;
/** Devices that exist in every folder of Windows, whatever the extension. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|$)/i;

/**
 * `name` as `platform` (as `Deno.build.os` names it) can store it: reserved characters become `%`
 * and their code. Two names that become one are a conflict like any other.
 */
export function localName(name: string, platform: string): string {
  if (platform !== "windows") return name;
  return name.split("/").map((part) => {
    const valid = part.replace(RESERVED_CHARACTERS, escaped);
    return DEVICE.test(valid) ? escaped(valid[0]!) + valid.slice(1) : valid;
  }).join("/");
}

function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** The folder that the user chose for downloads. */
export class OutFolder {
  readonly #path: string;
  readonly #platform: string;
  readonly #disk: Disk;
  /** Real path of the folder, once it exists. */
  #root: string | undefined;
  /** Real path by folder of a name. */
  readonly #located = new Map<string, string>();
  /** Folders that have new entries and were not synced since. */
  readonly #unsynced = new Set<string>();

  /** @param path made when missing. @param platform as `Deno.build.os` names it. */
  constructor(path: string, platform: string = Deno.build.os, disk: Disk = realDisk) {
    this.#path = path;
    this.#platform = platform;
    this.#disk = disk;
  }

  /**
   * Makes the folder if it is missing, and checks that it can be written, so that an error is
   * reported once and not for each file.
   *
   * @throws {DiskError}
   */
  open(): void {
    const root = this.#openRoot();
    withDiskErrors(`write to "${this.#path}"`, () => accessSync(root, constants.W_OK));
  }

  /** The target of `name`, without links; makes at most the root. @throws {DiskError} */
  locate(name: string): string {
    const parts = localName(name, this.#platform).split("/");
    const folder = parts.slice(0, -1).join("/");
    let located = this.#located.get(folder);
    if (located === undefined) {
      located = realPathOf(join(this.#openRoot(), folder));
      this.#located.set(folder, located);
    }
    return join(located, parts.at(-1)!);
  }

  /** The folders of all targets that `locate` returned. */
  get folders(): Iterable<string> {
    return this.#located.values();
  }

  /**
   * As `locate`; makes the folders of the target.
   *
   * @throws {ConflictError} if a link leads out of the root. @throws {DiskError}
   */
  prepare(name: string): string {
    const root = this.#openRoot();
    const target = this.locate(name);
    const isBelow = target.startsWith(join(root, "/"));
    for (const folder of isBelow ? foldersBetween(root, dirname(target)) : []) {
      // Most folders exist: a look costs a fifth of an attempt to make one that does.
      if (statIfExists(folder, this.#disk)?.isDirectory) continue;
      if (withDiskErrors(`make folder "${folder}"`, () => makeFolder(folder))) {
        this.#unsynced.add(dirname(folder));
      }
      // `locate` has followed all links, so this one is newer: where it leads is unknown.
      if (withDiskErrors(`look at "${folder}"`, () => Deno.lstatSync(folder)).isSymlink) {
        const text = `Cannot write below "${folder}": it was replaced by a link`;
        throw new ConflictError(text, { problem: "target-replaced" });
      }
    }
    if (isBelow) return target;
    const text = `Cannot write "${target}": a link in "${name}" leads out of "${this.#path}"`;
    throw new ConflictError(text, { problem: "target-blocked" });
  }

  /** Syncs the folders that were made for `target`. @throws {DiskError} */
  async sync(target: string): Promise<void> {
    for (const folder of this.#unsynced) {
      if (!target.startsWith(join(folder, "/"))) continue;
      await syncFolder(folder, this.#disk, this.#platform);
      this.#unsynced.delete(folder);
    }
  }

  #openRoot(): string {
    if (this.#root !== undefined) return this.#root;
    const path = this.#path;
    for (let folder = path; !existsSync(folder) && dirname(folder) !== folder;) {
      folder = dirname(folder);
      this.#unsynced.add(realPathOf(folder));
    }
    withDiskErrors(`make folder "${path}"`, () => Deno.mkdirSync(path, { recursive: true }));
    return this.#root = withDiskErrors(`open folder "${path}"`, () => Deno.realPathSync(path));
  }
}

/** `path` without links, as far as it exists. */
export function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const folder = dirname(path);
    return folder === path ? path : join(realPathOf(folder), basename(path));
  }
}

/** The folders below `root` down to `folder`, in that order. */
function foldersBetween(root: string, folder: string): string[] {
  return folder === root ? [] : [...foldersBetween(root, dirname(folder)), folder];
}

/** @returns whether it did not exist. */
function makeFolder(folder: string): boolean {
  try {
    Deno.mkdirSync(folder);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    if (Deno.statSync(folder).isDirectory) return false;
    const text = `Cannot make folder "${folder}": a file has that name`;
    throw new ConflictError(text, { problem: "target-blocked" });
  }
}
