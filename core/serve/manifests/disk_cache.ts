/**
 * Manifests of large files on the disk, kept over restarts: one file for each
 * entry, named by the SHA-256 of the served file's path. Whatever is wrong with an
 * entry or the folder costs hashing the file again and is never an error.
 *
 * An entry is two lines: the SHA-256 of the second, and the second as JSON.
 */
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { sha256 } from "../../base/digest.ts";
import { writeFileAtomicSync } from "../../base/write_file_atomic.ts";
import { encodeManifest, type Manifest, parseManifest } from "../../protocol/manifest.ts";
import { isRacy } from "../files/file_version.ts";
import type { Located } from "../files/open_file.ts";

/** Below this, hashing takes no longer than reading an entry would. */
const MIN_FILE_BYTES = 8 * 1024 * 1024;
/** What pruning leaves; the bytes are the digests of 6 TiB. */
const MAX_CACHE = { entries: 4096, bytes: 256 * 1024 * 1024 };
/** Entries that are added before the cache is pruned again. */
const PRUNE_INTERVAL_ENTRIES = 512;
/** The 32,768 digests of a manifest, in base64 within JSON, and a long name. */
const MAX_ENTRY_BYTES = 2 * 1024 * 1024;
/** A temporary file of this age was left by a crash. */
const STALE_MS = 3_600_000;

type HashedFile = Pick<Located, "path" | "version">;

export class DiskCache {
  readonly #dir: string;
  readonly #clock: Clock;
  #added = 0;

  constructor(cacheDir: string, clock: Clock) {
    this.#dir = join(cacheDir, "digests");
    this.#clock = clock;
  }

  async find(file: HashedFile): Promise<Manifest | undefined> {
    if (file.version.size <= MIN_FILE_BYTES) return undefined;
    try {
      const entry = this.#entryOf(file.path);
      const { isFile, size } = await Deno.stat(entry);
      // Anything else was not written by p2p and may have no end.
      if (!isFile || size > MAX_ENTRY_BYTES) return undefined;
      return decodeEntry(await Deno.readTextFile(entry), file);
    } catch {
      return undefined;
    }
  }

  /** @param hashedAt when hashing began, in milliseconds since 1970: a file written just before may have changed without a trace. */
  async keep(
    file: HashedFile,
    manifest: Manifest,
    hashedAt: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (file.version.size <= MIN_FILE_BYTES || isRacy(file.version, hashedAt)) return;
    try {
      await Deno.mkdir(this.#dir, { recursive: true, mode: 0o700 });
      writeFileAtomicSync(this.#entryOf(file.path), encodeEntry(file, manifest));
    } catch {
      // The file is hashed again next time.
    }
    if (++this.#added % PRUNE_INTERVAL_ENTRIES === 0) await this.prune(signal);
  }

  /** Removes the oldest entries beyond the limit, and what a crash left. */
  async prune(signal: AbortSignal, max = MAX_CACHE): Promise<void> {
    const staleBefore = this.#clock.wallTime() - STALE_MS;
    const files = await this.#files(signal);
    let entries = 0;
    let bytes = 0;
    for (const { path, size, modified } of files.sort((a, b) => b.modified - a.modified)) {
      signal.throwIfAborted();
      const remove = path.endsWith(".tmp")
        ? modified < staleBefore
        : ++entries > max.entries || (bytes += size) > max.bytes;
      if (remove) await Deno.remove(path).catch(() => {});
    }
  }

  async #files(signal: AbortSignal) {
    const files: { path: string; size: number; modified: number }[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#dir)) {
        signal.throwIfAborted();
        const path = join(this.#dir, name);
        const stat = await Deno.lstat(path).catch(() => undefined);
        if (!stat?.isFile) continue;
        files.push({ path, size: stat.size, modified: stat.mtime?.getTime() ?? 0 });
      }
    } catch {
      // There is no cache yet, or it cannot be read.
    }
    return files;
  }

  #entryOf(path: string): string {
    return join(this.#dir, sha256OfText(path));
  }
}

function encodeEntry({ path, version }: HashedFile, manifest: Manifest): string {
  const line = JSON.stringify({
    path,
    version: version.id,
    manifest: encodeManifest(path, manifest),
  });
  return `${sha256OfText(line)}\n${line}\n`;
}

/** The manifest in an entry, if it is of this version of the file. @throws if the text is no entry. */
function decodeEntry(text: string, { path, version }: HashedFile): Manifest | undefined {
  const [check, line = ""] = text.split("\n");
  if (check !== sha256OfText(line)) return undefined;
  const entry = Object(JSON.parse(line)) as Record<string, unknown>;
  if (entry["path"] !== path || entry["version"] !== version.id) return undefined;
  const manifest = parseManifest(String(entry["manifest"]));
  return manifest.layout.size === version.size ? manifest : undefined;
}

function sha256OfText(text: string): string {
  return sha256(new TextEncoder().encode(text)).toHex();
}
