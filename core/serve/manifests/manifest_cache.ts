/** Manifests in memory, one for each file, and their encoded bodies while these are sent. */
import { LruCache } from "../../base/lru_cache.ts";
import { encodeManifest, type Manifest } from "../../protocol/manifest.ts";
import { isRacy } from "../files/file_version.ts";
import type { Located } from "../files/open_file.ts";

/** The digests of 1 TiB. */
const MAX_CACHE_BYTES = 32 * 1024 * 1024;
/** An estimate of an entry's size without its digests and names. */
const ENTRY_BYTES = 512;
/** Above this, hashing again is worse than the small risk of a change that left no trace. */
const MAX_CHEAP_BYTES = 8 * 1024 * 1024;

interface Entry {
  readonly file: Located;
  readonly manifest: Manifest;
  /** The file could have changed right after it was hashed without becoming another version. */
  readonly racy: boolean;
}

export class ManifestCache {
  readonly #byPath = new LruCache<string, Entry>({
    maxSize: MAX_CACHE_BYTES,
    sizeOf: ({ file, manifest }) =>
      ENTRY_BYTES + manifest.digests.length + file.name.length + file.path.length,
    onRemove: (entry) => this.#forgetId(entry),
  });
  /** Files with the same content have the same id. */
  readonly #byId = new Map<string, Set<Entry>>();

  find({ path, version }: Located): Manifest | undefined {
    const entry = this.#byPath.get(path);
    return entry?.file.version.id === version.id && !entry.racy ? entry.manifest : undefined;
  }

  /** The manifest of the file at `path` if it has the size and time of `listed`, as a listing shows them. */
  findListed(
    path: string,
    listed: { readonly size: number; readonly modified: number },
  ): Manifest | undefined {
    const entry = this.#byPath.get(path);
    if (!entry || entry.racy) return undefined;
    const { size, modifiedMs } = entry.file.version;
    return size === listed.size && modifiedMs === listed.modified ? entry.manifest : undefined;
  }

  /** A file whose content has this id; forgets those that are not current any more. */
  fileOf(id: string, isCurrent: (file: Located) => boolean): Located | undefined {
    for (const { file } of this.#byId.get(id) ?? []) {
      if (isCurrent(file)) return this.#byPath.get(file.path)?.file;
      this.#byPath.delete(file.path);
    }
    return undefined;
  }

  /** @param hashedAt when hashing began, in milliseconds since 1970. */
  keep({ name, path, version }: Located, manifest: Manifest, hashedAt: number): void {
    const racy = version.size <= MAX_CHEAP_BYTES && isRacy(version, hashedAt);
    const entry = { file: { name, path, version }, manifest, racy };
    const entries = this.#byId.get(manifest.id) ?? new Set();
    this.#byId.set(manifest.id, entries.add(entry));
    this.#byPath.set(path, entry);
  }

  #forgetId(entry: Entry): void {
    const { id } = entry.manifest;
    const entries = this.#byId.get(id);
    entries?.delete(entry);
    if (entries?.size === 0) this.#byId.delete(id);
  }
}

/** By name, of which a file has as many as there are links to it. */
const bodies = new WeakMap<Manifest, Map<string, WeakRef<Uint8Array>>>();

/** Encoding a manifest of at most this many bytes of digests costs less than sharing it. */
const MAX_UNSHARED_BYTES = 32 * 32;

/**
 * A manifest as it is sent; it must not be changed. All clients share one body,
 * which is 1.4 MB for a large file: otherwise clients that request it and do not
 * read would hold as many as there are connections.
 */
export function manifestBody(name: string, manifest: Manifest): Uint8Array {
  if (manifest.digests.length <= MAX_UNSHARED_BYTES) return encode(name, manifest);
  const byName = bodies.get(manifest) ?? new Map<string, WeakRef<Uint8Array>>();
  const shared = byName.get(name)?.deref();
  if (shared) return shared;
  const body = encode(name, manifest);
  bodies.set(manifest, byName.set(name, new WeakRef(body)));
  return body;
}

function encode(name: string, manifest: Manifest): Uint8Array {
  return new TextEncoder().encode(encodeManifest(name, manifest));
}
