/**
 * All that we have to do with one seed, over all tasks: its dialect, its
 * connections, and how many of them there may be. Asks what it is told to ask;
 * which range to want from whom is decided elsewhere.
 */
import { abortable } from "@std/async";
import type { Clock } from "../base/clock.ts";
import { deadline } from "../base/abort.ts";
import { Notify } from "../base/notify.ts";
import {
  BusyError,
  NotFoundError,
  ProtocolError,
  TimeoutError,
  UnreachableError,
} from "../base/errors.ts";
import { type ByteRange, lengthOf } from "../base/ranges.ts";
import { formatSeedAddress, type SeedAddress } from "../base/seed_address.ts";
import { Semaphore } from "../base/semaphore.ts";
import { ReadBuffer } from "../protocol/read_buffer.ts";
import {
  type ListedFile,
  MAX_LISTING_BYTES,
  parseOneShotListingRefusal,
} from "../protocol/listing.ts";
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from "../protocol/manifest.ts";
import { ErrorReply } from "../protocol/error_replies.ts";
import { parseOneShotSize } from "../protocol/replies.ts";
import type { SessionRequest } from "../protocol/requests.ts";
import { openSession, probe } from "./detect.ts";
import { forEachConcurrent } from "./for_each_concurrent.ts";
import { OneShotClient } from "./one_shot.ts";
import { listOneShot, listPages, textOf } from "./listing.ts";
import type { ReadOptions } from "./read_options.ts";
import { errorFromReply } from "./errors.ts";
import { type BodyTarget, SessionConnection, type SessionReply } from "./session_connection.ts";
import { type ByteStream, type Dial, freeing } from "./transport.ts";

export type SeedProtocol = "session" | "one-shot";

export interface SeedSourceOptions {
  readonly clock: Clock;
  readonly dial: Dial;
  /** Connections to this seed, in all. */
  readonly connections: number;
  /** Connections to all seeds together. */
  readonly slots: Semaphore;
  /** To connect, and again to be greeted. */
  readonly connectMs: number;
  readonly stallMs: number;
  readonly token: string | undefined;
  /** Called when no socket can be opened, because this process has too many open files. */
  readonly onOutOfDescriptors?: () => void;
}

/** While more connections may be opened, more requests than this wait for a new one. */
const PENDING_BEFORE_NEW_CONNECTION = 2;
/** With a shorter round trip one connection is about as fast as several: nothing is gained by dividing ranges. */
const LONG_LINE_MS = 20;
/** Ranges are divided among idle connections, but not into parts smaller than this: they cost a request each. */
const MIN_PART_BYTES = 128 * 1024;
/** More would only make a queue at the seed: 8 deep is where a round trip is hidden. */
const MAX_PENDING = 8;
/** A connect that takes longer is one that others need not wait for. */
const SLOW_MS = 1000;
/** Below the 30 s after which a seed drops a silent client. */
const IDLE_TIMEOUT_MS = 20_000;
/** A seed that did not take one more connection is not asked for one for so long, unless it says how long. */
const NO_NEW_CONNECTION_MS = 10_000;
/** How often a seed that was silent at the greeting is greeted again while it is used as an old one. */
const PROBE_INTERVAL_MS = 10_000;
/** A seed that just answered a request answers a greeting within this time, or within this many times as long. */
const MIN_PROBE_MS = 1000;
const PROBE_FACTOR = 10;

export class SeedSource implements AsyncDisposable {
  readonly name: string;
  readonly #address: SeedAddress;
  readonly #terms: SeedSourceOptions;
  readonly #slots: Semaphore;
  readonly #sessions = new Set<SessionConnection>();
  readonly #oneShot: OneShotClient;
  /** A reply came, or a connection came or went. */
  readonly #change = new Notify();
  readonly #closing = new AbortController();
  #dialect: SeedProtocol | undefined;
  /** When the seed is greeted again that said nothing at the greeting and is presumed to be old. */
  #probeAt: number | undefined;
  /** Whether it ever greeted: then its silence is an outage. */
  #greeted = false;
  /** The first greeting, while it lasts. */
  #contact: Promise<SeedProtocol> | undefined;
  /** What the last greeting allows. */
  #maxLength = Infinity;
  /** The shortest time in which a greeting was answered. */
  #roundTripMs = Infinity;
  #opening = 0;
  /** Requests that wait for a connection or for their reply. */
  #requests = 0;
  /** Connections on their way that no single request waits for, and probes. */
  readonly #background = new Set<Promise<void>>();
  /** Until then the connections that live must do. */
  #enoughUntil = 0;
  #troubled = false;
  #reached = false;

  constructor(address: SeedAddress, terms: SeedSourceOptions) {
    this.name = formatSeedAddress(address);
    this.#address = address;
    this.#terms = terms;
    this.#slots = new Semaphore(terms.connections);
    this.#oneShot = new OneShotClient(this.name, {
      clock: terms.clock,
      stallMs: terms.stallMs,
      connect: (signal) => this.#connect(signal),
    });
  }

  /** Live session connections. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Whether it ever answered. */
  get reached(): boolean {
    return this.#reached;
  }

  /** Whether the last try to connect failed, or the first one is taking long. */
  get troubled(): boolean {
    return this.#troubled;
  }

  /** How this seed talks. @throws {UnreachableError} and its kin if it does not talk at all. */
  async dialect(signal: AbortSignal): Promise<SeedProtocol> {
    if (this.#dialect) return this.#dialect;
    if (this.#probeAt !== undefined) {
      if (this.#terms.clock.now() >= this.#probeAt) {
        const { connectMs } = this.#terms;
        this.#inBackground(this.#probe(connectMs, this.#closing.signal).catch(() => {}));
      }
      return "one-shot";
    }
    // One finds it out for all who ask meanwhile, and goes on when one of them leaves.
    this.#contact ??= this.#open(this.#closing.signal).finally(() => this.#contact = undefined);
    return await abortable(this.#contact, signal);
  }

  /**
   * The manifest of a file, or undefined from a seed that has none to offer.
   *
   * @throws {NotFoundError} if it does not have the file. @throws {PendingError} while it is hashing.
   */
  async manifest(
    name: string,
    signal: AbortSignal,
  ): Promise<Manifest | undefined> {
    if (await this.dialect(signal) === "one-shot" && await this.#isOld(name, signal)) {
      return undefined;
    }
    const { body } = await this.#ask({ verb: "MANIFEST", name }, {
      kind: "upTo",
      bytes: MAX_MANIFEST_BYTES,
    }, signal);
    return parseManifest(textOf(this.name, body));
  }

  /** @throws {NotFoundError} if it does not have the file. */
  async fileSize(name: string, signal: AbortSignal): Promise<number> {
    if (await this.dialect(signal) === "session") {
      const { reply } = await this.#ask({ verb: "FILESIZE", name }, {
        kind: "none",
      }, signal);
      if (reply.kind === "size") return reply.size;
      throw new ProtocolError(`${this.name} answered FILESIZE without a size`);
    }
    return this.#inOneShot(async () => {
      const reply = await this.#oneShot.reply({ verb: "FILESIZE", name }, signal);
      if (reply.length === 0) {
        // An old seed says ERROR; who says nothing is no seed just now, as a proxy before a dead one.
        throw new UnreachableError(
          `${this.name} does not say how long the file is`,
        );
      }
      return parseOneShotSize(new TextDecoder().decode(reply));
    });
  }

  /** How long a question and its answer take, ms; undefined for an old seed, which knows no such question. */
  async ping(signal: AbortSignal): Promise<number | undefined> {
    if (await this.dialect(signal) === "one-shot") return undefined;
    const askedAt = this.#terms.clock.now();
    await this.#ask({ verb: "PING" }, { kind: "none" }, signal);
    return this.#terms.clock.now() - askedAt;
  }

  /** Everything it offers, page after page; an old seed tells names only, and their sizes are asked for one by one. */
  async list(signal: AbortSignal): Promise<ListedFile[]> {
    if (await this.dialect(signal) === "session") {
      const place = { kind: "upTo", bytes: MAX_LISTING_BYTES } as const;
      return await listPages(
        this.name,
        (after) => this.#ask({ verb: "LIST", after }, place, signal),
      );
    }
    const askedAt = this.#terms.clock.now();
    const reply = await this.#inOneShot(async () => {
      const reply = await this.#oneShot.reply({ verb: "LIST" }, signal);
      const refusal = parseOneShotListingRefusal(reply);
      if (refusal) throw refusal;
      return reply;
    });
    if (!await this.#staysOld(askedAt, signal)) return await this.list(signal);
    const sizeOf = (name: string) => this.fileSize(name, signal);
    return await listOneShot(this.name, reply, sizeOf, this.#terms.connections);
  }

  /**
   * Fills `into`, whose length is the range's, with a range of a file of `size` bytes.
   * When it settles, in whatever way, nothing writes to `into` any more.
   */
  async readRange(
    name: string,
    range: ByteRange,
    size: number,
    into: Uint8Array,
    options: ReadOptions,
    signal: AbortSignal,
  ): Promise<void> {
    if (await this.dialect(signal) === "session") {
      return await this.#readInSession(name, range, into, options, signal);
    }
    await this.#inOneShot(() => this.#oneShot.readRange(name, range, size, into, options, signal));
  }

  /** Closes connections without a pending request; they are opened again when they are needed. */
  closeIdle(): void {
    for (const session of [...this.#sessions]) if (session.depth === 0) session.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new UnreachableError(`The link to ${this.name} was closed`));
    await this.#contact?.catch(() => {});
    await Promise.all(this.#background);
    await Promise.all(Array.from(this.#sessions, (session) => session[Symbol.asyncDispose]()));
  }

  /**
   * Whether a seed that is used as an old one is one. One that was silent at the
   * greeting may only have been slow: as soon as it answers a request, it is greeted again.
   */
  async #isOld(name: string, signal: AbortSignal): Promise<boolean> {
    if (this.#probeAt === undefined) return true;
    const askedAt = this.#terms.clock.now();
    try {
      await this.fileSize(name, signal);
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
    return await this.#staysOld(askedAt, signal);
  }

  /** Greets a presumed old seed again that answered a request asked at that time. */
  async #staysOld(askedAt: number, signal: AbortSignal): Promise<boolean> {
    if (this.#probeAt === undefined) return this.#dialect !== "session";
    const tookMs = this.#terms.clock.now() - askedAt;
    const waitMs = Math.max(MIN_PROBE_MS, PROBE_FACTOR * tookMs);
    await this.#probe(Math.min(waitMs, this.#terms.connectMs), signal);
    return this.#dialect !== "session";
  }

  /** Finds out what a seed is that was silent at its greeting. */
  async #probe(waitMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#terms;
    // Only one at a time.
    this.#probeAt = Infinity;
    try {
      using stream = await this.#connect(signal);
      const seen = await probe(stream, new ReadBuffer(), { clock, waitMs }, signal);
      if (seen !== "silent") this.#settleDialect(seen === "old" ? "one-shot" : "session");
    } finally {
      if (this.#probeAt !== undefined) this.#probeAt = clock.now() + PROBE_INTERVAL_MS;
    }
  }

  #settleDialect(dialect: SeedProtocol | undefined): void {
    this.#dialect = dialect;
    this.#probeAt = undefined;
  }

  async #readInSession(
    name: string,
    range: ByteRange,
    into: Uint8Array,
    { onBytes, pace }: ReadOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const share = this.#shareOf(lengthOf(range));
    const most = Math.min(share, this.#maxLength, pace?.maxBytes ?? Infinity);
    const lanes = this.#terms.connections * MAX_PENDING;
    // Whatever one part does, the memory is free only when all have ended.
    await forEachConcurrent(partsOf(range, most), lanes, async (part) => {
      await pace?.wait(lengthOf(part), signal);
      const offset = part.start - range.start;
      const bytes = into.subarray(offset, part.end - range.start);
      const place = {
        kind: "into",
        bytes,
        onBytes: (count: number, at: number) => onBytes(count, offset + at),
      } as const;
      await this.#ask({ verb: "DOWNLOAD", name, range: part }, place, signal);
    });
  }

  /** The part of a range for one connection, where others have nothing to do: a line with losses is filled by many. */
  #shareOf(length: number): number {
    if (this.#roundTripMs < LONG_LINE_MS) return length;
    const connections = this.#mayOpen() ? this.#terms.connections : this.#sessions.size;
    const parts = Math.min(connections - this.#requests, Math.floor(length / MIN_PART_BYTES));
    return Math.ceil(length / Math.max(1, parts));
  }

  async #ask(
    request: SessionRequest,
    place: BodyTarget,
    signal: AbortSignal,
  ): Promise<SessionReply> {
    this.#requests++;
    try {
      return await this.#askOverBest(request, place, signal);
    } finally {
      this.#requests--;
    }
  }

  /** Asks over the connection that is least busy, or over a new one. */
  async #askOverBest(
    request: SessionRequest,
    place: BodyTarget,
    signal: AbortSignal,
  ): Promise<SessionReply> {
    while (true) {
      this.#closing.signal.throwIfAborted();
      const session = this.#leastBusy();
      const maxDepth = session &&
        (this.#mayOpen() ? enoughPending(session) : maxPending(session));
      // Nothing may wait between this choice and the request, or the depth is another one.
      if (session && session.depth < maxDepth!) {
        // It waits for another one there, so the next one is to have a connection of its own.
        if (session.depth > 0 && this.#mayOpen()) this.#widen();
        return this.#accepted(await session.ask(request, place, signal));
      }
      if (session || !this.#mayOpen()) {
        if (this.#mayOpen()) this.#widen();
        await this.#change.notified(signal);
      } else if (await this.#open(signal) === "one-shot") {
        throw new UnreachableError(`${this.name} takes no sessions any more`);
      }
    }
  }

  /** One more connection beside those that live. Where it cannot be had, they must do. */
  #widen(): void {
    const enough = (error: unknown) => {
      const pauseMs = error instanceof BusyError ? error.retryAfterMs : NO_NEW_CONNECTION_MS;
      this.#enoughUntil = this.#terms.clock.now() + pauseMs;
      this.#change.notifyAll();
    };
    this.#inBackground(this.#open(this.#closing.signal).then(() => {}, enough));
  }

  #inBackground(work: Promise<void>): void {
    const running = work.finally(() => this.#background.delete(running));
    this.#background.add(running);
  }

  #accepted(answer: SessionReply): SessionReply {
    if (answer.reply.kind === "refusal") {
      throw errorFromReply(this.name, answer.reply.refusal);
    }
    return answer;
  }

  #leastBusy(): SessionConnection | undefined {
    let best: SessionConnection | undefined;
    for (const session of this.#sessions) {
      if (!best || session.depth < best.depth) best = session;
    }
    return best;
  }

  #mayOpen(): boolean {
    const connections = this.#sessions.size + this.#opening;
    if (connections === 0) return true;
    if (this.#sessions.size > 0 && this.#terms.clock.now() < this.#enoughUntil) return false;
    return connections < this.#terms.connections && this.#terms.slots.available > 0;
  }

  /** Adds a session connection, unless the seed turns out to be an old one. */
  async #open(signal: AbortSignal): Promise<SeedProtocol> {
    this.#opening++;
    try {
      const stream = await this.#connect(signal);
      return await this.#greet(stream, signal).catch((error) => {
        stream.close();
        throw error;
      });
    } catch (error) {
      // It may come back as another seed: ask again who it is.
      if (this.#sessions.size === 0 && !(error instanceof BusyError)) {
        this.#settleDialect(undefined);
      }
      throw error;
    } finally {
      this.#opening--;
      this.#change.notifyAll();
    }
  }

  async #greet(stream: ByteStream, signal: AbortSignal): Promise<SeedProtocol> {
    const { clock, connectMs, stallMs, token } = this.#terms;
    const inbox = new ReadBuffer();
    const terms = { clock, waitMs: connectMs, token };
    const askedAt = clock.now();
    const greeting = await openSession(this.name, stream, inbox, terms, signal);
    this.#closing.signal.throwIfAborted();
    if (greeting === "silent" || greeting === "old") {
      const error = `${this.name} did not answer the greeting`;
      if (this.#sessions.size > 0) throw new UnreachableError(error);
      if (greeting === "silent" && this.#greeted) throw new TimeoutError(error);
      stream.close();
      if (greeting === "old") this.#settleDialect("one-shot");
      else this.#probeAt = clock.now() + PROBE_INTERVAL_MS;
      return "one-shot";
    }
    const limits = { clock, stallMs, idleMs: IDLE_TIMEOUT_MS };
    const changed = () => {
      if (session.closed) this.#sessions.delete(session);
      this.#change.notifyAll();
    };
    const session: SessionConnection = new SessionConnection(
      this.name,
      stream,
      inbox,
      greeting,
      limits,
      changed,
    );
    this.#sessions.add(session);
    this.#maxLength = greeting.maxLength;
    this.#roundTripMs = Math.min(this.#roundTripMs, clock.now() - askedAt);
    this.#greeted = true;
    this.#settleDialect("session");
    return "session";
  }

  /** A connection in a slot of this seed's and of all; closing it frees both. */
  async #connect(signal: AbortSignal): Promise<ByteStream> {
    const free = await this.#takeSlots(signal);
    try {
      return freeing(await this.#dial(signal), free);
    } catch (error) {
      free();
      throw error;
    }
  }

  async #takeSlots(signal: AbortSignal): Promise<() => void> {
    const own = await this.#slots.acquire(signal);
    const shared = await this.#terms.slots.acquire(signal).catch((error) => {
      own[Symbol.dispose]();
      throw error;
    });
    return () => {
      own[Symbol.dispose]();
      shared[Symbol.dispose]();
    };
  }

  /** Connects, and remembers whether that works: others need not wait for it then. */
  async #dial(signal: AbortSignal): Promise<ByteStream> {
    using _slow = this.#terms.clock.after(SLOW_MS, () => this.#troubled = true);
    try {
      const stream = await this.#dialInTime(signal);
      this.#troubled = false;
      this.#reached = true;
      return stream;
    } catch (error) {
      if (!signal.aborted) this.#troubled = true;
      if (error instanceof BusyError) this.#terms.onOutOfDescriptors?.();
      throw error;
    }
  }

  async #dialInTime(signal: AbortSignal): Promise<ByteStream> {
    const { clock, connectMs, dial } = this.#terms;
    const late = () =>
      new TimeoutError(
        `Cannot connect to ${this.name}: no answer for ${connectMs / 1000} s`,
      );
    using limit = deadline(signal, clock, connectMs, late);
    return await dial(this.#address, limit.signal);
  }

  async #inOneShot<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      const plain = error instanceof ErrorReply ? errorFromReply(this.name, error) : error;
      // The next one to answer there may be another seed; one that says BUSY knows
      // sessions and only missed our greeting; one that is silent again is just not there.
      const silent = this.#probeAt !== undefined && plain instanceof TimeoutError;
      if (silent || plain instanceof UnreachableError || plain instanceof BusyError) {
        this.#settleDialect(undefined);
      }
      throw plain;
    }
  }
}

/** `range` in parts of at most `most` bytes; made one by one, because a seed may want a million of them. */
function* partsOf({ start, end }: ByteRange, most: number): Iterable<ByteRange> {
  for (let at = start; at < end; at += most) yield { start: at, end: Math.min(at + most, end) };
}

function enoughPending({ greeting }: SessionConnection): number {
  return Math.min(greeting.maxInflight, PENDING_BEFORE_NEW_CONNECTION);
}

function maxPending({ greeting }: SessionConnection): number {
  return Math.min(greeting.maxInflight, MAX_PENDING);
}
