/**
 * The connection to one client, under the protocol's limits of time. Knows no
 * requests. A connection is either at rest, and then the client must send something in
 * time, or busy, and then it must only read what it is sent.
 *
 * The limits are looked at from outside (`check`), once a second for all connections
 * together: so a read or a write costs no timer.
 */
import type { Clock } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import type { ByteStream } from "../../source/transport.ts";
import { ReadBuffer } from "../../protocol/read_buffer.ts";
import type { ErrorReply } from "../../protocol/error_replies.ts";
import type { Occupant } from "./admission.ts";
import { clientIdOf, displayAddress } from "./client_address.ts";

/** The connection is gone: by the client, by a limit, or by our end. */
export class ConnectionLostError extends Error {
  constructor(reason: string, cause?: unknown) {
    super(`The connection ended: ${reason}`, { cause });
    this.name = "ConnectionLostError";
  }
}

/** Without a complete line, while nothing is in flight. */
const IDLE_TIMEOUT_MS = 30_000;
/** From the first byte of a line to its end: enough for three lost packets in a row, of which a line needs few. */
const LINE_TIMEOUT_MS = 10_000;
/** Without reading anything of what is being sent. */
const WRITE_TIMEOUT_MS = 30_000;
/** For the client to close after we said our last word. */
const CLOSE_TIMEOUT_MS = 1000;

/** While the seed is full, the limits are shorter: other clients wait for the place. */
const FULL_IDLE_TIMEOUT_MS = 5000;
const FULL_LINE_TIMEOUT_MS = 3000;
const FULL_WRITE_TIMEOUT_MS = 10_000;
/** Bytes sent count for less as they get older: for a third after so long. */
const RECENT_WINDOW_MS = 8000;

/** Slow connections are written to in small steps, so that slow reading is not taken for no reading. */
const MIN_STEP_BYTES = 16 * 1024;
const MAX_STEP_BYTES = 256 * 1024;
/** Of an inbox: some requests; most clients of many that come at once say no more than a greeting. */
const INITIAL_BUFFER_BYTES = 1024;
/** A reply's line goes with the step behind it. */
const HEAD_BYTES = 64;
/** A step that takes longer was too large. */
const SLOW_STEP_MS = 100;

/** Something that the client must do in time. */
interface Limit {
  readonly since: number;
  readonly ms: number;
}

export class ClientConnection implements Occupant, Disposable {
  readonly readBuffer = new ReadBuffer(INITIAL_BUFFER_BYTES);
  /** The client's address, for events. */
  readonly address: string;
  /** Who the client is to limits and fair shares. */
  readonly client: string;
  /** When it got its place. */
  admittedAt: number;
  readonly #stream: ByteStream;
  readonly #clock: Clock;
  #rest: Limit | undefined;
  #line: Limit | undefined;
  #writing: Limit | undefined;
  /** Bytes sent, as of `#sentAt`. */
  #sent = 0;
  #sentAt: number;
  #step = MIN_STEP_BYTES;
  #reading: Promise<boolean> | undefined;
  /** What waits for the stream; all of it fails when the connection is closed. */
  readonly #waits = new Set<(error: Error) => void>();
  #lost: string | undefined;
  #leaving: ErrorReply | undefined;
  /** How a conversation ends in good order: it refuses what is asked from now on. Without one, the connection is closed. */
  onLeave: ((refusal: ErrorReply) => void) | undefined;

  constructor(stream: ByteStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    this.address = displayAddress(stream.peer);
    this.client = clientIdOf(this.address);
    this.admittedAt = this.#sentAt = clock.now();
    this.setIdle();
  }

  /** Why it was closed, or undefined while it is open. */
  get closeReason(): string | undefined {
    return this.#lost;
  }

  get isIdle(): boolean {
    return this.#rest !== undefined;
  }

  /** How much it takes in a time that is not long. */
  get stepBytes(): number {
    return this.#step;
  }

  /** A line came, and something is in flight: the client owes us nothing. */
  setBusy(): void {
    this.#rest = undefined;
    this.#line = undefined;
  }

  /** Nothing is in flight: the client's turn. */
  setIdle(ms: number = IDLE_TIMEOUT_MS): void {
    this.#rest = { since: this.#clock.now(), ms };
  }

  recentBytes(nowMs: number): number {
    return this.#sent * Math.exp((this.#sentAt - nowMs) / RECENT_WINDOW_MS);
  }

  /**
   * Closes the connection when a limit has passed.
   *
   * @param full the seed is full: `full` ends a client that is merely idle.
   */
  checkTimeouts(nowMs: number, full?: ErrorReply): void {
    const passed = (limit: Limit | undefined, fullMs: number) =>
      limit && nowMs - limit.since >= (full ? Math.min(limit.ms, fullMs) : limit.ms);
    if (passed(this.#writing, FULL_WRITE_TIMEOUT_MS)) {
      this.close("the client did not read its reply in time");
    } else if (passed(this.#line, FULL_LINE_TIMEOUT_MS)) {
      this.close("the client did not finish its line in time");
    } else if (passed(this.#rest, Infinity)) {
      this.close("the client sent nothing in time");
    } else if (full && passed(this.#rest, FULL_IDLE_TIMEOUT_MS)) {
      this.leave(full);
    }
  }

  /**
   * Waits for bytes and puts them into the inbox, which holds no complete line; false at the end of the
   * stream, undefined when `ms` passed before, and then the read goes on.
   *
   * @throws {ConnectionLostError}
   */
  async read(ms?: number): Promise<boolean | undefined> {
    if (this.readBuffer.buffered > 0) {
      this.#line ??= { since: this.#clock.now(), ms: LINE_TIMEOUT_MS };
    }
    this.#reading ??= this.#fillBuffer();
    // A read that goes on may fail while nobody waits for it.
    this.#reading.catch(() => {});
    if (ms === undefined) return await this.#reading;
    const late = Promise.withResolvers<undefined>();
    using _timer = this.#clock.after(ms, () => late.resolve(undefined));
    return await Promise.race([this.#reading, late.promise]);
  }

  /** Sends all of `bytes`, which must stay as they are until then. @throws {ConnectionLostError} */
  async send(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length;) {
      const left = bytes.length - start;
      const end = start + (left > this.#step + HEAD_BYTES ? this.#step : left);
      const before = this.#clock.now();
      this.#writing = { since: before, ms: WRITE_TIMEOUT_MS };
      await this.#write(bytes.subarray(start, end));
      const now = this.#clock.now();
      this.#sent = this.recentBytes(now) + end - start;
      this.#sentAt = now;
      const slow = now - before >= SLOW_STEP_MS;
      this.#step = slow ? MIN_STEP_BYTES : Math.min(this.#step * 2, MAX_STEP_BYTES);
      start = end;
    }
    this.#writing = undefined;
  }

  async sendText(text: string): Promise<void> {
    await this.send(new TextEncoder().encode(text));
  }

  /**
   * Says that nothing more will come. Closing at once would do harm: with
   * requests of the client still unread, the system resets the connection and
   * the client may never see our last reply.
   */
  async endWriting(): Promise<void> {
    this.setIdle(CLOSE_TIMEOUT_MS);
    try {
      await this.#orLost(this.#stream.endWriting());
    } catch {
      // Then the client has gone already.
    }
  }

  /** Reads on, for nothing, until the client closes or its time is up. */
  async discard(): Promise<void> {
    do {
      this.readBuffer.takeInto(new Uint8Array(this.readBuffer.buffered));
    } while (await this.read());
  }

  /** What answers the client from now on, since it was told to leave. */
  get leaving(): ErrorReply | undefined {
    return this.#leaving;
  }

  /** Ends the conversation: what is being sent is finished, and `refusal` answers the rest. Once. */
  leave(refusal: ErrorReply): void {
    if (this.#leaving) return;
    this.#leaving = refusal;
    if (this.onLeave) this.onLeave(refusal);
    else this.close(refusal.text);
  }

  /** Ends both directions at once. Twice is no error; the first reason counts. */
  close(reason = "closed"): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    this.#stream.close();
    for (const fail of this.#waits) fail(new ConnectionLostError(reason));
  }

  /**
   * Resolves when the system is done with the connection. A write to a client
   * that does not read outlives even `close`: the platform cannot take it back,
   * and its descriptor stays open until the client reads or goes.
   */
  get released(): Promise<void> {
    return this.#stream.released;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #fillBuffer(): Promise<boolean> {
    try {
      const space = this.readBuffer.space();
      const count = await this.#orLost(this.#stream.read(space));
      if (count !== null) this.readBuffer.filled(count);
      return count !== null;
    } finally {
      this.#reading = undefined;
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#lost !== undefined) throw new ConnectionLostError(this.#lost);
    await this.#orLost(this.#stream.write(bytes));
  }

  /** What `operation` gives, or a loss as soon as the connection is closed: it may outlive the connection. */
  #orLost<T>(operation: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waits.add(reject);
      const end = () => this.#waits.delete(reject);
      operation.then(
        (value) => (end(), resolve(value)),
        (error) => (end(), reject(this.#lossOf(error))),
      );
    });
  }

  #lossOf(error: unknown): ConnectionLostError {
    return new ConnectionLostError(this.#lost ?? reasonOf(error), error);
  }
}
