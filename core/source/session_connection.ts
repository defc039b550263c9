/**
 * One connection that speaks the session dialect: many requests may wait for
 * their replies, which come in order. It owns its pending requests, and a body
 * is read straight into the memory that its asker gave.
 *
 * It does not know which range is wanted, nor what a digest is.
 */
import { type Clock, SUSPEND_THRESHOLD_MS } from "../base/clock.ts";
import { onAbort } from "../base/abort.ts";
import {
  P2pError,
  plainReasonOf,
  ProtocolError,
  TimeoutError,
  UnreachableError,
} from "../base/errors.ts";
import type { Greeting } from "../protocol/greeting.ts";
import type { ReadBuffer } from "../protocol/read_buffer.ts";
import { parseReply, type Reply } from "../protocol/replies.ts";
import { encodeSessionRequest, type SessionRequest } from "../protocol/requests.ts";
import type { ByteStream } from "./transport.ts";

/** Where a reply's body goes: memory of exactly its length, or any length up to a limit. */
export type BodyTarget =
  | { readonly kind: "none" }
  | {
    readonly kind: "into";
    readonly bytes: Uint8Array;
    readonly onBytes?: (count: number, at: number) => void;
  }
  | { readonly kind: "upTo"; readonly bytes: number };

export interface SessionReply {
  readonly reply: Reply;
  readonly body: Uint8Array;
}

interface Pending {
  readonly place: BodyTarget;
  readonly settle: (answer: SessionReply) => void;
  readonly fail: (error: unknown) => void;
  /** The asker has left, and why: the body is read past. */
  left?: { readonly reason: unknown };
  /** What of the body has not come yet, as far as we know. */
  missing: number;
}

export interface ConnectionLimits {
  readonly clock: Clock;
  /** Silence for so long, with a request pending, ends the connection. */
  readonly stallMs: number;
  /** A connection that nobody uses for so long is closed; less than the 30 s after which a seed would. */
  readonly idleMs: number;
}

/** An abandoned body of more than this is not worth reading past: a new connection is cheaper. */
const MAX_DRAIN_BYTES = 64 * 1024;
/** Nor is one that does not come: who left is waiting for his memory. */
const MAX_DRAIN_MS = 200;
const EMPTY = new Uint8Array();

export class SessionConnection implements AsyncDisposable {
  readonly #seed: string;
  readonly #stream: ByteStream;
  readonly #buffer: ReadBuffer;
  readonly #limits: ConnectionLimits;
  readonly #pending: Pending[] = [];
  readonly #reading: Promise<void>;
  readonly #onChange: () => void;
  #writing: Promise<void> | undefined;
  #outgoing = "";
  #scratch: Uint8Array | undefined;
  #lastByteAt: number;
  #watch: Disposable | undefined;
  /** When it goes off. */
  #watchAt = Infinity;
  #closed = false;
  /** The pending request whose memory a read may be writing to right now. */
  #receiving: Pending | undefined;

  /** Takes over `stream`, whose greeting was read through `buffer`. @param onChange told when `depth` fell, and when the connection has closed. */
  constructor(
    seed: string,
    stream: ByteStream,
    buffer: ReadBuffer,
    readonly greeting: Greeting,
    limits: ConnectionLimits,
    onChange: () => void,
  ) {
    this.#seed = seed;
    this.#stream = stream;
    this.#buffer = buffer;
    this.#limits = limits;
    this.#onChange = onChange;
    this.#lastByteAt = limits.clock.now();
    this.#reading = this.#readReplies();
    this.#keepWatch();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Requests that wait for their reply. */
  get depth(): number {
    return this.#pending.length;
  }

  /**
   * Sends `request` and waits for its reply. Several may wait; the caller keeps
   * `depth` at or below the seed's `maxInflight`.
   *
   * When it settles, in whatever way, nothing writes to the place's memory any more.
   *
   * @throws {UnreachableError} if the connection ended. @throws {TimeoutError} if it stalled.
   * @throws {ProtocolError} if the seed breaks the protocol.
   * @throws the signal's reason if it aborts.
   */
  async request(
    request: SessionRequest,
    place: BodyTarget,
    signal: AbortSignal,
  ): Promise<SessionReply> {
    if (this.#closed) {
      throw new UnreachableError(
        `Cannot ask ${this.#seed}: the connection has ended`,
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<SessionReply>();
    const pending: Pending = {
      place,
      settle: resolve,
      fail: reject,
      missing: place.kind === "into" ? place.bytes.length : 0,
    };
    using _leave = onAbort(signal, () => this.#abandon(pending, signal.reason));
    if (this.#pending.length === 0) this.#lastByteAt = this.#limits.clock.now();
    this.#pending.push(pending);
    this.#keepWatch();
    this.#send(encodeSessionRequest(request) + "\n");
    return await promise;
  }

  /** Ends the connection at once; what is pending fails with `error`. */
  close(
    error: unknown = new UnreachableError(
      `The connection to ${this.#seed} was closed`,
    ),
  ): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch?.[Symbol.dispose]();
    this.#stream.close();
    // Only the first one was being answered: a line that nobody understands is not the others' fault.
    const broken = error instanceof ProtocolError;
    for (const [i, pending] of this.#pending.splice(0).entries()) {
      const reason = broken && i > 0
        ? new UnreachableError(`Lost the connection to ${this.#seed}: ${error.message}`)
        : error;
      const fail = () => pending.fail(pending.left ? pending.left.reason : reason);
      // Its memory is still being written to: it is told when that read has ended.
      if (pending !== this.#receiving) fail();
      else this.#reading.then(fail);
    }
    this.#onChange();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await Promise.all([this.#reading, this.#writing]);
  }

  #abandon(pending: Pending, reason: unknown): void {
    pending.left = { reason };
    if (pending !== this.#receiving) pending.fail(reason);
    if (!this.#worthless) return;
    const missing = this.#pending.reduce((sum, one) => sum + one.missing, 0);
    if (missing > MAX_DRAIN_BYTES) this.close(reason);
    else this.#keepWatch();
  }

  /** Whether nobody waits for what is still to come. */
  get #worthless(): boolean {
    return this.#pending.every((one) => one.left);
  }

  /** Requests made in one turn leave in one write. */
  #send(line: string): void {
    this.#outgoing += line;
    this.#writing ??= this.#flush();
  }

  async #flush(): Promise<void> {
    await Promise.resolve();
    try {
      while (this.#outgoing !== "") {
        const bytes = new TextEncoder().encode(this.#outgoing);
        this.#outgoing = "";
        await this.#stream.write(bytes);
      }
    } catch (error) {
      this.close(this.#lost(error));
    } finally {
      this.#writing = undefined;
    }
  }

  async #readReplies(): Promise<void> {
    try {
      while (true) {
        const line = await this.#readLine();
        const pending = this.#pending[0];
        if (pending === undefined) {
          throw new UnreachableError(
            `${this.#seed} ended the session: ${line}`,
          );
        }
        const reply = parseReply(line);
        const body = await this.#readBody(pending, reply);
        this.#pending.shift();
        this.#receiving = undefined;
        pending.settle({ reply, body });
        if (this.#pending.length === 0) this.#keepWatch();
        this.#onChange();
      }
    } catch (error) {
      this.close(this.#lost(error));
    }
  }

  async #readLine(): Promise<string> {
    for (let line = this.#buffer.takeLine();; line = this.#buffer.takeLine()) {
      if (line !== undefined) return line;
      const space = this.#buffer.space();
      this.#buffer.filled(await this.#read(space));
    }
  }

  async #readBody(pending: Pending, reply: Reply): Promise<Uint8Array> {
    const body = this.#memoryFor(pending, reply);
    pending.missing = body.length;
    for (let at = 0; at < body.length;) {
      this.#receiving = pending;
      const target = pending.left ? this.#scratchOf(body.length - at) : body.subarray(at);
      const count = this.#buffer.takeInto(target) || await this.#read(target);
      pending.missing -= count;
      // From here on, nothing writes to the memory of one who left.
      if (pending.left) pending.fail(pending.left.reason);
      else if (pending.place.kind === "into") pending.place.onBytes?.(count, at);
      at += count;
    }
    return body;
  }

  #memoryFor({ place }: Pending, reply: Reply): Uint8Array {
    if (reply.kind === "error") return EMPTY;
    if (reply.kind === "size") {
      if (place.kind === "none") return EMPTY;
      throw new ProtocolError(`${this.#seed} sent a size instead of a body`);
    }
    if (place.kind === "into" && reply.length === place.bytes.length) {
      return place.bytes;
    }
    if (place.kind === "upTo" && reply.length <= place.bytes) {
      return new Uint8Array(reply.length);
    }
    if (place.kind === "none" && reply.length === 0) return EMPTY;
    throw new ProtocolError(
      `${this.#seed} announced a body of ${reply.length} bytes, which was not asked for`,
    );
  }

  #scratchOf(length: number): Uint8Array {
    this.#scratch ??= new Uint8Array(MAX_DRAIN_BYTES);
    return this.#scratch.subarray(0, length);
  }

  async #read(into: Uint8Array): Promise<number> {
    const count = await this.#stream.read(into);
    if (count === null) {
      throw new UnreachableError(`${this.#seed} closed the connection`);
    }
    this.#lastByteAt = this.#limits.clock.now();
    return count;
  }

  /** One timer: it looks for silence while something is pending, and for idleness otherwise. */
  #keepWatch(): void {
    if (this.#closed) return;
    const { clock, stallMs, idleMs } = this.#limits;
    const busy = this.#pending.length > 0;
    const leaving = this.#receiving?.left && this.#worthless;
    this.#forgiveSleep();
    const now = clock.now();
    const dueAt = this.#lastByteAt + (!busy ? idleMs : leaving ? MAX_DRAIN_MS : stallMs);
    if (now >= dueAt) return this.close(busy ? this.#stalled(now) : undefined);
    // One that goes off too early only looks again; a new one for every request costs more.
    if (this.#watchAt <= dueAt) return;
    this.#watch?.[Symbol.dispose]();
    this.#watchAt = dueAt;
    this.#watch = clock.after(dueAt - now, () => {
      this.#forgiveSleep();
      this.#watchAt = Infinity;
      this.#keepWatch();
    });
  }

  /** Nothing could be read while the process was stopped: that is not the seed's silence. */
  #forgiveSleep(): void {
    const now = this.#limits.clock.now();
    if (now - this.#watchAt >= SUSPEND_THRESHOLD_MS) this.#lastByteAt = now;
  }

  #stalled(now: number): TimeoutError {
    const seconds = ((now - this.#lastByteAt) / 1000).toFixed(1);
    return new TimeoutError(`${this.#seed} stalled: nothing came for ${seconds} s`);
  }

  #lost(error: unknown): unknown {
    if (error instanceof P2pError) return error;
    return new UnreachableError(
      `Lost the connection to ${this.#seed}: ${plainReasonOf(error)}`,
      { cause: error },
    );
  }
}
