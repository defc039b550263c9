/**
 * The connection to one client, under the protocol's time limits; it knows no requests.
 * While it is idle, the client must send a request in time. While it is busy, the client
 * must only read its reply.
 *
 * `checkTimeouts` is called once a second for all connections together, so that a read or
 * a write costs no timer.
 */
import type { Clock } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import type { ErrorReply } from "../../protocol/error_replies.ts";
import { ReadBuffer } from "../../protocol/read_buffer.ts";
import type { ByteStream } from "../../source/transport.ts";
import type { Occupant } from "./admission.ts";
import { clientIdOf, displayAddress } from "./client_address.ts";

/** The connection is gone: by the client, by a time limit, or by the server's end. */
export class ConnectionLostError extends Error {
  constructor(reason: string, cause?: unknown) {
    super(`The connection ended: ${reason}`, { cause });
    this.name = "ConnectionLostError";
  }
}

/** The end of most connections; a new error for each would cost as much as a small reply. */
const CLOSED = new ConnectionLostError("closed");

/** Without a complete line, while no request is in flight. */
const IDLE_TIMEOUT_MS = 30_000;
/** From the first byte of a line to its end: enough for three lost packets in a row. */
const LINE_TIMEOUT_MS = 10_000;
/** Without reading anything of what is being sent. */
const WRITE_TIMEOUT_MS = 30_000;
/** For the client to close after the last reply. */
const CLOSE_TIMEOUT_MS = 1000;

/** While the server is full, the limits are shorter: other clients wait for the place. */
const FULL_IDLE_TIMEOUT_MS = 5000;
const FULL_LINE_TIMEOUT_MS = 3000;
const FULL_WRITE_TIMEOUT_MS = 10_000;
/** After this time, sent bytes count for a third. */
const RECENT_WINDOW_MS = 8000;

/** Slow connections are sent small steps, so that slow reading is not taken for no reading. */
const MIN_STEP_BYTES = 16 * 1024;
const MAX_STEP_BYTES = 256 * 1024;
/** A step that takes longer was too large. */
const SLOW_STEP_MS = 100;
/** Enough for some requests; of many clients that come at once, most send no more than a greeting. */
const INITIAL_BUFFER_BYTES = 1024;

interface TimeLimit {
  readonly since: number;
  readonly ms: number;
}

export class ClientConnection implements Occupant, Disposable {
  readonly readBuffer = new ReadBuffer(INITIAL_BUFFER_BYTES);
  /** As shown in events. */
  readonly address: string;
  /** Identifies the client for limits and fair shares. */
  readonly client: string;
  /** When it got its place. */
  admittedAt: number;
  /** Ends the conversation in good order: further requests are refused with `reply`. Without it, `leave` closes the connection. */
  onLeave: ((reply: ErrorReply) => void) | undefined;
  readonly #stream: ByteStream;
  readonly #clock: Clock;
  /** Made on demand: most short connections need none. */
  #end: AbortController | undefined;
  #loss: ConnectionLostError | undefined;
  /** Operations of the stream; all of them fail when the connection ends. */
  readonly #operations = new Set<(error: unknown) => void>();
  #idle: TimeLimit | undefined;
  #line: TimeLimit | undefined;
  #writing: TimeLimit | undefined;
  /** Sum of the bytes sent, weighted by age, as of `#sentAt`. */
  #sent = 0;
  #sentAt: number;
  #stepBytes = MIN_STEP_BYTES;
  #reading: Promise<boolean> | undefined;
  #closeReason: string | undefined;
  #leaving: ErrorReply | undefined;

  constructor(stream: ByteStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    this.address = displayAddress(stream.peer);
    this.client = clientIdOf(this.address);
    this.admittedAt = this.#sentAt = clock.now();
    this.setIdle();
  }

  /** Aborts with a `ConnectionLostError` when the connection ends. */
  get signal(): AbortSignal {
    this.#end ??= new AbortController();
    if (this.#loss) this.#end.abort(this.#loss);
    return this.#end.signal;
  }

  /** Why the server closed it; undefined while it is open, and after the client left. */
  get closeReason(): string | undefined {
    return this.#closeReason;
  }

  get isIdle(): boolean {
    return this.#idle !== undefined;
  }

  /** The longest step that the client reads in a short time. */
  get stepBytes(): number {
    return this.#stepBytes;
  }

  /** A line has arrived: a request is in flight. */
  setBusy(): void {
    this.#idle = undefined;
    this.#line = undefined;
  }

  /** No request is in flight, and the client must send one within `ms`. */
  setIdle(ms: number = IDLE_TIMEOUT_MS): void {
    this.#idle = { since: this.#clock.now(), ms };
  }

  recentBytes(nowMs: number): number {
    return this.#sent * Math.exp((this.#sentAt - nowMs) / RECENT_WINDOW_MS);
  }

  /** Closes the connection if a time limit has passed. @param full ends an idle client when the server is full. */
  checkTimeouts(nowMs: number, full?: ErrorReply): void {
    const hasPassed = (limit: TimeLimit | undefined, fullMs: number) =>
      limit && nowMs - limit.since >= (full ? Math.min(limit.ms, fullMs) : limit.ms);
    if (hasPassed(this.#writing, FULL_WRITE_TIMEOUT_MS)) {
      this.close("the client did not read its reply in time");
    } else if (hasPassed(this.#line, FULL_LINE_TIMEOUT_MS)) {
      this.close("the client did not finish its line in time");
    } else if (hasPassed(this.#idle, Infinity)) {
      this.close("the client sent nothing in time");
    } else if (full && hasPassed(this.#idle, FULL_IDLE_TIMEOUT_MS)) {
      this.leave(full);
    }
  }

  /**
   * Waits for bytes in the read buffer, which holds no complete line. False at the end of the
   * stream; undefined when `ms` have passed, and the read goes on.
   *
   * @throws {ConnectionLostError}
   */
  async read(ms?: number): Promise<boolean | undefined> {
    if (this.readBuffer.buffered > 0) {
      this.#line ??= { since: this.#clock.now(), ms: LINE_TIMEOUT_MS };
    }
    const reading = this.readAhead();
    if (ms === undefined) return await reading;
    const late = Promise.withResolvers<undefined>();
    using _timer = this.#clock.after(ms, () => late.resolve(undefined));
    return await Promise.race([reading, late.promise]);
  }

  /** Starts the next `read`, so that a request is there when the current one is answered, and a reset is noticed. */
  readAhead(): Promise<boolean> {
    if (this.#reading) return this.#reading;
    this.#reading = this.#fillBuffer();
    // It may fail while no caller waits for it.
    this.#reading.catch(() => {});
    return this.#reading;
  }

  /** Sends all of `bytes`, which must not change meanwhile, in one write. @throws {ConnectionLostError} */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.#loss) throw this.#loss;
    const startedAt = this.#clock.now();
    this.#writing = { since: startedAt, ms: WRITE_TIMEOUT_MS };
    await this.#untilEnd(this.#stream.write(bytes));
    this.#writing = undefined;
    const now = this.#clock.now();
    this.#sent = this.recentBytes(now) + bytes.length;
    this.#sentAt = now;
    const isSlow = now - startedAt >= SLOW_STEP_MS;
    this.#stepBytes = isSlow ? MIN_STEP_BYTES : Math.min(this.#stepBytes * 2, MAX_STEP_BYTES);
  }

  async sendText(text: string): Promise<void> {
    await this.send(new TextEncoder().encode(text));
  }

  /**
   * Ends the stream after the last reply and discards what still comes until the client closes.
   * Closing at once, with requests unread, would reset the connection, and the client might
   * never see the last reply.
   */
  async closeGracefully(): Promise<void> {
    this.setIdle(CLOSE_TIMEOUT_MS);
    await this.#untilEnd(this.#stream.endWriting());
    do {
      this.readBuffer.takeInto(new Uint8Array(this.readBuffer.buffered));
    } while (await this.read());
  }

  /** The reply to all further requests, once `leave` was called. */
  get leaving(): ErrorReply | undefined {
    return this.#leaving;
  }

  /** Ends the conversation: the current reply is finished, and further requests get `reply`. Later calls do nothing. */
  leave(reply: ErrorReply): void {
    if (this.#leaving) return;
    this.#leaving = reply;
    if (this.onLeave) this.onLeave(reply);
    else this.close(reply.text);
  }

  /** Ends both directions at once. The first reason counts. */
  close(reason?: string): void {
    if (this.#loss) return;
    const loss = reason === undefined ? CLOSED : new ConnectionLostError(reason);
    this.#closeReason = reason ?? "closed";
    this.#lose(loss);
  }

  /**
   * Resolves when the system is done with the connection. A write to a client that does not read
   * outlives even `close`: its descriptor stays open until the client reads or goes.
   */
  get released(): Promise<void> {
    return this.#stream.released;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #lose(loss: ConnectionLostError): void {
    this.#loss = loss;
    this.#stream.close();
    this.#end?.abort(loss);
    for (const fail of this.#operations) fail(loss);
  }

  async #fillBuffer(): Promise<boolean> {
    try {
      const count = await this.#untilEnd(this.#stream.read(this.readBuffer.space()));
      if (count !== null) this.readBuffer.filled(count);
      return count !== null;
    } finally {
      this.#reading = undefined;
    }
  }

  /** The result of `operation`; a failure, or the end of the connection before it, is a loss. */
  #untilEnd<T>(operation: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#loss) reject(this.#loss);
      this.#operations.add(reject);
      operation.then(
        (value) => {
          this.#operations.delete(reject);
          resolve(value);
        },
        (error) => {
          this.#operations.delete(reject);
          if (!this.#loss) this.#lose(new ConnectionLostError(reasonOf(error), error));
          reject(this.#loss);
        },
      );
    });
  }
}
