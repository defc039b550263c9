/**
 * A p2p seed as a source: finds out which protocol it speaks, and uses it.
 *
 * A seed that is silent at the greeting may be slow or old. It is asked in one-shot requests and
 * greeted again as soon as it answers one. A seed that ever greeted is never taken for an old one
 * because it is silent.
 */
import { abortable } from "@std/async";
import {
  BusyError,
  ChangedError,
  NotFoundError,
  ProtocolError,
  TimeoutError,
  UnreachableError,
} from "../base/errors.ts";
import { type ByteRange, lengthOf } from "../base/ranges.ts";
import { Semaphore } from "../base/semaphore.ts";
import { formatSourceAddress, type SocketAddress } from "../base/source_address.ts";
import { type Fetched, parseFetched } from "../protocol/fetched.ts";
import { FETCH_FEATURE, READ_FEATURE } from "../protocol/greeting.ts";
import { type ListedFile, MAX_LISTING_BYTES } from "../protocol/listing.ts";
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from "../protocol/manifest.ts";
import { ReadBuffer } from "../protocol/read_buffer.ts";
import { Connector, type ConnectorOptions } from "./connector.ts";
import { probe } from "./detect.ts";
import { forEachConcurrent, TaskGroup } from "../base/task_group.ts";
import { OpeningError } from "./errors.ts";
import type { GreetingMemory } from "./greeting_memory.ts";
import { listOneShot, listPages, textOf } from "./listing.ts";
import { OneShotSource } from "./one_shot.ts";
import type { SessionReply } from "./session_connection.ts";
import { SessionPool } from "./session_pool.ts";
import type { ContentRef, ReadOptions, Source, SourceLine, SourceProtocol } from "./source.ts";
import { withOnClose } from "./transport.ts";
import type { SwarmRequest } from "../protocol/requests.ts";
import { SWARM_FEATURE } from "../protocol/swarm.ts";

export interface SeedSourceOptions extends ConnectorOptions {
  /** Whether the number of session connections finds itself; otherwise it is `connections`. */
  readonly adaptsConnections?: boolean;
  readonly stallMs: number;
  readonly token: string | undefined;
  /** What it said at earlier greetings. */
  readonly greetings?: GreetingMemory | undefined;
}

/** Browsers open six connections that carry one request at a time; seeds of that kind are small. */
const MAX_ONE_SHOT = 4;
/** Parts of one range that wait for the rate limit, or for their bytes. */
const MAX_WAITING_READS = 64;
/** How often a seed that was silent at the greeting is greeted again. */
const PROBE_INTERVAL_MS = 10_000;
/** The timeout of a greeting after a request: at least this, and `PROBE_FACTOR` times what that request took. */
const MIN_PROBE_MS = 1000;
const PROBE_FACTOR = 10;

const EMPTY = new Uint8Array();

export class SeedSource implements Source, AsyncDisposable {
  readonly id: string;
  readonly #options: SeedSourceOptions;
  readonly #connector: Connector;
  readonly #sessions: SessionPool;
  readonly #oneShot: OneShotSource;
  readonly #closing = new AbortController();
  readonly #probes = new TaskGroup(this.#closing.signal);
  #protocol: SourceProtocol | undefined;
  /** When a seed that was silent at the greeting is greeted again; Infinity while it is. */
  #probeAt: number | undefined;
  /** The first greeting, while it lasts. */
  #greeting: Promise<SourceProtocol> | undefined;

  constructor(address: SocketAddress, options: SeedSourceOptions) {
    this.id = formatSourceAddress(address);
    this.#options = options;
    this.#connector = new Connector(address, options);
    const connect = (signal: AbortSignal) => this.#connector.connect(signal);
    const { connections: max, adaptsConnections: adapts = false } = options;
    // Nothing shows whether more connections help where each carries one request.
    const oneShotSlots = new Semaphore(adapts ? Math.min(max, MAX_ONE_SHOT) : max);
    const connectOnce = async (signal: AbortSignal) => {
      using slots = new DisposableStack();
      slots.use(await oneShotSlots.acquire(signal));
      const stream = await connect(signal);
      const held = slots.move();
      return withOnClose(stream, () => held.dispose());
    };
    // Another seed may listen there next, so the protocol is unknown again.
    const onLost = () => this.#settle(undefined);
    const connections = { max, adapts };
    this.#sessions = new SessionPool(this.id, { ...options, connections, connect, onLost });
    this.#oneShot = new OneShotSource(this.id, { ...options, connect: connectOnce });
  }

  /** Session connections that are open. */
  get connections(): number {
    return this.#sessions.size;
  }

  get line(): SourceLine {
    const { roundTripMs, size: connections } = this.#sessions;
    return { connections, ...roundTripMs === undefined ? {} : { roundTripMs } };
  }

  get reached(): boolean {
    return this.#connector.reached;
  }

  get troubled(): boolean {
    return this.#connector.troubled;
  }

  get fetches(): boolean {
    return this.#protocol === "session" && this.#sessions.hasFeature(FETCH_FEATURE);
  }

  async protocol(signal: AbortSignal): Promise<SourceProtocol> {
    if (this.#protocol) return this.#protocol;
    if (this.#probeAt !== undefined) {
      if (this.#options.clock.now() >= this.#probeAt) this.#probeInBackground();
      return "one-shot";
    }
    // All callers share one greeting, which continues when one of them aborts.
    this.#greeting ??= this.#greet(this.#closing.signal).finally(() => this.#greeting = undefined);
    return await abortable(this.#greeting, signal);
  }

  async manifest(name: string, signal: AbortSignal): Promise<Manifest | undefined> {
    return await this.#reopening(() => this.#manifest(name, signal));
  }

  async fetch(name: string, maxBytes: number, signal: AbortSignal): Promise<Fetched | undefined> {
    return await this.#reopening(() => this.#fetch(name, maxBytes, signal));
  }

  async size(name: string, signal: AbortSignal): Promise<number> {
    return await this.#reopening(() => this.#size(name, signal));
  }

  async ping(signal: AbortSignal): Promise<number | undefined> {
    return await this.#reopening(() => this.#ping(signal));
  }

  /** A one-shot seed lists names only, so their sizes are requested one by one. */
  async list(signal: AbortSignal): Promise<ListedFile[]> {
    return await this.#reopening(() => this.#list(signal));
  }

  async read(
    content: ContentRef,
    range: ByteRange,
    into: Uint8Array,
    options: ReadOptions,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#reopening(() => this.#read(content, range, into, options, signal));
  }

  /**
   * Asks again if a connection on which requests did not wait for the greeting has not greeted:
   * nothing was answered on it, and the next one waits.
   */
  async #reopening<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof OpeningError)) throw error;
        // Other connections may be open.
        if (this.#sessions.saysEnough(error) && !this.#sessions.isOpen) throw error.reason;
      }
    }
  }

  async #manifest(name: string, signal: AbortSignal): Promise<Manifest | undefined> {
    if (await this.protocol(signal) === "one-shot" && await this.#isOld(name, signal)) {
      return undefined;
    }
    const target = { kind: "upTo", bytes: MAX_MANIFEST_BYTES } as const;
    const { body } = await this.#sessions.request({ verb: "MANIFEST", name }, target, signal);
    return parseManifest(textOf(this.id, body));
  }

  async #fetch(name: string, maxBytes: number, signal: AbortSignal): Promise<Fetched | undefined> {
    if (await this.protocol(signal) === "one-shot") return undefined;
    if (!this.#sessions.hasFeature(FETCH_FEATURE)) return undefined;
    const target = { kind: "upTo", bytes: MAX_MANIFEST_BYTES + maxBytes } as const;
    const request = { verb: "FETCH", name, maxBytes } as const;
    const { reply, body } = await this.#sessions.request(request, target, signal)
      .catch((error) => {
        // The remembered greeting had the feature, and the one that came has not.
        if (error instanceof ProtocolError && !this.fetches) {
          return { reply: undefined, body: EMPTY };
        }
        throw error;
      });
    if (reply === undefined) return undefined;
    return parseFetched(reply.kind === "ok" ? reply.fields : new Map(), body);
  }

  async #size(name: string, signal: AbortSignal): Promise<number> {
    if (await this.protocol(signal) === "one-shot") {
      return await this.#inOneShot(() => this.#oneShot.size(name, signal));
    }
    const request = { verb: "FILESIZE", name } as const;
    const { reply } = await this.#sessions.request(request, { kind: "none" }, signal);
    if (reply.kind === "size") return reply.size;
    throw new ProtocolError(`${this.id} answered FILESIZE without a size`);
  }

  async #ping(signal: AbortSignal): Promise<number | undefined> {
    if (await this.protocol(signal) === "one-shot") return undefined;
    const { clock } = this.#options;
    const askedAt = clock.now();
    await this.#sessions.request({ verb: "PING" }, { kind: "none" }, signal);
    return clock.now() - askedAt;
  }

  async #list(signal: AbortSignal): Promise<ListedFile[]> {
    const { clock, connections } = this.#options;
    if (await this.protocol(signal) === "session") {
      const target = { kind: "upTo", bytes: MAX_LISTING_BYTES } as const;
      const ask = (after: string) =>
        this.#sessions.request({ verb: "LIST", after }, target, signal);
      return await listPages(this.id, ask);
    }
    const askedAt = clock.now();
    const listing = await this.#inOneShot(() => this.#oneShot.listing(signal));
    if (!await this.#staysOld(askedAt, signal)) return await this.#list(signal);
    return await listOneShot(this.id, listing, (name) => this.size(name, signal), connections);
  }

  async #read(
    content: ContentRef,
    range: ByteRange,
    into: Uint8Array,
    options: ReadOptions,
    signal: AbortSignal,
  ): Promise<void> {
    if (await this.protocol(signal) === "session") {
      return await this.#readInSession(content, range, into, options, signal);
    }
    await this.#inOneShot(() => this.#oneShot.read(content, range, into, options, signal));
  }

  /**
   * Sends a request about the receivers of a content; the body of the reply has at most `maxBytes`.
   *
   * @throws {NotFoundError} if it knows no receivers, or not the content.
   */
  async askSwarm(
    request: SwarmRequest,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<SessionReply> {
    const isSession = await this.protocol(signal) === "session";
    if (!isSession || !this.#sessions.hasFeature(SWARM_FEATURE)) {
      throw new NotFoundError(`${this.id} knows no receivers`);
    }
    return await this.#sessions.request(request, { kind: "upTo", bytes: maxBytes }, signal);
  }

  /** Closes connections without a pending request; they are opened again when they are needed. */
  closeIdle(): void {
    this.#sessions.closeIdle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new UnreachableError(`The connections to ${this.id} were closed`));
    await this.#greeting?.catch(() => {});
    await this.#probes[Symbol.asyncDispose]();
    await this.#sessions[Symbol.asyncDispose]();
  }

  async #greet(signal: AbortSignal): Promise<SourceProtocol> {
    const result = await this.#sessions.open(signal);
    if (result === "silent") {
      this.#probeAt = this.#options.clock.now() + PROBE_INTERVAL_MS;
      return "one-shot";
    }
    return this.#settle(result === "old" ? "one-shot" : "session");
  }

  #settle<Protocol extends SourceProtocol | undefined>(protocol: Protocol): Protocol {
    this.#protocol = protocol;
    this.#probeAt = undefined;
    return protocol;
  }

  /** Whether a seed that is used as a one-shot seed is one. */
  async #isOld(name: string, signal: AbortSignal): Promise<boolean> {
    if (this.#probeAt === undefined) return true;
    const askedAt = this.#options.clock.now();
    try {
      await this.size(name, signal);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
    return await this.#staysOld(askedAt, signal);
  }

  /** Greets a seed again that was silent at the greeting and just answered a request of `askedAt`. */
  async #staysOld(askedAt: number, signal: AbortSignal): Promise<boolean> {
    if (this.#probeAt !== undefined) {
      const { clock, connectMs } = this.#options;
      const waitMs = Math.max(MIN_PROBE_MS, PROBE_FACTOR * (clock.now() - askedAt));
      await this.#probe(Math.min(waitMs, connectMs), signal);
    }
    return this.#protocol !== "session";
  }

  #probeInBackground(): void {
    // The next request reports the same error.
    this.#probes.spawn((signal) => this.#probe(this.#options.connectMs, signal).catch(() => {}));
  }

  async #probe(waitMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#probeAt = Infinity;
    try {
      using stream = await this.#connector.connect(signal);
      const result = await probe(stream, new ReadBuffer(), { clock, waitMs }, signal);
      if (result !== "silent") this.#settle(result === "old" ? "one-shot" : "session");
    } finally {
      if (this.#probeAt !== undefined) this.#probeAt = clock.now() + PROBE_INTERVAL_MS;
    }
  }

  async #readInSession(
    content: ContentRef,
    range: ByteRange,
    into: Uint8Array,
    { onBytes, rateLimit }: ReadOptions,
    signal: AbortSignal,
  ): Promise<void> {
    if (rateLimit === undefined) {
      return await this.#readRange(content, range, into, onBytes, signal);
    }
    // The memory is free only when all parts have ended, even after a failure.
    const parts = partsOf(range, Math.min(this.#sessions.maxLength, rateLimit.maxBytes));
    await forEachConcurrent(parts, MAX_WAITING_READS, async (part) => {
      await rateLimit.wait(lengthOf(part), signal);
      const offset = part.start - range.start;
      const memory = into.subarray(offset, part.end - range.start);
      const onPart = (count: number, at: number) => onBytes(count, offset + at);
      await this.#readRange(content, part, memory, onPart, signal);
    });
  }

  async #readRange(
    { name, id }: ContentRef,
    range: ByteRange,
    into: Uint8Array,
    onBytes: ReadOptions["onBytes"],
    signal: AbortSignal,
  ): Promise<void> {
    const byId = id !== null && this.#sessions.hasFeature(READ_FEATURE);
    const request = (part: ByteRange) =>
      byId
        ? { verb: "READ", id, range: part } as const
        : { verb: "DOWNLOAD", name, range: part } as const;
    try {
      await this.#sessions.read({ range, into, request, onBytes }, signal);
    } catch (error) {
      // The file changed, or the seed forgot the id. A new manifest shows which.
      if (!byId || !(error instanceof NotFoundError)) throw error;
      throw new ChangedError(`${this.id} does not know the content by its id any more`);
    }
  }

  async #inOneShot<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      // Another seed may listen there next; a seed that answers BUSY knows sessions and missed the
      // greeting; one that is silent again is down.
      const isSilent = this.#probeAt !== undefined && error instanceof TimeoutError;
      if (isSilent || error instanceof UnreachableError || error instanceof BusyError) {
        this.#settle(undefined);
      }
      throw error;
    }
  }
}

/** Yields parts of at most `maxBytes`, one by one: with the limits of a hostile seed there are a million. */
function* partsOf({ start, end }: ByteRange, maxBytes: number): Iterable<ByteRange> {
  for (let at = start; at < end; at += maxBytes) {
    yield { start: at, end: Math.min(at + maxBytes, end) };
  }
}
