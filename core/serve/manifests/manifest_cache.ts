/** Manifests in memory, by path, for one version of each file; the longest unused go when there are too many. */
import type { Manifest } from "../../protocol/manifest.ts";
import { type FileVersion, isRacy } from "../files/file_version.ts";

interface Known {
  readonly version: string;
  readonly manifest: Manifest;
}

/** Of digests and what is around them: those of 1 TiB. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Of an entry, besides its digests; a guess. */
const ENTRY_BYTES = 512;
/** Above this, hashing again is worse than the small risk of a change that left no trace. */
const CHEAP_BYTES = 8 * 1024 * 1024;

export class ManifestCache {
  readonly #byPath = new Map<string, Known>();
  #bytes = 0;

  find(path: string, version: FileVersion): Manifest | undefined {
    const known = this.#byPath.get(path);
    if (known?.version !== version.id) return undefined;
    this.#byPath.delete(path);
    this.#byPath.set(path, known);
    return known.manifest;
  }

  /** @param hashedAt when hashing began. */
  keep(
    path: string,
    version: FileVersion,
    manifest: Manifest,
    hashedAt: number,
  ): void {
    this.#remove(path);
    const racy = isRacy(version, hashedAt);
    if (racy && version.size <= CHEAP_BYTES) return;
    this.#byPath.set(path, { version: version.id, manifest });
    this.#bytes += weightOf(manifest);
    for (const [oldest] of this.#byPath) {
      if (this.#bytes <= MAX_BYTES) break;
      this.#remove(oldest);
    }
  }

  #remove(path: string): void {
    const known = this.#byPath.get(path);
    if (!known) return;
    this.#byPath.delete(path);
    this.#bytes -= weightOf(known.manifest);
  }
}

function weightOf(manifest: Manifest): number {
  return ENTRY_BYTES + manifest.digests.length;
}
