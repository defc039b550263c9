/**
 * What is at a target already is settled by content, never by asking and never by
 * replacing unless told to.
 */
import { existsSync } from "node:fs";
import { basename, dirname, extname, join } from "@std/path";
import type { ConflictPolicy } from "../base/policies.ts";
import { sha256 } from "../base/digest.ts";
import { ConflictError } from "../base/errors.ts";
import type { Manifest } from "../protocol/manifest.ts";
import { type Disk, realDisk, statIfExists } from "./disk.ts";
import { withDiskErrorsAsync } from "./disk_errors.ts";
import { type HashingOptions, holds, sha256OfFile } from "./hashing.ts";

export const PART_SUFFIX = ".p2p-part";
export const JOURNAL_SUFFIX = ".p2p-journal";
/** What the common file systems take for one name. */
export const MAX_NAME_BYTES = 255;

/** How to go on where another file has the name. */
export const CONFLICT_HINT = "Choose what to do with --on-conflict rename, skip or overwrite";

/** What identifies the bytes that are to be there: a manifest, or only the digest of the whole. */
export type Bytes =
  | { readonly manifest: Manifest }
  | { readonly sha256: string };

export type ConflictResolution =
  /** Nothing is at `path`. */
  | { readonly kind: "free"; readonly path: string }
  /** The very bytes are at `path` already. */
  | { readonly kind: "same"; readonly path: string }
  /** Other bytes are there, and shall stay. */
  | { readonly kind: "skip"; readonly path: string }
  /** Other bytes are there, and shall go when the new ones are whole. */
  | { readonly kind: "replace"; readonly path: string };

/**
 * Whether nothing is at `path`, as far as can be seen without following up: a
 * link to nothing looks so, too. It costs half of what `lookAt` does to learn that.
 */
export function isFree(path: string): boolean {
  return !existsSync(path);
}

/** Whether a file of `size` bytes is at `path`. */
export function hasSize(path: string, size: number, disk: Disk = realDisk): boolean {
  const there = statIfExists(path, disk);
  return there?.isFile === true && there.size === size;
}

/** What to do about `path`, given what is there. @throws {ConflictError} */
export async function resolveConflict(
  path: string,
  bytes: Bytes,
  policy: ConflictPolicy,
  signal: AbortSignal,
  options: HashingOptions = {},
): Promise<ConflictResolution> {
  const there = statIfExists(path, options.disk);
  if (there === undefined) return { kind: "free", path };
  if (there.isFile && await isSame(path, bytes, signal, options)) return { kind: "same", path };
  if (there.isDirectory) throw new ConflictError(`Cannot write "${path}": it is a folder`);
  switch (policy) {
    case "skip":
      return { kind: "skip", path };
    case "overwrite":
      return { kind: "replace", path };
    case "fail":
      throw new ConflictError(`Cannot write "${path}": it exists with different content`, {
        hint: CONFLICT_HINT,
      });
    case "rename":
      // The name says the content, so it is the same on every machine.
      return await resolveConflict(renamed(path, bytes), bytes, "fail", signal, options);
  }
}

async function isSame(
  path: string,
  bytes: Bytes,
  signal: AbortSignal,
  options: HashingOptions,
): Promise<boolean> {
  return await withDiskErrorsAsync(
    `read "${path}"`,
    async () =>
      "manifest" in bytes
        ? await holds(path, bytes.manifest, signal, options)
        : await sha256OfFile(path, signal, options) === bytes.sha256,
  );
}

/** "a/b.tar" with content 12345678… → "a/b~12345678.tar" */
function renamed(path: string, bytes: Bytes): string {
  const content = "manifest" in bytes ? bytes.manifest.id : bytes.sha256;
  const mark = `~${content.slice(0, 8)}`;
  const extension = extname(path);
  const room = MAX_NAME_BYTES - byteLength(mark + extension);
  const stem = beginning(basename(path, extension), room);
  return join(dirname(path), `${stem}${mark}${extension}`);
}

/** The unfinished file beside `path`, or with `JOURNAL_SUFFIX` its journal. */
export function besideTarget(path: string, suffix: string): string {
  const name = basename(path);
  if (byteLength(name + JOURNAL_SUFFIX) <= MAX_NAME_BYTES) return path + suffix;
  // Too long with the suffix: the beginning of the name, and a digest of all of it.
  const digest = sha256(new TextEncoder().encode(name)).toHex().slice(0, 8);
  const room = MAX_NAME_BYTES - byteLength(`~${digest}${JOURNAL_SUFFIX}`);
  return join(dirname(path), `${beginning(name, room)}~${digest}${suffix}`);
}

/** As many whole characters of `text` as fit into `bytes`. */
export function beginning(text: string, bytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(Math.max(0, bytes)));
  return text.slice(0, read);
}

export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
