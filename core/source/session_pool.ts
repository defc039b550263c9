/** The session connections to one seed: as many as help, each request over the least busy one. */
import type { Clock } from "../base/clock.ts";
import { BusyError, TimeoutError, UnreachableError } from "../base/errors.ts";
import { Notify } from "../base/notify.ts";
import type { Semaphore } from "../base/semaphore.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { Greeting } from "../protocol/greeting.ts";
import { ReadBuffer } from "../protocol/read_buffer.ts";
import type { SessionRequest } from "../protocol/requests.ts";
import { type NoGreeting, openSession } from "./detect.ts";
import { errorFromReply } from "./errors.ts";
import { type BodyTarget, SessionConnection, type SessionReply } from "./session_connection.ts";
import type { ByteStream } from "./transport.ts";

export interface SessionPoolOptions {
  readonly clock: Clock;
  readonly connect: (signal: AbortSignal) => Promise<ByteStream>;
  /** Connections to this seed. */
  readonly connections: number;
  /** Connections to all seeds together. */
  readonly slots: Semaphore;
  /** The timeout of the greeting. */
  readonly connectMs: number;
  readonly stallMs: number;
  readonly token: string | undefined;
  /** The last session ended and no other one could be opened. */
  readonly onLost: () => void;
}

/** More pending requests than this are worth a further connection, while there may be more. */
const PENDING_BEFORE_NEW_CONNECTION = 2;
/** A round trip is hidden by 8 pending requests; more would only queue at the seed. */
const MAX_PENDING = 8;
/** With a shorter round trip, one connection is about as fast as several. */
const LONG_ROUND_TRIP_MS = 20;
/** Dividing a range into smaller parts than this costs more in requests than it gains. */
const MIN_PART_BYTES = 128 * 1024;
/** Below the 30 s after which a seed drops a silent client. */
const IDLE_TIMEOUT_MS = 20_000;
/** Time without further connections to a seed after it rejected one, unless its reply says how long. */
const NO_NEW_CONNECTION_MS = 10_000;

export class SessionPool implements AsyncDisposable {
  readonly #seed: string;
  readonly #options: SessionPoolOptions;
  readonly #sessions = new Set<SessionConnection>();
  readonly #closing = new AbortController();
  readonly #jobs = new TaskGroup(this.#closing.signal);
  /** A reply came, or a connection came or went. */
  readonly #change = new Notify();
  /** The most recent one. */
  #greeting: Greeting | undefined;
  /** The shortest time in which a greeting was answered. */
  #roundTripMs = Infinity;
  #opening = 0;
  /** Requests that wait for a connection or for their reply. */
  #requests = 0;
  /** Until then no further connection is opened beside those that live. */
  #noNewUntil = 0;

  constructor(seed: string, options: SessionPoolOptions) {
    this.#seed = seed;
    this.#options = options;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The longest range of one request. */
  get maxLength(): number {
    return this.#greeting?.maxLength ?? Infinity;
  }

  /** Requests that are worth preparing at a time. */
  get maxRequests(): number {
    return this.#options.connections * MAX_PENDING;
  }

  hasFeature(feature: string): boolean {
    return this.#greeting?.features.includes(feature) ?? false;
  }

  /** Opens one more session, unless the seed does not greet. @throws {P2pError} */
  async open(signal: AbortSignal): Promise<"session" | NoGreeting> {
    this.#opening++;
    try {
      const stream = await this.#options.connect(signal);
      return await this.#greet(stream, signal).catch((error) => {
        stream.close();
        throw error;
      });
    } catch (error) {
      if (this.#sessions.size === 0 && !(error instanceof BusyError)) this.#options.onLost();
      throw error;
    } finally {
      this.#opening--;
      this.#change.notifyAll();
    }
  }

  /** @throws {P2pError} also for an error reply. @throws the signal's reason if it aborts. */
  async request(
    request: SessionRequest,
    target: BodyTarget,
    signal: AbortSignal,
  ): Promise<SessionReply> {
    this.#requests++;
    try {
      for (;;) {
        this.#closing.signal.throwIfAborted();
        const session = this.#free(request);
        // No await between the choice and the request: the depth must not change.
        if (session) {
          const answer = await session.request(request, target, signal);
          if (answer.reply.kind !== "error") return answer;
          throw errorFromReply(this.#seed, answer.reply.error);
        }
        await this.#waitForRoom(signal);
      }
    } finally {
      this.#requests--;
    }
  }

  /** The length of the parts of a range, so that idle connections share it: a lossy path needs several. */
  partBytes(length: number): number {
    if (this.#roundTripMs < LONG_ROUND_TRIP_MS) return length;
    const connections = this.#mayOpen() ? this.#options.connections : this.#sessions.size;
    const parts = Math.min(connections - this.#requests, Math.floor(length / MIN_PART_BYTES));
    return Math.ceil(length / Math.max(1, parts));
  }

  /** Closes connections without a pending request. */
  closeIdle(): void {
    for (const session of [...this.#sessions]) if (session.depth === 0) session.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new UnreachableError(`The connections to ${this.#seed} were closed`));
    await this.#jobs[Symbol.asyncDispose]();
    await Promise.all(Array.from(this.#sessions, (session) => session[Symbol.asyncDispose]()));
  }

  /** The least busy connection that takes one more request; a further one is opened where it helps. */
  #free({ verb }: SessionRequest): SessionConnection | undefined {
    let session: SessionConnection | undefined;
    for (const one of this.#sessions) if (!session || one.depth < session.depth) session = one;
    if (!session) return undefined;
    const mayOpen = this.#mayOpen();
    // Small replies wait for nothing but the round trip, which as many as possible share.
    const isFull = session.depth >=
      (verb === "FETCH" || verb === "MANIFEST"
        ? session.greeting.maxInflight
        : maxDepth(session, mayOpen));
    // This request waits for another one; the next one gets a connection of its own.
    if (mayOpen && (isFull || session.depth > 0)) this.#openMore();
    return isFull ? undefined : session;
  }

  /** Waits for a reply or a new connection, or opens the first one. */
  async #waitForRoom(signal: AbortSignal): Promise<void> {
    if (this.#sessions.size > 0 || !this.#mayOpen()) return await this.#change.notified(signal);
    if (await this.open(signal) === "session") return;
    this.#options.onLost();
    throw new UnreachableError(`${this.#seed} takes no sessions any more`);
  }

  /** Opens one more in the background. If that fails, requests use the existing ones. */
  #openMore(): void {
    this.#jobs.spawn(async (signal) => {
      try {
        await this.open(signal);
      } catch (error) {
        const pauseMs = error instanceof BusyError ? error.retryAfterMs : NO_NEW_CONNECTION_MS;
        this.#noNewUntil = this.#options.clock.now() + pauseMs;
        this.#change.notifyAll();
      }
    });
  }

  #mayOpen(): boolean {
    const { connections, slots, clock } = this.#options;
    const current = this.#sessions.size + this.#opening;
    if (current === 0) return true;
    if (this.#sessions.size > 0 && clock.now() < this.#noNewUntil) return false;
    return current < connections && slots.available > 0;
  }

  async #greet(stream: ByteStream, signal: AbortSignal): Promise<"session" | NoGreeting> {
    const { clock, connectMs, stallMs, token } = this.#options;
    const buffer = new ReadBuffer();
    const askedAt = clock.now();
    const options = { clock, waitMs: connectMs, token };
    const greeting = await openSession(this.#seed, stream, buffer, options, signal);
    this.#closing.signal.throwIfAborted();
    if (typeof greeting === "string") {
      const error = `${this.#seed} did not answer the greeting`;
      if (this.#sessions.size > 0) throw new UnreachableError(error);
      // A seed that greeted before is not an old one, so its silence is an outage.
      if (greeting === "silent" && this.#greeting) throw new TimeoutError(error);
      stream.close();
      return greeting;
    }
    const limits = { clock, stallMs, idleMs: IDLE_TIMEOUT_MS };
    const changed = () => {
      if (session.closed) this.#sessions.delete(session);
      this.#change.notifyAll();
    };
    const session: SessionConnection = new SessionConnection(
      this.#seed,
      stream,
      buffer,
      greeting,
      limits,
      changed,
    );
    this.#sessions.add(session);
    this.#greeting = greeting;
    this.#roundTripMs = Math.min(this.#roundTripMs, clock.now() - askedAt);
    return "session";
  }
}

/** Requests that may wait on one connection, fewer while a further connection may be opened. */
function maxDepth({ greeting }: SessionConnection, mayOpen: boolean): number {
  return Math.min(greeting.maxInflight, mayOpen ? PENDING_BEFORE_NEW_CONNECTION : MAX_PENDING);
}
