/**
 * Where a download ends up: a name becomes a path below the chosen folder, and
 * what is there already is settled by content, never by asking and never by
 * replacing unless told to.
 */
import { basename, dirname, extname, join } from "@std/path";
import type { ConflictPolicy } from "../base/policies.ts";
import { sha256 } from "../base/digest.ts";
import { ConflictError } from "../base/errors.ts";
import type { Manifest } from "../wire/manifest.ts";
import { onDisk } from "./disk_faults.ts";
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
export async function prepareTarget(outDir: string, name: string): Promise<string> {
  await onDisk(`make folder "${outDir}"`, () => Deno.mkdir(outDir, { recursive: true }));
  const root = await onDisk(`open folder "${outDir}"`, () => Deno.realPath(outDir));
  let folder = root;
  for (const part of name.split("/").slice(0, -1)) {
    folder = join(folder, part);
    await makeFolder(folder);
    const real = await onDisk(`open folder "${folder}"`, () => Deno.realPath(folder));
    if (real !== folder && !real.startsWith(join(root, "/"))) {
      throw new ConflictError(
        `Cannot write below "${folder}": it is a link that leads out of "${outDir}"`,
      );
    }
  }
  return join(folder, basename(name));
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists && (await Deno.stat(folder)).isDirectory) return;
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new ConflictError(`Cannot make folder "${folder}": there is a file of that name`);
    }
    await onDisk(`make folder "${folder}"`, () => Promise.reject(error));
  }
}

/** What to do about `path`, given what is there. @throws {ConflictError} */
export async function settle(
  path: string,
  bytes: Bytes,
  policy: ConflictPolicy,
  signal: AbortSignal,
): Promise<Settlement> {
  const there = await lookAt(path);
  if (there === undefined) return { kind: "free", path };
  if (there.isFile && await isSame(path, bytes, signal)) return { kind: "same", path };
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
      return await settle(renamed(path, bytes), bytes, "fail", signal);
  }
}

/** What is at `path` itself, a link not followed; undefined for nothing. */
export async function lookAt(path: string): Promise<Deno.FileInfo | undefined> {
  return await onDisk(`look at "${path}"`, async () => {
    try {
      return await Deno.lstat(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  });
}

async function isSame(path: string, bytes: Bytes, signal: AbortSignal): Promise<boolean> {
  return await onDisk(
    `read "${path}"`,
    async () =>
      "manifest" in bytes
        ? await holds(path, bytes.manifest, signal)
        : await hashFile(path, signal) === bytes.sha256,
  );
}

/** "a/b.tar" with content 12345678… → "a/b~12345678.tar" */
function renamed(path: string, bytes: Bytes): string {
  const content = "manifest" in bytes ? bytes.manifest.id : bytes.sha256;
  const extension = extname(path);
  const stem = basename(path, extension);
  return join(dirname(path), `${stem}~${content.slice(0, 8)}${extension}`);
}

/** The unfinished file beside `path`, or with `JOURNAL_SUFFIX` its journal. */
export function besideTarget(path: string, suffix: string): string {
  const name = basename(path);
  if (byteLength(name + JOURNAL_SUFFIX) <= MOST_NAME_BYTES) return path + suffix;
  // Too long with the suffix: the beginning of the name, and a digest of all of it.
  const digest = sha256(new TextEncoder().encode(name)).toHex().slice(0, 8);
  let short = name;
  while (byteLength(`${short}~${digest}${JOURNAL_SUFFIX}`) > MOST_NAME_BYTES) {
    short = Array.from(short).slice(0, -1).join("");
  }
  return join(dirname(path), `${short}~${digest}${suffix}`);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
