/**
 * Which version of a file each client knows: the one that its last manifest was
 * made of. By address, for a client asks for the manifest on one connection and
 * for bytes on others; not for all clients together, or one that asks for the
 * new manifest would make another, which knows the old one, get bytes of both.
 */
import { LruCache } from "../../base/lru_cache.ts";

/** A few clients that walk through thousands of files. Who is forgotten gets the file as it is, and checks it. */
const MAX_VERSIONS = 8192;

export class SentVersions {
  readonly #versions: LruCache<string, string>;

  /** @param max how many are kept, of all clients and names together. */
  constructor(max = MAX_VERSIONS) {
    this.#versions = new LruCache({ maxSize: max });
  }

  remember(client: string, name: string, version: string): void {
    this.#versions.set(keyOf(client, name), version);
  }

  /** undefined if it was told of none, or too long ago. */
  of(client: string, name: string): string | undefined {
    return this.#versions.get(keyOf(client, name));
  }
}

function keyOf(client: string, name: string): string {
  // Neither an address nor a name holds a line end.
  return `${client}\n${name}`;
}
