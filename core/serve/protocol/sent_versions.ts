/**
 * Which version of a file each client knows: the one that its last manifest was
 * made of. By address, for a client asks for the manifest on one connection and
 * for bytes on others; not for all clients together, or one that asks for the
 * new manifest would make another, which knows the old one, get bytes of both.
 */

/** A few clients that walk through thousands of files. Who is forgotten gets the file as it is, and checks it. */
const MAX_VERSIONS = 8192;

export class SentVersions {
  readonly #most: number;
  /** The one told longest ago first. */
  readonly #versions = new Map<string, string>();

  /** @param most how many are remembered, of all clients and names together. */
  constructor(most = MAX_VERSIONS) {
    this.#most = most;
  }

  remember(client: string, name: string, version: string): void {
    const key = keyOf(client, name);
    this.#versions.delete(key);
    this.#versions.set(key, version);
    if (this.#versions.size <= this.#most) return;
    for (const [oldest] of this.#versions) return void this.#versions.delete(oldest);
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
