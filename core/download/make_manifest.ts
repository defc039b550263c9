/** Writes the manifest files of local files, so that any web server becomes a verified source. */
import { basename } from "@std/path";
import { DiskError, P2pError, plainReasonOf, ProtocolError, UsageError } from "../base/errors.ts";
import { invalidNameReason } from "../base/names.ts";
import { parseWebUrl, withoutSecrets } from "../base/source_address.ts";
import { writeFileAtomicSync } from "../base/write_file_atomic.ts";
import { hashFile, type ReadAt } from "../hash/hash_file.ts";
import type { Hasher } from "../hash/pool.ts";
import { makeManifest } from "../protocol/manifest.ts";
import {
  encodeManifestFile,
  MANIFEST_FILE_SUFFIX,
  MAX_MANIFEST_URLS,
} from "../protocol/manifest_file.ts";
import type { VerifyProgress } from "./verify.ts";

/** A manifest file that was written. */
export interface WrittenManifest {
  /** Of the file that it describes. */
  readonly file: string;
  /** Of the manifest file. */
  readonly path: string;
  /** The file's name in the manifest. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Identifies the content. */
  readonly id: string;
  /** Of the whole file, hex. */
  readonly sha256: string;
  /** Where the file is served. */
  readonly urls: readonly string[];
}

/** Anyone who may read the file may read its digests. */
const FILE_MODE = 0o644;

/**
 * Writes `<file>.p2p` beside a file; one that is there is replaced.
 *
 * @param urls where the file is served: its own URL, or one that ends with a slash, to which its name
 * is appended.
 * @throws {UsageError} @throws {DiskError} if it cannot be read or written, or changes meanwhile.
 */
export async function writeManifest(
  path: string,
  urls: readonly string[],
  hasher: Hasher,
  progress: VerifyProgress,
  signal: AbortSignal,
): Promise<WrittenManifest> {
  const name = basename(path);
  const reason = invalidNameReason(name);
  if (reason !== undefined) throw new UsageError(`Cannot name "${name}" in a manifest: ${reason}`);
  const served = urlsFor(name, urls);
  try {
    using file = await Deno.open(path);
    const before = await file.stat();
    if (!before.isFile) throw new UsageError(`Cannot describe "${path}": it is not a file`);
    const { size } = before;
    const options = { hasher, signal, onProgress: (done: number) => progress(path, done, size) };
    const { sha256, pieces } = await hashFile(readerOf(file), size, options);
    const after = await file.stat();
    if (after.size !== size || after.mtime?.getTime() !== before.mtime?.getTime()) {
      throw new DiskError(`Cannot describe "${path}": it changed while it was read`);
    }
    const manifest = makeManifest(size, sha256, pieces);
    const target = path + MANIFEST_FILE_SUFFIX;
    writeFileAtomicSync(target, encodeManifestFile({ name, manifest, urls: served }), FILE_MODE);
    return { file: path, path: target, name, size, id: manifest.id, sha256, urls: served };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof P2pError) throw error;
    throw new DiskError(`Cannot describe "${path}": ${plainReasonOf(error)}`, {
      problem: "disk-access",
    });
  }
}

function readerOf(file: Deno.FsFile): ReadAt {
  return async (into, position) => {
    await file.seek(position, Deno.SeekMode.Start);
    let at = 0;
    while (at < into.length) {
      const count = await file.read(into.subarray(at));
      if (count === null) break;
      at += count;
    }
    if (at < into.length) throw new DiskError("it became shorter while it was read");
    return at;
  };
}

function urlsFor(name: string, urls: readonly string[]): string[] {
  if (urls.length > MAX_MANIFEST_URLS) {
    throw new ProtocolError(`A manifest names at most ${MAX_MANIFEST_URLS} addresses`);
  }
  return urls.map((text) => {
    const url = parseWebUrl(text);
    if (url === undefined || url.hash !== "") {
      throw new UsageError(`Cannot use "${withoutSecrets(text)}": it is no URL of a web server`, {
        problem: "link",
      });
    }
    if (url.username !== "" || url.password !== "") {
      throw new UsageError("Cannot write a password into a manifest, which others read", {
        problem: "link",
      });
    }
    if (url.pathname.endsWith("/")) url.pathname += encodeURIComponent(name);
    return url.href;
  });
}
