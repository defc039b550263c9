/** A web server that does what real ones do wrong: every reply is made by hand, byte by byte. */
export interface FaultRequest {
  readonly method: string;
  /** With the query. */
  readonly target: string;
  /** Names in lowercase. */
  readonly headers: ReadonlyMap<string, string>;
  /** The first and the last byte that `Range` asks for. */
  readonly range: readonly [first: number, last: number] | undefined;
}

export interface FaultReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** The connection is cut after this many bytes of the body. */
  readonly cutAfter?: number;
  /** No more comes after this many bytes of the body, until the server is closed. */
  readonly stallAfter?: number;
  /** In chunks of 1,000 bytes, without a length. */
  readonly chunked?: boolean;
  /** `Content-Length`, if it is not that of the body; null for none, so that the body ends with the connection. */
  readonly length?: number | null;
}

export type FaultHandler = (request: FaultRequest) => FaultReply | Promise<FaultReply>;

const CHUNK_BYTES = 1000;

export class FaultServer implements AsyncDisposable {
  readonly requests: FaultRequest[] = [];
  handler: FaultHandler;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Map<Deno.Conn, Promise<void>>();
  readonly #accepting: Promise<void>;

  constructor(handler: FaultHandler) {
    this.handler = handler;
    this.#accepting = this.#accept();
  }

  /** `http://127.0.0.1:<port>/`, or another name of this computer. */
  url(path = "/", host = "127.0.0.1"): string {
    return `http://${host}:${(this.#listener.addr as Deno.NetAddr).port}${path}`;
  }

  /** Open connections. */
  get open(): number {
    return this.#connections.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#connections.keys()) closeQuietly(conn);
    await this.#accepting;
    await Promise.all(this.#connections.values());
  }

  async #accept(): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        const serving = this.#serve(conn).catch(() => {}).finally(() => {
          this.#connections.delete(conn);
          closeQuietly(conn);
        });
        this.#connections.set(conn, serving);
      }
    } catch {
      // Closed.
    }
  }

  async #serve(conn: Deno.Conn): Promise<void> {
    let buffered: Uint8Array = new Uint8Array();
    for (;;) {
      let end = indexOfEnd(buffered);
      while (end < 0) {
        const part = new Uint8Array(4096);
        const count = await conn.read(part);
        if (count === null) return;
        buffered = concat([buffered, part.subarray(0, count)]);
        end = indexOfEnd(buffered);
      }
      const request = parse(new TextDecoder().decode(buffered.subarray(0, end)));
      buffered = buffered.subarray(end + 4);
      this.requests.push(request);
      if (!await send(conn, await this.handler(request))) return;
    }
  }
}

/** @returns whether the connection may be used again. */
async function send(conn: Deno.Conn, reply: FaultReply): Promise<boolean> {
  const { status, headers = {}, body = new Uint8Array(), cutAfter, stallAfter, chunked } = reply;
  const length = reply.length === undefined ? body.length : reply.length;
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const framing = chunked
    ? "Transfer-Encoding: chunked\r\n"
    : length === null
    ? "Connection: close\r\n"
    : `Content-Length: ${length}\r\n`;
  await write(conn, new TextEncoder().encode(`HTTP/1.1 ${status} X\r\n${fields}${framing}\r\n`));
  const sent = body.subarray(0, cutAfter ?? stallAfter ?? body.length);
  await write(conn, chunked ? chunks(sent, cutAfter === undefined) : sent);
  // Until the client gives up, or the server is closed.
  if (stallAfter !== undefined) { while (await conn.read(new Uint8Array(1)) !== null); }
  return cutAfter === undefined && stallAfter === undefined && length === body.length;
}

function chunks(body: Uint8Array, complete: boolean): Uint8Array {
  const parts: Uint8Array[] = [];
  const text = new TextEncoder();
  for (let at = 0; at < body.length; at += CHUNK_BYTES) {
    const part = body.subarray(at, at + CHUNK_BYTES);
    parts.push(text.encode(`${part.length.toString(16)}\r\n`), part, text.encode("\r\n"));
  }
  if (complete) parts.push(text.encode("0\r\n\r\n"));
  return concat(parts);
}

async function write(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

function parse(head: string): FaultRequest {
  const [line = "", ...fields] = head.split("\r\n");
  const [method = "", target = ""] = line.split(" ");
  const headers = new Map(fields.map((field) => {
    const at = field.indexOf(":");
    return [field.slice(0, at).toLowerCase(), field.slice(at + 1).trim()] as const;
  }));
  const [, first, last] = headers.get("range")?.match(/^bytes=(\d+)-(\d+)$/) ?? [];
  const range = first === undefined ? undefined : [Number(first), Number(last)] as const;
  return { method, target, headers, range };
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function indexOfEnd(bytes: Uint8Array): number {
  for (let at = 0; at + 3 < bytes.length; at++) {
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) {
      return at;
    }
  }
  return -1;
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // Closed before.
  }
}

/** What a correct server answers for a file. */
export function fileReply(
  { range }: Pick<FaultRequest, "range">,
  file: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): FaultReply {
  if (range === undefined) return { status: 200, headers, body: file };
  const [first, last] = range;
  if (first >= file.length) {
    return { status: 416, headers: { ...headers, "Content-Range": `bytes */${file.length}` } };
  }
  const end = Math.min(last + 1, file.length);
  return {
    status: 206,
    headers: { ...headers, "Content-Range": `bytes ${first}-${end - 1}/${file.length}` },
    body: file.subarray(first, end),
  };
}

/** Serves files by their path, and 404 for everything else. */
export function filesHandler(
  files: Readonly<Record<string, Uint8Array>>,
  headers?: Readonly<Record<string, string>>,
): FaultHandler {
  return (request) => {
    const path = request.target.split("?")[0]!;
    const file = Object.hasOwn(files, path) ? files[path] : undefined;
    return file ? fileReply(request, file, headers) : { status: 404, body: new Uint8Array(10) };
  };
}
