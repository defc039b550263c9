/**
 * Manifests of large files, kept on the disk over restarts: one file an entry,
 * `<SHA-256 of the served file's path>`. A cache: whatever is wrong with it, an
 * entry or the folder, costs a hashing and is never an error.
 *
 * An entry is two lines: the SHA-256 of the second, and the second as JSON.
 */
import { join } from "@std/path";
import type { Clock } from "../../base/clock.ts";
import { sha256 } from "../../base/digest.ts";
import { encodeManifest, type Manifest, parseManifest } from "../../protocol/manifest.ts";
import { type FileVersion, isRacy } from "../files/file_version.ts";

/** Below this, hashing takes no longer than reading an entry would. */
const MIN_FILE_BYTES = 8 * 1024 * 1024;
/** What survives a pruning: so many entries, and so many bytes, which are the digests of 6 TiB. */
const MAX_CACHE = { entries: 4096, bytes: 256 * 1024 * 1024 };
/** Entries that are added before it is pruned again. */
const PRUNE_INTERVAL_ENTRIES = 512;
/** A manifest's 32,768 digests, in base64 and then in JSON, and a long name. */
const MAX_ENTRY_BYTES = 2 * 1024 * 1024;
/** A temporary file this old belongs to nobody any more. */
const STALE_MS = 3_600_000;

interface Entry {
  readonly path: string;
  /** When it was written, ms since 1970. */
  readonly at: number;
  readonly size: number;
}

export class DigestCache {
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #nonce: () => string;
  #added = 0;

  /** @param nonce names temporary files, so that two seeds with one cache do not meet. */
  constructor(cacheDir: string, clock: Clock, nonce: () => string) {
    this.#dir = join(cacheDir, "digests");
    this.#clock = clock;
    this.#nonce = nonce;
  }

  async find(
    path: string,
    version: FileVersion,
  ): Promise<Manifest | undefined> {
    if (version.size <= MIN_FILE_BYTES) return undefined;
    try {
      const entry = this.#entryOf(path);
      const { isFile, size } = await Deno.stat(entry);
      // Nothing of ours: it is not read, for it may have no end.
      if (!isFile || size > MAX_ENTRY_BYTES) return undefined;
      return manifestIn(await Deno.readTextFile(entry), path, version);
    } catch {
      return undefined;
    }
  }

  /** @param hashedAt when hashing began: what was written just before may still change unseen. */
  async keep(
    path: string,
    version: FileVersion,
    manifest: Manifest,
    hashedAt: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (version.size <= MIN_FILE_BYTES || isRacy(version, hashedAt)) return;
    await this.#write(path, version, manifest);
    if (++this.#added % PRUNE_INTERVAL_ENTRIES === 0) await this.prune(signal);
  }

  async #write(path: string, version: FileVersion, manifest: Manifest): Promise<void> {
    const entry = this.#entryOf(path);
    const temporary = `${entry}.${this.#nonce()}.tmp`;
    try {
      await Deno.mkdir(this.#dir, { recursive: true, mode: 0o700 });
      const text = entryText(path, version, manifest);
      await Deno.writeTextFile(temporary, text, { mode: 0o600 });
      await Deno.rename(temporary, entry);
    } catch {
      await Deno.remove(temporary).catch(() => {});
    }
  }

  /** Removes the oldest entries beyond the limit, and what a crash left. */
  async prune(signal: AbortSignal, most = MAX_CACHE): Promise<void> {
    const entries = await this.#entries(signal);
    const stale = entries.filter((entry) =>
      entry.path.endsWith(".tmp") && entry.at < this.#clock.wallTime() - STALE_MS
    );
    const kept = entries.filter((entry) => !entry.path.endsWith(".tmp"));
    kept.sort((a, b) => b.at - a.at);
    let bytes = 0;
    const beyond = kept.filter(({ size }, i) => i >= most.entries || (bytes += size) > most.bytes);
    for (const { path } of [...stale, ...beyond]) {
      signal.throwIfAborted();
      await Deno.remove(path).catch(() => {});
    }
  }

  async #entries(
    signal: AbortSignal,
  ): Promise<Entry[]> {
    const entries: Entry[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#dir)) {
        signal.throwIfAborted();
        const path = join(this.#dir, name);
        const facts = await Deno.lstat(path).catch(() => undefined);
        if (facts?.isFile) {
          entries.push({ path, at: facts.mtime?.getTime() ?? 0, size: facts.size });
        }
      }
    } catch {
      // No cache yet, or none that we may read.
    }
    return entries;
  }

  #entryOf(path: string): string {
    return join(this.#dir, sha256(new TextEncoder().encode(path)).toHex());
  }
}

function entryText(
  path: string,
  { id }: FileVersion,
  manifest: Manifest,
): string {
  const line = JSON.stringify({
    path,
    version: id,
    manifest: encodeManifest(path, manifest),
  });
  return `${checkOf(line)}\n${line}\n`;
}

function checkOf(line: string): string {
  return sha256(new TextEncoder().encode(line)).toHex();
}

/** @throws if the text is no entry. */
function manifestIn(
  text: string,
  path: string,
  version: FileVersion,
): Manifest | undefined {
  const [check, line = ""] = text.split("\n");
  if (check !== checkOf(line)) return undefined;
  const entry: unknown = JSON.parse(line);
  const fields = Object(entry) as Record<string, unknown>;
  if (fields["path"] !== path || fields["version"] !== version.id) {
    return undefined;
  }
  const manifest = parseManifest(String(fields["manifest"]));
  return manifest.layout.size === version.size ? manifest : undefined;
}
