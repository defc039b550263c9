/**
 * The bytes of one page for every host: encoded once, and shared by all responses. Encoding takes
 * longer than sending, so a client that requests a page again and again must not repeat it. Pure.
 */
import { Buffer } from "node:buffer";

export class PageBytes {
  /** What stands before, between and behind the hosts. */
  readonly #parts: readonly Uint8Array[];
  /** The page with the host of the last request: nearly all clients know the seed by one. */
  #last: { readonly host: string; readonly bytes: Uint8Array } | undefined;

  /** @param placeholder stands for the host in `text`. */
  constructor(text: string, placeholder: string | undefined) {
    // One call for the whole text: for each part it would take longer.
    const encoded = new TextEncoder().encode(text);
    const all = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
    const mark = Buffer.from(placeholder ?? "");
    const parts: Uint8Array[] = [];
    let start = 0;
    for (let at = nextAt(all, mark, 0); at >= 0; at = nextAt(all, mark, start)) {
      parts.push(all.subarray(start, at));
      start = at + mark.length;
    }
    parts.push(all.subarray(start));
    this.#parts = parts;
  }

  /** The page for clients that know the seed as `host`; the bytes are shared and must stay as they are. */
  withHost(host = ""): Uint8Array {
    if (this.#last?.host !== host) this.#last = { host, bytes: this.#join(host) };
    return this.#last.bytes;
  }

  /** Copies bytes alone, so that requests with ever other hosts cost little more. */
  #join(host: string): Uint8Array {
    if (this.#parts.length === 1) return this.#parts[0]!;
    const middle = new TextEncoder().encode(host);
    const length = this.#parts.reduce((sum, part) => sum + part.length, 0);
    const bytes = new Uint8Array(length + (this.#parts.length - 1) * middle.length);
    let at = 0;
    for (const [i, part] of this.#parts.entries()) {
      if (i > 0) {
        bytes.set(middle, at);
        at += middle.length;
      }
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

/** -1 if it is not there. */
function nextAt(bytes: Buffer, mark: Buffer, from: number): number {
  return mark.length === 0 ? -1 : bytes.indexOf(mark, from);
}
