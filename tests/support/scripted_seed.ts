/**
 * A small honest seed that speaks sessions from files in memory, over TCP or
 * over streams in memory, until a hook makes it misbehave.
 */
import { sha256 } from "../../core/base/digest.ts";
import { P2pError } from "../../core/base/errors.ts";
import { layoutOf, rangeOfPiece } from "../../core/base/pieces.ts";
import type { SocketAddress } from "../../core/base/source_address.ts";
import type { Dial } from "../../core/source/dial.ts";
import { listen, type Listening } from "../../core/source/listen.ts";
import type { ByteStream } from "../../core/source/transport.ts";
import { encodeGreeting, type Greeting } from "../../core/protocol/greeting.ts";
import { ReadBuffer } from "../../core/protocol/read_buffer.ts";
import { encodeListing } from "../../core/protocol/listing.ts";
import { encodeManifest, makeManifest, type Manifest } from "../../core/protocol/manifest.ts";
import { encodeOk, encodeSize } from "../../core/protocol/replies.ts";
import { HELLO, parseSessionRequest, type SessionRequest } from "../../core/protocol/requests.ts";
import { memoryPair } from "./memory_stream.ts";

/** Answers a request otherwise than an honest seed would; "answered" when it did. */
export type Hook = (
  request: SessionRequest,
  client: SeedSide,
  seed: ScriptedSeed,
) => Promise<"answered" | undefined>;

/** The client went away: nothing to a seed. */
export class ClientLeft extends Error {}

/** A seed's side of one connection. */
export class SeedSide {
  readonly #stream: ByteStream;
  readonly #inbox = new ReadBuffer();

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** The next line; at the end of the stream what is left, and then undefined. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const line = this.#inbox.takeLine();
      if (line !== undefined) return line;
      const count = await this.#read(this.#inbox.space());
      if (count === null) return this.#inbox.takeRest() || undefined;
      this.#inbox.filled(count);
    }
  }

  async send(what: string | Uint8Array): Promise<void> {
    const bytes = typeof what === "string" ? new TextEncoder().encode(what) : what;
    try {
      await this.#stream.write(bytes);
    } catch {
      throw new ClientLeft();
    }
  }

  /** Says nothing until the client has gone. */
  async untilGone(): Promise<void> {
    const buffer = new Uint8Array(4096);
    try {
      while (await this.#read(buffer) !== null);
    } catch (error) {
      if (!(error instanceof ClientLeft)) throw error;
    }
  }

  close(): void {
    this.#stream.close();
  }

  async #read(into: Uint8Array): Promise<number | null> {
    try {
      return await this.#stream.read(into);
    } catch {
      throw new ClientLeft();
    }
  }
}

export class ScriptedSeed implements AsyncDisposable {
  readonly files: Map<string, Uint8Array>;
  hook: Hook | undefined;
  /** What it says instead of a greeting, before it closes. */
  turnsAwayWith: string | undefined;
  greeting: Greeting = {
    agent: "scripted",
    nonce: "0".repeat(32),
    auth: "none",
    maxLength: 1024 * 1024,
    maxInflight: 16,
    features: [],
  };
  /** Connections that ever came, that are open, and the most that were open at once. */
  connections = 0;
  open = 0;
  mostOpen = 0;
  readonly requests: SessionRequest[] = [];
  readonly #promised = new Map<string, Uint8Array>();
  readonly #manifests = new Map<Uint8Array, Manifest>();
  readonly #clients = new Map<SeedSide, Promise<void>>();
  #listening: Listening | undefined;
  #accepting: Promise<void> | undefined;
  #fault: { error: unknown } | undefined;

  constructor(files: Readonly<Record<string, Uint8Array>> = {}, hook?: Hook) {
    this.files = new Map(Object.entries(files));
    this.hook = hook;
  }

  /** Where it listens, on a free port, from now on. */
  listen(): SocketAddress {
    const listening = listen({ host: "127.0.0.1", port: 0 });
    this.#listening = listening;
    this.#accepting = this.#accept(listening);
    return { host: "127.0.0.1", port: listening.port, tls: false };
  }

  /** Connects in memory, whatever the address. */
  readonly dial: Dial = (_, signal) => {
    signal.throwIfAborted();
    const [client, seed] = memoryPair();
    this.#welcome(seed);
    return Promise.resolve(client);
  };

  /** Requests of that kind, so far. */
  asked<V extends SessionRequest["verb"]>(verb: V): Extract<SessionRequest, { verb: V }>[] {
    const isOne = (request: SessionRequest): request is Extract<SessionRequest, { verb: V }> =>
      request.verb === verb;
    return this.requests.filter(isOne);
  }

  /** Ends every connection. */
  hangUp(): void {
    for (const client of this.#clients.keys()) client.close();
  }

  /** @throws what a hook threw. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening?.close();
    this.hangUp();
    await this.#accepting;
    await Promise.all(this.#clients.values());
    if (this.#fault) throw this.#fault.error;
  }

  manifestOf(name: string): Manifest {
    const bytes = this.#bytesOf(name);
    const known = this.#manifests.get(bytes) ?? manifestOf(bytes);
    this.#manifests.set(bytes, known);
    return known;
  }

  async #accept(listening: Listening): Promise<void> {
    for await (const stream of listening.clients()) this.#welcome(stream);
  }

  #welcome(stream: ByteStream): void {
    this.connections++;
    this.mostOpen = Math.max(this.mostOpen, ++this.open);
    const client = new SeedSide(stream);
    this.#clients.set(client, this.#serve(client));
  }

  async #serve(client: SeedSide): Promise<void> {
    try {
      await this.#talk(client);
    } catch (error) {
      // A client that breaks the protocol is not what these tests are about.
      if (!(error instanceof ClientLeft || error instanceof P2pError)) this.#fault ??= { error };
    } finally {
      client.close();
      this.open--;
      this.#clients.delete(client);
    }
  }

  async #talk(client: SeedSide): Promise<void> {
    if (await client.line() !== HELLO) return;
    if (this.turnsAwayWith !== undefined) return await client.send(this.turnsAwayWith);
    await client.send(encodeGreeting(this.greeting));
    for (let line; (line = await client.line()) !== undefined;) {
      const request = parseSessionRequest(line);
      this.requests.push(request);
      if (await this.hook?.(request, client, this) === undefined) {
        await this.#answer(request, client);
      }
    }
  }

  async #answer(request: SessionRequest, client: SeedSide): Promise<void> {
    switch (request.verb) {
      case "LIST":
        return await sendBody(client, encodeListing(this.#listed(request.after)));
      case "FILESIZE":
        if (!this.files.has(request.name)) return await client.send("ERROR:NOT_FOUND no\n");
        return await client.send(encodeSize(this.#bytesOf(request.name).length));
      case "MANIFEST":
        if (!this.files.has(request.name)) return await client.send("ERROR:NOT_FOUND no\n");
        this.#promised.set(request.name, this.#bytesOf(request.name));
        return await sendBody(
          client,
          encodeManifest(request.name, this.manifestOf(request.name)),
        );
      case "FETCH": {
        const { name, maxBytes } = request;
        if (!this.files.has(name)) return await client.send("ERROR:NOT_FOUND no\n");
        const bytes = this.#bytesOf(name);
        this.#promised.set(name, bytes);
        return await sendFetched(client, name, this.manifestOf(name), {
          bytes: bytes.length <= maxBytes ? bytes : undefined,
        });
      }
      case "DOWNLOAD": {
        const promised = this.#promised.get(request.name);
        const bytes = this.files.get(request.name);
        if (bytes === undefined) return await client.send("ERROR:NOT_FOUND no\n");
        if (promised && promised !== bytes) {
          return await client.send("ERROR:CHANGED it is another file now\n");
        }
        return await sendBody(client, bytes.subarray(request.range.start, request.range.end));
      }
      case "READ": {
        const { id, range } = request;
        const name = Array.from(this.files.keys()).find((one) => this.manifestOf(one).id === id);
        if (name === undefined) return await client.send("ERROR:NOT_FOUND no such content\n");
        return await sendBody(client, this.#bytesOf(name).subarray(range.start, range.end));
      }
      default:
        return await client.send(encodeOk(0));
    }
  }

  #listed(after: string) {
    return Array.from(this.files, ([name, { length }]) => ({ name, size: length, modified: 0 }))
      .filter(({ name }) => name > after)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #bytesOf(name: string): Uint8Array {
    const bytes = this.files.get(name);
    if (bytes === undefined) throw new Error(`The test's seed has no "${name}"`);
    return bytes;
  }
}

function manifestOf(bytes: Uint8Array): Manifest {
  const layout = layoutOf(bytes.length);
  const digests = new Uint8Array(layout.count * 32);
  for (let piece = 0; piece < layout.count; piece++) {
    const { start, end } = rangeOfPiece(layout, piece);
    digests.set(sha256(bytes.subarray(start, end)), piece * 32);
  }
  return makeManifest(bytes.length, sha256(bytes).toHex(), digests);
}

export async function sendBody(client: SeedSide, body: string | Uint8Array): Promise<void> {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  await client.send(encodeOk(bytes.length));
  await client.send(bytes);
}

/** Answers FETCH. */
export async function sendFetched(
  client: SeedSide,
  name: string,
  manifest: Manifest,
  { bytes = new Uint8Array() }: { readonly bytes: Uint8Array | undefined },
): Promise<void> {
  const head = new TextEncoder().encode(encodeManifest(name, manifest));
  await client.send(encodeOk(head.length + bytes.length, { manifest: head.length }));
  await client.send(head);
  await client.send(bytes);
}

/** Only downloads are answered so; `bytes` are the right ones. */
export function onDownload(
  act: (bytes: Uint8Array, client: SeedSide) => Promise<"answered" | undefined>,
): Hook {
  return (request, client, seed) => {
    if (request.verb !== "DOWNLOAD") return Promise.resolve(undefined);
    const { start, end } = request.range;
    return act(seed.files.get(request.name)!.subarray(start, end), client);
  };
}

/** Every body has a wrong bit in its middle. */
export const corrupting: Hook = onDownload(async (bytes, client) => {
  const wrong = bytes.slice();
  wrong[wrong.length >> 1]! ^= 1;
  await sendBody(client, wrong);
  return "answered";
});

/** Ends the connection when so many bytes of a body have been sent. */
export function cutAfter(count: number): Hook {
  return onDownload(async (bytes, client) => {
    await client.send(encodeOk(bytes.length));
    await client.send(bytes.subarray(0, count));
    client.close();
    return "answered";
  });
}

/** Falls silent when so many bytes of a body have been sent. */
export function stallAfter(count: number): Hook {
  return onDownload(async (bytes, client) => {
    await client.send(encodeOk(bytes.length));
    await client.send(bytes.subarray(0, count));
    await client.untilGone();
    return "answered";
  });
}

/** Answers this verb so often with this line. */
export function refusing(verb: SessionRequest["verb"], line: string, times = Infinity): Hook {
  let left = times;
  return async (request, client) => {
    if (request.verb !== verb || left-- <= 0) return undefined;
    await client.send(`${line}\n`);
    return "answered";
  };
}

/** Holds every request of this verb until `gate` resolves. */
export function holding(verb: SessionRequest["verb"], gate: Promise<void>): Hook {
  return async (request) => {
    if (request.verb === verb) await gate;
    return undefined;
  };
}
