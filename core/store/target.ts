/**
 * Where a download ends up: a name becomes a path below the chosen folder, and
 * what is there already is settled by content, never by asking and never by
 * replacing unless told to.
 */
import { existsSync } from "node:fs";
import { basename, dirname, extname, join } from "@std/path";
import type { ConflictPolicy } from "../base/policies.ts";
import { sha256 } from "../base/digest.ts";
import { ConflictError } from "../base/errors.ts";
import type { Manifest } from "../wire/manifest.ts";
import { type Disk, lookAt, realDisk } from "./disk.ts";
import { onDisk, onSlowDisk } from "./disk_faults.ts";
import { hashFile, holds } from "./hashing.ts";

export const PART_SUFFIX = ".p2p-part";
export const JOURNAL_SUFFIX = ".p2p-journal";
/** What the common file systems take for one name. */
const MOST_NAME_BYTES = 255;

/** What identifies the bytes that are to be there: a manifest, or only the digest of the whole. */
export type Bytes =
  | { readonly manifest: Manifest }
  | { readonly sha256: string };

export type Settlement =
  /** Nothing is at `path`. */
  | { readonly kind: "free"; readonly path: string }
  /** The very bytes are at `path` already. */
  | { readonly kind: "same"; readonly path: string }
  /** Other bytes are there, and shall stay. */
  | { readonly kind: "skip"; readonly path: string }
  /** Other bytes are there, and shall go when the new ones are whole. */
  | { readonly kind: "replace"; readonly path: string };

/**
 * The path of `name` below `outDir`, whose folders are made. No link on the way
 * may lead out of `outDir`.
 *
 * @throws {ConflictError} if one does. @throws {DiskError}
 */
export function prepareTarget(
  outDir: string,
  name: string,
  platform: string = Deno.build.os,
): string {
  onDisk(`make folder "${outDir}"`, () => Deno.mkdirSync(outDir, { recursive: true }));
  const root = onDisk(`open folder "${outDir}"`, () => Deno.realPathSync(outDir));
  const parts = localName(name, platform).split("/");
  let folder = root;
  for (const part of parts.slice(0, -1)) {
    folder = join(folder, part);
    onDisk(`make folder "${folder}"`, () => makeFolder(folder));
    if (!onDisk(`look at "${folder}"`, () => Deno.lstatSync(folder)).isSymlink) continue;
    const real = onDisk(`open folder "${folder}"`, () => Deno.realPathSync(folder));
    if (real !== root && !real.startsWith(join(root, "/"))) {
      throw new ConflictError(
        `Cannot write below "${folder}": it is a link that leads out of "${outDir}"`,
      );
    }
  }
  return join(folder, parts.at(-1)!);
}

function makeFolder(folder: string): void {
  try {
    Deno.mkdirSync(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    if (Deno.statSync(folder).isDirectory) return;
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

/**
 * Whether nothing is at `path`, as far as can be seen without following up: a
 * link to nothing looks so, too. It costs half of what `lookAt` does to learn that.
 */
export function looksFree(path: string): boolean {
  return !existsSync(path);
}

/** What to do about `path`, given what is there. @throws {ConflictError} */
export async function settle(
  path: string,
  bytes: Bytes,
  policy: ConflictPolicy,
  signal: AbortSignal,
  disk: Disk = realDisk,
): Promise<Settlement> {
  const there = lookAt(path, disk);
  if (there === undefined) return { kind: "free", path };
  if (there.isFile && await isSame(path, bytes, signal, disk)) return { kind: "same", path };
  if (there.isDirectory) throw new ConflictError(`Cannot write "${path}": it is a folder`);
  switch (policy) {
    case "skip":
      return { kind: "skip", path };
    case "overwrite":
      return { kind: "replace", path };
    case "fail":
      throw new ConflictError(`Cannot write "${path}": it exists with other bytes`, {
        hint: "Choose what to do with --on-conflict rename, skip or overwrite",
      });
    case "rename":
      // The name says the content, so it is the same on every machine.
      return await settle(renamed(path, bytes), bytes, "fail", signal, disk);
  }
}

async function isSame(
  path: string,
  bytes: Bytes,
  signal: AbortSignal,
  disk: Disk,
): Promise<boolean> {
  return await onSlowDisk(
    `read "${path}"`,
    async () =>
      "manifest" in bytes
        ? await holds(path, bytes.manifest, signal, disk)
        : await hashFile(path, signal, disk) === bytes.sha256,
  );
}

/** "a/b.tar" with content 12345678… → "a/b~12345678.tar" */
function renamed(path: string, bytes: Bytes): string {
  const content = "manifest" in bytes ? bytes.manifest.id : bytes.sha256;
  const mark = `~${content.slice(0, 8)}`;
  const extension = extname(path);
  const room = MOST_NAME_BYTES - byteLength(mark + extension);
  const stem = beginning(basename(path, extension), room);
  return join(dirname(path), `${stem}${mark}${extension}`);
}

/** The unfinished file beside `path`, or with `JOURNAL_SUFFIX` its journal. */
export function besideTarget(path: string, suffix: string): string {
  const name = basename(path);
  if (byteLength(name + JOURNAL_SUFFIX) <= MOST_NAME_BYTES) return path + suffix;
  // Too long with the suffix: the beginning of the name, and a digest of all of it.
  const digest = sha256(new TextEncoder().encode(name)).toHex().slice(0, 8);
  const room = MOST_NAME_BYTES - byteLength(`~${digest}${JOURNAL_SUFFIX}`);
  return join(dirname(path), `${beginning(name, room)}~${digest}${suffix}`);
}

/** As many whole characters of `text` as fit into `bytes`. */
function beginning(text: string, bytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(Math.max(0, bytes)));
  return text.slice(0, read);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
