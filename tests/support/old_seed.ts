/**
 * A seed that knows the original protocol only, after the section "One-shot" of
 * the protocol: one request a connection, chunks of 32 bytes, no manifests, no
 * sessions. To what it does not know it answers by closing.
 */

/**
 * How it finds the end of a request that has no line end:
 * - `reads-once`: it takes what the first read brings, and answers at once.
 * - `waits`: it reads until a line end, the end of the stream, or 200 ms of silence.
 * - `half-close-is-goodbye`: it takes the first read too, but a client that ends
 *   its side meanwhile has left, and gets nothing.
 */
export type OldSeedKind = "reads-once" | "waits" | "half-close-is-goodbye";

export const OLD_SEED_KINDS: readonly OldSeedKind[] = [
  "reads-once",
  "waits",
  "half-close-is-goodbye",
];

export interface OldSeedOptions {
  readonly kind?: OldSeedKind;
  readonly chunkBytes?: number;
}

/** After so much silence a request without a line end is complete. */
const SILENCE_MS = 200;
/** How long the third kind takes to look its answer up, which is when it sees a client leave. */
const LOOK_UP_MS = 5;

export class OldSeed implements AsyncDisposable {
  readonly address: string;
  /** Every request that came, in order. */
  readonly requests: string[] = [];
  readonly #files: Readonly<Record<string, Uint8Array>>;
  readonly #kind: OldSeedKind;
  readonly #chunkBytes: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #clients = new Map<Deno.TcpConn, Promise<void>>();
  readonly #accepting: Promise<void>;

  constructor(
    files: Readonly<Record<string, Uint8Array>>,
    { kind = "reads-once", chunkBytes = 32 }: OldSeedOptions = {},
  ) {
    this.#files = files;
    this.#kind = kind;
    this.#chunkBytes = chunkBytes;
    this.address = `127.0.0.1:${this.#listener.addr.port}`;
    this.#accepting = this.#accept();
  }

  /** Every request that begins so. */
  asked(verb: "LIST" | "FILESIZE" | "DOWNLOAD" | "HELLO"): string[] {
    return this.requests.filter((request) => request.startsWith(verb));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#clients.keys()) close(conn);
    await Promise.all([this.#accepting, ...this.#clients.values()]);
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      this.#clients.set(conn, this.#serve(conn).finally(() => this.#clients.delete(conn)));
    }
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    try {
      const request = this.#kind === "waits" ? await readAll(conn) : await readOnce(conn);
      this.requests.push(request);
      if (this.#kind === "half-close-is-goodbye" && await leavesWithin(conn, LOOK_UP_MS)) return;
      const reply = this.#replyTo(request);
      for (let at = 0; at < reply.length;) at += await conn.write(reply.subarray(at));
    } catch {
      // A client that goes away is nothing to an old seed.
    } finally {
      close(conn);
    }
  }

  #replyTo(request: string): Uint8Array {
    const [, verb, rest = ""] = request.match(/^(LIST|FILESIZE|DOWNLOAD)(?: (.*))?$/s) ?? [];
    switch (verb) {
      case "LIST":
        return utf8(Object.keys(this.#files).sort().map((name) => `${name}\n`).join(""));
      case "FILESIZE": {
        const bytes = this.#files[rest];
        return utf8(bytes ? `SIZE:${bytes.length}\n` : "ERROR:NOT_FOUND no such file\n");
      }
      case "DOWNLOAD": {
        const cut = rest.lastIndexOf("|");
        const offset = Number(rest.slice(cut + 1));
        const bytes = this.#files[rest.slice(0, cut)] ?? new Uint8Array();
        return bytes.subarray(offset, offset + this.#chunkBytes);
      }
      default:
        return new Uint8Array();
    }
  }
}

async function readOnce(conn: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(8192);
  const count = await conn.read(buffer) ?? 0;
  return withoutLineEnd(new TextDecoder().decode(buffer.subarray(0, count)));
}

async function readAll(conn: Deno.TcpConn): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  while (!text.includes("\n")) {
    const bytes = await readWithin(conn, SILENCE_MS);
    if (bytes === "silence" || bytes === null) break;
    text += decoder.decode(bytes, { stream: true });
  }
  return withoutLineEnd(text);
}

/** Whether the client ends its side within so long. */
async function leavesWithin(conn: Deno.TcpConn, ms: number): Promise<boolean> {
  return await readWithin(conn, ms) === null;
}

/** What the next read brings; the read that is too late ends when the connection is closed. */
async function readWithin(
  conn: Deno.TcpConn,
  ms: number,
): Promise<Uint8Array | null | "silence"> {
  const buffer = new Uint8Array(8192);
  const silence = Promise.withResolvers<"silence">();
  const timer = setTimeout(silence.resolve, ms, "silence");
  const reading = conn.read(buffer).then((count) => count === null ? null : count);
  reading.catch(() => {});
  const count = await Promise.race([reading, silence.promise]);
  clearTimeout(timer);
  return typeof count === "number" ? buffer.subarray(0, count) : count;
}

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n[^]*$/, "");
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // Closed by the other of the two who may.
  }
}
