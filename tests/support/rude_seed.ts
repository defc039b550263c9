/**
 * A seed whose every word is scripted: it speaks sessions as well as its script
 * lets it. The codec is core's own; what is rude is written out in bytes.
 */
import { sha256 } from "../../core/base/digest.ts";
import { layoutOf, rangeOfPiece } from "../../core/base/pieces.ts";
import { encodeGreeting } from "../../core/protocol/greeting.ts";
import { encodeManifest, makeManifest } from "../../core/protocol/manifest.ts";
import { parseSessionRequest, type SessionRequest } from "../../core/protocol/requests.ts";

export type Files = Readonly<Record<string, Uint8Array>>;

/** What happens on one connection, from the first byte on; when it ends, the connection is closed. */
export type Script = (client: RudeClient, files: Files) => Promise<void>;

type Download = SessionRequest & { readonly verb: "DOWNLOAD" };

export class RudeSeed implements AsyncDisposable {
  readonly address: string;
  readonly #files: Files;
  readonly #script: Script;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #clients = new Map<RudeClient, Promise<void>>();
  readonly #accepting: Promise<void>;

  constructor(files: Files, script: Script) {
    this.#files = files;
    this.#script = script;
    this.address = `127.0.0.1:${this.#listener.addr.port}`;
    this.#accepting = this.#accept();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const client of this.#clients.keys()) client.hangUp();
    await Promise.all([this.#accepting, ...this.#clients.values()]);
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) {
      const client = new RudeClient(conn);
      this.#clients.set(client, this.#play(client).finally(() => this.#clients.delete(client)));
    }
  }

  async #play(client: RudeClient): Promise<void> {
    try {
      await this.#script(client, this.#files);
    } catch (error) {
      if (!(error instanceof HungUp)) throw error;
    } finally {
      client.hangUp();
    }
  }
}

/** Either end closed the connection; ends the script. */
class HungUp extends Error {}

/** One connection, as its script sees it. */
export class RudeClient {
  readonly #conn: Deno.TcpConn;
  #unread = "";

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** The next line without its end; a one-shot client that ends its side has said a line, too. */
  async line(): Promise<string> {
    for (;;) {
      const at = this.#unread.indexOf("\n");
      if (at >= 0) {
        const line = this.#unread.slice(0, at);
        this.#unread = this.#unread.slice(at + 1);
        return line;
      }
      const bytes = await this.#read();
      if (bytes === null && this.#unread === "") throw new HungUp();
      this.#unread += bytes === null ? "\n" : new TextDecoder().decode(bytes);
    }
  }

  async send(what: string | Uint8Array): Promise<void> {
    const bytes = typeof what === "string" ? new TextEncoder().encode(what) : what;
    try {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    } catch {
      throw new HungUp();
    }
  }

  /** Says nothing more until the client leaves. */
  async fallSilent(): Promise<void> {
    while (await this.#read() !== null);
    throw new HungUp();
  }

  /** With requests of the client's unread, this resets the connection. */
  hangUp(): void {
    try {
      this.#conn.close();
    } catch {
      // The script did so already.
    }
  }

  async #read(): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(8192);
    try {
      const count = await this.#conn.read(buffer);
      return count === null ? null : buffer.subarray(0, count);
    } catch {
      throw new HungUp();
    }
  }
}

/** What a script may do otherwise than a good seed: undefined means that it did nothing. */
export type Rudeness = (
  request: SessionRequest,
  client: RudeClient,
  files: Files,
) => Promise<"answered" | undefined>;

/** A session that goes well as far as `rudeness` lets it. */
export function session(rudeness: Rudeness): Script {
  return async (client, files) => {
    await client.line();
    await greet(client);
    for (;;) {
      const request = parseSessionRequest(await client.line());
      if (await rudeness(request, client, files) === undefined) {
        await answer(request, client, files);
      }
    }
  };
}

/** The same, where only downloads are rude. */
function downloads(
  rudeness: (
    request: Download,
    bytes: Uint8Array,
    client: RudeClient,
  ) => Promise<"answered" | undefined>,
): Script {
  return session((request, client, files) =>
    request.verb === "DOWNLOAD"
      ? rudeness(request, bytesOf(request, files), client)
      : Promise.resolve(undefined)
  );
}

async function greet(client: RudeClient): Promise<void> {
  await client.send(encodeGreeting({
    agent: "rude",
    nonce: "0".repeat(32),
    auth: "none",
    maxLength: 1_048_576,
    maxInflight: 16,
    features: [],
  }));
}

async function answer(request: SessionRequest, client: RudeClient, files: Files): Promise<void> {
  switch (request.verb) {
    case "FILESIZE":
      return await client.send(`SIZE:${files[request.name]!.length}\n`);
    case "MANIFEST":
      return await sendBody(client, manifestOf(request.name, files[request.name]!));
    case "DOWNLOAD":
      return await sendBody(client, bytesOf(request, files));
    case "LIST":
      return await sendBody(client, listingOf(files));
    default:
      return await client.send("OK 0\n");
  }
}

async function sendBody(client: RudeClient, body: string | Uint8Array): Promise<void> {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  await client.send(`OK ${bytes.length}\n`);
  await client.send(bytes);
}

function bytesOf({ name, range }: Download, files: Files): Uint8Array {
  return files[name]!.subarray(range.start, range.end);
}

function listingOf(files: Files): string {
  return Object.entries(files)
    .map(([name, { length }]) => JSON.stringify({ name, size: length, modified: 0 }) + "\n")
    .join("");
}

function manifestOf(name: string, bytes: Uint8Array): string {
  const layout = layoutOf(bytes.length);
  const digests = new Uint8Array(layout.count * 32);
  for (let piece = 0; piece < layout.count; piece++) {
    const { start, end } = rangeOfPiece(layout, piece);
    digests.set(sha256(bytes.subarray(start, end)), piece * 32);
  }
  return encodeManifest(name, makeManifest(bytes.length, sha256(bytes).toHex(), digests));
}

function spoilt(bytes: Uint8Array): Uint8Array {
  const wrong = bytes.slice();
  wrong[wrong.length >> 1]! ^= 1;
  return wrong;
}

/** The rudenesses themselves; each call makes a script that remembers for itself. */

/** Nothing that it says is of any protocol. */
export function garbageGreeting(): Script {
  return async (client) => {
    await client.line();
    await client.send("\x00\xff\x07 SSH-2.0-nonsense \x1b[31m\n");
  };
}

/** A reply that has no end, and no line end either. */
export function endlessLine(): Script {
  return session(async (request, client) => {
    if (request.verb !== "MANIFEST") return undefined;
    const noise = "x".repeat(64 * 1024);
    for (;;) await client.send(noise);
  });
}

/** A manifest as long as the protocol allows that used to take hours to parse. */
export function manifestOfEscapedQuotes(): Script {
  return session(async (request, client) => {
    if (request.verb !== "MANIFEST") return undefined;
    await sendBody(client, '"' + '\\"'.repeat(4 * 1024 * 1024 - 1));
    return "answered";
  });
}

/** The same as its first word. */
export function endlessGreeting(): Script {
  return async (client) => {
    await client.line();
    const noise = "x".repeat(64 * 1024);
    for (;;) await client.send(noise);
  };
}

/** Each body is a byte shorter than what was asked for. */
export function wrongBodyLength(): Script {
  return downloads(async (_, bytes, client) => {
    await sendBody(client, bytes.subarray(1));
    return "answered";
  });
}

/** The first body holds a wrong bit, all others are right. */
export function oneWrongPiece(): Script {
  let reported = false;
  return downloads(async (_, bytes, client) => {
    if (reported) return undefined;
    reported = true;
    await sendBody(client, spoilt(bytes));
    return "answered";
  });
}

/** Every body holds a wrong bit. */
export function wrongPieces(): Script {
  return downloads(async (_, bytes, client) => {
    await sendBody(client, spoilt(bytes));
    return "answered";
  });
}

/** Half of the first body, then silence; no later connection is even greeted. */
export function stallAfterHalf(): Script {
  let stalled = false;
  const half = downloads(async (_, bytes, client) => {
    stalled = true;
    await client.send(`OK ${bytes.length}\n`);
    await client.send(bytes.subarray(0, bytes.length >> 1));
    await client.fallSilent();
    return "answered";
  });
  return (client, files) => stalled ? client.fallSilent() : half(client, files);
}

/** Half of the first body, then the connection is gone, and so is every later one. */
export function resetInTheMiddle(): Script {
  let gone = false;
  const half = downloads(async (_, bytes, client) => {
    gone = true;
    await client.send(`OK ${bytes.length}\n`);
    await client.send(bytes.subarray(0, bytes.length >> 1));
    client.hangUp();
    return "answered";
  });
  return (client, files) => gone ? Promise.resolve() : half(client, files);
}

/** BUSY to so many greetings, and to as many downloads after them. */
export function busy(times: number, retryAfterMs: number): Script {
  let greetings = 0;
  let requests = 0;
  const refusal = `ERROR:BUSY retry-after-ms=${retryAfterMs} full house\n`;
  const later = downloads(async (_, __, client) => {
    if (requests++ >= times) return undefined;
    await client.send(refusal);
    return "answered";
  });
  return async (client, files) => {
    if (greetings++ >= times) return await later(client, files);
    await client.line();
    await client.send(refusal);
  };
}

/** Still hashing, so many times. */
export function pending(times: number): Script {
  let asked = 0;
  return session(async (request, client) => {
    if (request.verb !== "MANIFEST" || asked++ >= times) return undefined;
    await client.send(`ERROR:PENDING ${Math.min(99, 50 + asked)}\n`);
    return "answered";
  });
}

/** Takes every connection and closes it without a word, as a proxy before a dead seed does. */
export function mute(): Script {
  return () => Promise.resolve();
}
