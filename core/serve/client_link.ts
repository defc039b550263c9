/**
 * The connection to one client, under the protocol's limits of time. Knows no
 * requests. A link is either at rest, and then the client must send something in
 * time, or busy, and then it must only read what it is sent.
 *
 * The limits are looked at from outside (`check`), once a second for all links
 * together: so a read or a write costs no timer.
 */
import type { Clock } from "../base/clock.ts";
import { reasonOf } from "../base/errors.ts";
import type { ByteStream } from "../net/transport.ts";
import { Inbox } from "../wire/inbox.ts";
import { clientOf } from "./admission.ts";

/** The connection is gone: by the client, by a limit, or by our end. */
export class LinkLostError extends Error {
  constructor(reason: string, cause?: unknown) {
    super(`The connection ended: ${reason}`, { cause });
    this.name = "LinkLostError";
  }
}

/** Without a complete line, while nothing is in flight. */
const IDLE_MS = 30_000;
/** From the first byte of a line to its end: enough for three lost packets in a row, of which a line needs few. */
const LINE_MS = 10_000;
/** Without reading anything of what is being sent. */
const WRITE_MS = 30_000;
/** For the client to close after we said our last word. */
const GOODBYE_MS = 1000;

/** Slow links are written to in small steps, so that slow reading is not taken for no reading. */
const SMALL_STEP = 16 * 1024;
const LARGE_STEP = 256 * 1024;
/** Of an inbox: some requests; most clients of many that come at once say no more than a greeting. */
const FIRST_BYTES = 1024;
/** A reply's line goes with the step behind it. */
const HEAD_BYTES = 64;
/** A step that takes longer was too large. */
const SLOW_STEP_MS = 100;

export class ClientLink implements Disposable {
  readonly inbox = new Inbox(FIRST_BYTES);
  /** The client's address: for limits and for events. */
  readonly client: string;
  readonly #stream: ByteStream;
  readonly #clock: Clock;
  #restsUntil: number | undefined;
  #lineUntil: number | undefined;
  #writesUntil: number | undefined;
  #step = SMALL_STEP;
  #reading: Promise<boolean> | undefined;
  /** What waits for the stream; all of it fails when the link is closed. */
  readonly #waits = new Set<(error: Error) => void>();
  #lost: string | undefined;
  /** How a conversation ends in good order while nothing is in flight; without one, the link is closed. */
  farewell: (() => void) | undefined;

  constructor(stream: ByteStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    this.client = clientOf(stream.peer);
    this.rest();
  }

  /** Why it was closed, or undefined while it is open. */
  get lost(): string | undefined {
    return this.#lost;
  }

  get atRest(): boolean {
    return this.#restsUntil !== undefined;
  }

  /** How much it takes in a time that is not long. */
  get stepBytes(): number {
    return this.#step;
  }

  /** A line came, and something is in flight: the client owes us nothing. */
  busy(): void {
    this.#restsUntil = undefined;
    this.#lineUntil = undefined;
  }

  /** Nothing is in flight: the client's turn. */
  rest(ms: number = IDLE_MS): void {
    this.#restsUntil = this.#clock.now() + ms;
  }

  /** Closes the link when a limit has passed. */
  check(nowMs: number): void {
    if (nowMs >= (this.#writesUntil ?? Infinity)) {
      this.close("the client did not read its reply in time");
    } else if (nowMs >= (this.#lineUntil ?? Infinity)) {
      this.close("the client did not finish its line in time");
    } else if (nowMs >= (this.#restsUntil ?? Infinity)) {
      this.close("the client sent nothing in time");
    }
  }

  /**
   * Waits for bytes and puts them into the inbox, which holds no complete line; false at the end of the
   * stream, undefined when `ms` passed before, and then the read goes on.
   *
   * @throws {LinkLostError}
   */
  async fill(ms?: number): Promise<boolean | undefined> {
    if (this.inbox.buffered > 0) this.#lineUntil ??= this.#clock.now() + LINE_MS;
    this.#reading ??= this.#read();
    // A read that goes on may fail while nobody waits for it.
    this.#reading.catch(() => {});
    if (ms === undefined) return await this.#reading;
    const late = Promise.withResolvers<undefined>();
    using _timer = this.#clock.after(ms, () => late.resolve(undefined));
    return await Promise.race([this.#reading, late.promise]);
  }

  /** Sends all of `bytes`, which must stay as they are until then. @throws {LinkLostError} */
  async send(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length;) {
      const left = bytes.length - start;
      const end = start + (left > this.#step + HEAD_BYTES ? this.#step : left);
      const before = this.#clock.now();
      this.#writesUntil = before + WRITE_MS;
      await this.#write(bytes.subarray(start, end));
      const slow = this.#clock.now() - before >= SLOW_STEP_MS;
      this.#step = slow ? SMALL_STEP : Math.min(this.#step * 2, LARGE_STEP);
      start = end;
    }
    this.#writesUntil = undefined;
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
    this.rest(GOODBYE_MS);
    try {
      await this.#orLost(this.#stream.endWriting());
    } catch {
      // Then the client has gone already.
    }
  }

  /** Reads on, for nothing, until the client closes or its time is up. */
  async discard(): Promise<void> {
    do {
      this.inbox.takeInto(new Uint8Array(this.inbox.buffered));
    } while (await this.fill());
  }

  /** Ends a conversation of which nothing is in flight. */
  leave(reason: string): void {
    if (this.farewell) this.farewell();
    else this.close(reason);
  }

  /** Ends both directions at once. Twice is no error; the first reason counts. */
  close(reason = "closed"): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    this.#stream.close();
    for (const fail of this.#waits) fail(new LinkLostError(reason));
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

  async #read(): Promise<boolean> {
    try {
      const space = this.inbox.space();
      const count = await this.#orLost(this.#stream.read(space));
      if (count !== null) this.inbox.filled(count);
      return count !== null;
    } finally {
      this.#reading = undefined;
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#lost !== undefined) throw new LinkLostError(this.#lost);
    await this.#orLost(this.#stream.write(bytes));
  }

  /** What `operation` gives, or a loss as soon as the link is closed: it may outlive the link. */
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

  #lossOf(error: unknown): LinkLostError {
    return new LinkLostError(this.#lost ?? reasonOf(error), error);
  }
}
