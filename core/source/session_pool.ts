/**
 * The session connections to one seed: as many as help, each request over the least busy one. Ranges
 * are requested in parts, each over the connection that should bring it first.
 */
import { onAbort } from "../base/abort.ts";
import type { Clock } from "../base/clock.ts";
import { BusyError, TimeoutError, UnreachableError } from "../base/errors.ts";
import { MinFilter } from "../base/min_filter.ts";
import { Notify } from "../base/notify.ts";
import type { Semaphore } from "../base/semaphore.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { Greeting } from "../protocol/greeting.ts";
import { type ByteRange, lengthOf } from "../base/ranges.ts";
import { ReadBuffer } from "../protocol/read_buffer.ts";
import type { SessionRequest } from "../protocol/requests.ts";
import { ConnectionCount, type ConnectionEvent, type ConnectionLimit } from "./connection_count.ts";
import { type NoGreeting, openSession } from "./detect.ts";
import { errorFromReply, type OpeningError } from "./errors.ts";
import { Flow } from "./flow.ts";
import type { GreetingMemory } from "./greeting_memory.ts";
import {
  type BodyTarget,
  type Opening,
  SessionConnection,
  type SessionReply,
} from "./session_connection.ts";
import type { ByteStream } from "./transport.ts";

export interface SessionPoolOptions {
  readonly clock: Clock;
  readonly connect: (signal: AbortSignal) => Promise<ByteStream>;
  /** Connections to this seed. */
  readonly connections: ConnectionLimit;
  /** Connections to all seeds together. */
  readonly slots: Semaphore;
  /** The timeout of the greeting. */
  readonly connectMs: number;
  readonly stallMs: number;
  readonly token: string | undefined;
  /** What the seed said at earlier greetings, kept up to date. */
  readonly greetings?: GreetingMemory | undefined;
  /** The last session ended and no other one could be opened. */
  readonly onLost: () => void;
}

/** Requests on one connection while another one is being opened; TCP sends 14 KB in the first round trip. */
const MAX_DEPTH_WHILE_OPENING = 8;
const TOO_MANY_CONNECTIONS = "Too many connections to all seeds together";
/** At the end of a download a part is at least this long. */
const MIN_LAST_PART_BYTES = 32 * 1024;
/** The shortest round trip of this time is the line's: a longer one includes queues. */
const ROUND_TRIP_MEMORY_MS = 300_000;
/** Below the 30 s after which a seed drops a silent client. */
const IDLE_TIMEOUT_MS = 20_000;
/** Time without further connections to a seed after it rejected one, unless its reply says how long. */
const NO_NEW_CONNECTION_MS = 10_000;

/** A connection and what flows over it. */
interface Member {
  readonly session: SessionConnection;
  readonly flow: Flow;
  /** No further request is sent over it, and it is closed when the last one is answered. */
  retired: boolean;
  /** The greeting has come; requests need not wait for it. */
  greeted: boolean;
  /** Why it has not. */
  failure?: OpeningError;
}

/** A range that is read in parts. */
export interface RangeRead {
  readonly range: ByteRange;
  readonly into: Uint8Array;
  request(part: ByteRange): SessionRequest;
  onBytes(count: number, at: number): void;
}

interface Job extends RangeRead {
  readonly signal: AbortSignal;
  /** All before it is requested. */
  at: number;
  /** Parts that are requested. */
  running: number;
  failure: { readonly error: unknown } | undefined;
  readonly end: PromiseWithResolvers<void>;
}

export class SessionPool implements AsyncDisposable {
  readonly #seed: string;
  readonly #options: SessionPoolOptions;
  readonly #members = new Set<Member>();
  readonly #closing = new AbortController();
  readonly #openings = new TaskGroup(this.#closing.signal);
  /** A reply came, or a connection came or went. */
  readonly #change = new Notify();
  /** The most recent one, or a remembered one. */
  #greeting: Greeting | undefined;
  #hasGreeted = false;
  /** Whether requests may be sent before the greeting has come: not to a seed that once greeted otherwise. */
  #mayExpect = true;
  /** It could not be reached, so another seed may listen there next. */
  #isLost = false;
  readonly #roundTrip = new MinFilter(ROUND_TRIP_MEMORY_MS);
  readonly #count: ConnectionCount;
  #opening = 0;
  /** Ranges whose parts are not all requested, in order. */
  readonly #jobs: Job[] = [];
  /** Their bytes that are not requested. */
  #waitingBytes = 0;

  constructor(seed: string, options: SessionPoolOptions) {
    this.#seed = seed;
    this.#options = options;
    this.#count = new ConnectionCount(options.connections);
    const roundTripMs = options.greetings?.roundTripMs(seed);
    if (roundTripMs !== undefined) this.#measured(roundTripMs);
  }

  get size(): number {
    return this.#members.size;
  }

  /** Whether there is a connection that has greeted. */
  get isOpen(): boolean {
    return this.#members.values().some(({ greeted }) => greeted);
  }

  /** The shortest round trip, of the last minutes; undefined until one was measured. */
  get roundTripMs(): number | undefined {
    return this.#roundTrip.value;
  }

  /** The longest range of one request. */
  get maxLength(): number {
    return this.#greeting?.maxLength ?? Infinity;
  }

  /** Whether a greeting that was waited for would not end better: a seed that greeted is not an old one. */
  saysEnough(error: OpeningError): boolean {
    return error.isRejection || error.reason instanceof TimeoutError && this.#hasGreeted;
  }

  hasFeature(feature: string): boolean {
    return this.#greeting?.features.includes(feature) ?? false;
  }

  /** Opens one more session, unless the seed does not greet. @throws {P2pError} */
  async open(signal: AbortSignal): Promise<"session" | NoGreeting> {
    this.#decide({ kind: "opening" });
    return await this.#open(signal);
  }

  /** @throws {P2pError} also for an error reply. @throws the signal's reason if it aborts. */
  async request(
    request: SessionRequest,
    target: BodyTarget,
    signal: AbortSignal,
  ): Promise<SessionReply> {
    for (;;) {
      this.#closing.signal.throwIfAborted();
      const member = this.#free();
      // No await between the choice and the request: the depth must not change.
      if (member) return await this.#ask(member, request, target, signal);
      await this.#waitForRoom(signal);
    }
  }

  /** Reads a range in parts over all connections. Nothing writes to its memory after this has settled. @throws as `request` */
  async read(read: RangeRead, signal: AbortSignal): Promise<void> {
    while (this.#members.size === 0) await this.#waitForRoom(signal);
    this.#closing.signal.throwIfAborted();
    signal.throwIfAborted();
    const job: Job = {
      ...read,
      signal,
      at: read.range.start,
      running: 0,
      failure: undefined,
      end: Promise.withResolvers(),
    };
    using _abort = onAbort(signal, () => this.#fail(job, signal.reason));
    this.#jobs.push(job);
    this.#waitingBytes += lengthOf(read.range);
    this.#serve();
    await job.end.promise;
  }

  /** Closes connections without a pending request. */
  closeIdle(): void {
    for (const { session, greeted } of [...this.#members]) {
      if (greeted && session.depth === 0) session.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new UnreachableError(`The connections to ${this.#seed} were closed`));
    for (const job of [...this.#jobs]) this.#fail(job, this.#closing.signal.reason);
    await this.#openings[Symbol.asyncDispose]();
    await Promise.all(Array.from(this.#members, ({ session }) => session[Symbol.asyncDispose]()));
  }

  async #open(signal: AbortSignal): Promise<"session" | NoGreeting> {
    this.#opening++;
    let result: "session" | NoGreeting | undefined;
    let isExpected = false;
    let pauseMs = 0;
    try {
      const stream = await this.#options.connect(signal);
      const expected = this.#expected;
      if (expected) {
        isExpected = true;
        this.#expect(stream, expected);
        return "session";
      }
      result = await this.#greet(stream, signal).catch((error) => {
        stream.close();
        throw error;
      });
      return result;
    } catch (error) {
      pauseMs = error instanceof BusyError ? error.retryAfterMs : NO_NEW_CONNECTION_MS;
      if (this.#members.size === 0 && !(error instanceof BusyError)) {
        this.#isLost = true;
        this.#options.onLost();
      }
      throw error;
    } finally {
      this.#opening--;
      // Otherwise its greeting decides.
      if (!isExpected) {
        this.#decide(result === "session" ? { kind: "opened" } : { kind: "refused", pauseMs });
      }
      this.#change.notifyAll();
      this.#serve();
    }
  }

  async #ask(
    { session, flow }: Member,
    request: SessionRequest,
    target: BodyTarget,
    signal: AbortSignal,
  ): Promise<SessionReply> {
    const { clock } = this.#options;
    const askedAt = session.depth === 0 ? clock.now() : undefined;
    const answer = await session.request(request, target, signal);
    // The answer to a small request on an idle connection takes a round trip.
    if (askedAt !== undefined && flow.pending === 0 && answer.body.length === 0) {
      this.#measured(clock.now() - askedAt);
    }
    if (answer.reply.kind !== "error") return answer;
    throw errorFromReply(this.#seed, answer.reply.error);
  }

  /** The least busy connection that takes one more request. */
  #free(): Member | undefined {
    let free: Member | undefined;
    for (const member of this.#members) {
      const { session, retired } = member;
      if (!retired && (!free || session.depth < free.session.depth)) free = member;
    }
    if (!free) return undefined;
    const { session } = free;
    // This request waits for another one; the next one may get a connection of its own.
    if (session.depth > 0) this.#decide({ kind: "waiting" });
    const { maxInflight } = session.greeting;
    // While others are being opened, the rest waits for those: a new connection sends little at first.
    const maxDepth = this.#opening > 0
      ? Math.min(maxInflight, MAX_DEPTH_WHILE_OPENING)
      : maxInflight;
    return session.depth < maxDepth ? free : undefined;
  }

  /** Waits for a reply or a new connection, or opens the first one. */
  async #waitForRoom(signal: AbortSignal): Promise<void> {
    const hasRoom = this.#members.size === 0 && this.#count.total < this.#options.connections.max;
    if (!hasRoom) return await this.#change.notified(signal);
    if (await this.open(signal) === "session") return;
    this.#options.onLost();
    throw this.#takesNoSessions();
  }

  #takesNoSessions(): UnreachableError {
    return new UnreachableError(`${this.#seed} takes no sessions any more`);
  }

  /** Requests parts of the waiting ranges over all connections that have room. */
  #serve(): void {
    // Without a connection, the failure of opening one must end the ranges, and not open another one.
    if (this.#members.size === 0 || this.#closing.signal.aborted) return;
    if (this.#jobs.length === 0) return;
    const { clock } = this.#options;
    const now = clock.now();
    const roundTripMs = this.#roundTrip.value ?? 0;
    while (this.#jobs.length > 0) {
      const member = this.#roomiest(roundTripMs);
      if (member === undefined) {
        this.#decide({ kind: "waiting" });
        return;
      }
      this.#requestPart(member, this.#jobs[0]!, roundTripMs, now);
    }
  }

  /** The connection with the least pending bytes, of those that take another request. */
  #roomiest(roundTripMs: number): Member | undefined {
    let best: Member | undefined;
    for (const member of this.#members) {
      const { session, flow, retired } = member;
      if (retired || session.depth >= session.greeting.maxInflight) continue;
      if (best && flow.pending >= best.flow.pending) continue;
      if (flow.pending < flow.maxBytes(roundTripMs)) best = member;
    }
    return best;
  }

  #requestPart(member: Member, job: Job, roundTripMs: number, now: number): void {
    const { flow, session } = member;
    const left = job.range.end - job.at;
    const length = Math.min(left, this.maxLength, this.#partBytes(flow, roundTripMs));
    const part = { start: job.at, end: job.at + length };
    job.at += length;
    job.running++;
    this.#waitingBytes -= length;
    if (length === left) this.#jobs.shift();
    flow.requested(length, now);
    void this.#readPart(member, job, part, session.depth === 0 ? now : undefined);
  }

  /** When little waits, parts become smaller, so that all connections end together. */
  #partBytes(flow: Flow, roundTripMs: number): number {
    const bytes = flow.partBytes(roundTripMs);
    if (bytes === Infinity) return bytes;
    const share = Math.ceil(this.#waitingBytes / (2 * this.#members.size));
    return Math.min(bytes, Math.max(share, MIN_LAST_PART_BYTES));
  }

  /** @param idleAt when it was requested, if nothing else was pending on the connection */
  async #readPart(
    { session, flow }: Member,
    job: Job,
    part: ByteRange,
    idleAt: number | undefined,
  ): Promise<void> {
    const { clock } = this.#options;
    const { range: { start }, into, signal } = job;
    const offset = part.start - start;
    let missing = lengthOf(part);
    const onBytes = (count: number, at: number) => {
      const now = clock.now();
      if (at === 0 && idleAt !== undefined) this.#measured(now - idleAt);
      missing -= count;
      flow.received(count, this.#roundTrip.value ?? 0, now);
      job.onBytes(count, offset + at);
      this.#decide({ kind: "received", bytes: count });
    };
    const bytes = into.subarray(offset, offset + missing);
    try {
      const target = { kind: "into", bytes, onBytes } as const;
      const { reply } = await session.request(job.request(part), target, signal);
      if (reply.kind === "error") throw errorFromReply(this.#seed, reply.error);
    } catch (error) {
      flow.abandoned(missing);
      this.#fail(job, error);
    }
    job.running--;
    this.#endIfOver(job);
    this.#serve();
  }

  /** Requests no further part of a range. It ends when those that were requested have ended. */
  #fail(job: Job, error: unknown): void {
    job.failure ??= { error };
    const at = this.#jobs.indexOf(job);
    if (at >= 0) {
      this.#jobs.splice(at, 1);
      this.#waitingBytes -= job.range.end - job.at;
      job.at = job.range.end;
    }
    this.#endIfOver(job);
  }

  #endIfOver({ running, at, range, failure, end }: Job): void {
    if (running > 0 || at < range.end) return;
    if (failure) end.reject(failure.error);
    else end.resolve();
  }

  #measured(ms: number): void {
    this.#roundTrip.add(ms, this.#options.clock.now());
    this.#decide({ kind: "roundTrip", ms });
  }

  #decide(event: ConnectionEvent): void {
    for (const { kind } of this.#count.handle(event, this.#options.clock.now())) {
      if (kind === "open") this.#openMore();
      else this.#retireOne();
    }
  }

  /** Opens one more in the background. If that fails, requests use the existing ones. */
  #openMore(): void {
    if (this.#closing.signal.aborted || this.#options.slots.available === 0) {
      this.#decide({ kind: "refused", pauseMs: NO_NEW_CONNECTION_MS });
      return this.#failWaiting(new BusyError(TOO_MANY_CONNECTIONS, NO_NEW_CONNECTION_MS));
    }
    this.#openings.spawn(async (signal) => {
      try {
        if (await this.#open(signal) === "session") return;
        this.#options.onLost();
        this.#failWaiting(this.#takesNoSessions());
      } catch (error) {
        this.#failWaiting(error);
      }
    });
  }

  /** Without a connection, nothing serves the ranges that wait. */
  #failWaiting(error: unknown): void {
    if (this.#members.size + this.#opening > 0) return;
    for (const job of [...this.#jobs]) this.#fail(job, error);
  }

  /** The slowest one. */
  #retireOne(): void {
    let slowest: Member | undefined;
    for (const member of this.#members) {
      if (!member.retired && (!slowest || member.flow.rate < slowest.flow.rate)) slowest = member;
    }
    if (!slowest) return;
    slowest.retired = true;
    if (slowest.session.depth === 0) slowest.session.close();
  }

  async #greet(stream: ByteStream, signal: AbortSignal): Promise<"session" | NoGreeting> {
    const { clock, connectMs, token } = this.#options;
    const buffer = new ReadBuffer();
    const askedAt = clock.now();
    const options = { clock, waitMs: connectMs, token };
    const greeting = await openSession(this.#seed, stream, buffer, options, signal);
    this.#closing.signal.throwIfAborted();
    if (typeof greeting === "string") {
      const error = `${this.#seed} did not answer the greeting`;
      if (this.#members.size > 0) throw new UnreachableError(error);
      // A seed that greeted before is not an old one, so its silence is an outage.
      if (greeting === "silent" && this.#hasGreeted) throw new TimeoutError(error);
      stream.close();
      return greeting;
    }
    this.#add(stream, buffer, greeting);
    this.#greeted(greeting, clock.now() - askedAt);
    return "session";
  }

  /** What the next connection should greet with; undefined if requests have to wait for it. */
  get #expected(): Greeting | undefined {
    const { greetings, token } = this.#options;
    if (!this.#mayExpect || this.#isLost) return undefined;
    const greeting = this.#greeting ?? greetings?.recall(this.#seed);
    return greeting?.auth === "token" && token === undefined ? undefined : greeting;
  }

  /** Uses a new connection at once: the seed should greet as it did before. */
  #expect(stream: ByteStream, expected: Greeting): void {
    const { token, connectMs: waitMs } = this.#options;
    this.#greeting ??= expected;
    const member = this.#add(stream, new ReadBuffer(), expected, {
      token,
      waitMs,
      onGreeting: (greeting, ms) => {
        member.greeted = true;
        this.#decide({ kind: "opened" });
        this.#greeted(greeting, ms);
      },
      onFailed: (error) => {
        member.failure = error;
        if (this.#closing.signal.aborted || this.saysEnough(error)) return;
        // Another seed may listen there now, so the next connection waits for its greeting.
        this.#mayExpect = false;
        this.#options.greetings?.forget(this.#seed);
        if (!this.#hasGreeted) this.#greeting = undefined;
      },
    });
  }

  #greeted(greeting: Greeting, ms: number): void {
    this.#greeting = greeting;
    this.#hasGreeted = true;
    this.#isLost = false;
    this.#options.greetings?.keep(this.#seed, greeting);
    this.#options.greetings?.measured(this.#seed, ms);
    this.#measured(ms);
  }

  #add(stream: ByteStream, buffer: ReadBuffer, greeting: Greeting, opening?: Opening): Member {
    const { clock, stallMs } = this.#options;
    const limits = { clock, stallMs, idleMs: IDLE_TIMEOUT_MS };
    const changed = () => {
      if (session.closed) this.#lost(member);
      else if (member.retired && session.depth === 0) session.close();
      this.#change.notifyAll();
      this.#serve();
    };
    const session: SessionConnection = new SessionConnection(
      this.#seed,
      stream,
      buffer,
      greeting,
      limits,
      changed,
      opening,
    );
    const greeted = opening === undefined;
    const member: Member = { session, flow: new Flow(), retired: false, greeted };
    this.#members.add(member);
    return member;
  }

  #lost(member: Member): void {
    if (!this.#members.delete(member)) return;
    if (member.greeted) this.#decide({ kind: "closed", commanded: member.retired });
    else this.#notGreeted(member);
    // Only then is it known which of the waiting ranges the same abort ended.
    queueMicrotask(() => this.#reopen());
  }

  /** All that was sent over it may be sent again over another one. */
  #notGreeted({ failure }: Member): void {
    const { reason } = failure ?? {};
    const isBusy = reason instanceof BusyError;
    this.#decide({ kind: "refused", pauseMs: isBusy ? reason.retryAfterMs : NO_NEW_CONNECTION_MS });
    if (this.#members.size > 0) return;
    if (!isBusy) this.#options.onLost();
    if (failure) this.#failWaiting(failure);
  }

  /** Opens a connection for the ranges that wait, if there is none. */
  #reopen(): void {
    if (this.#members.size + this.#opening > 0 || this.#jobs.length === 0) return;
    this.#decide({ kind: "opening" });
    this.#openMore();
  }
}
