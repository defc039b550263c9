/**
 * One session connection: sends many requests without waiting, and matches the replies, which come
 * in order. A body is read directly into the caller's memory.
 */
import { type Clock, SUSPEND_THRESHOLD_MS } from "../base/clock.ts";
import { onAbort } from "../base/abort.ts";
import { ProtocolError, TimeoutError, UnreachableError } from "../base/errors.ts";
import type { Greeting } from "../protocol/greeting.ts";
import type { ReadBuffer } from "../protocol/read_buffer.ts";
import { parseReply, type Reply } from "../protocol/replies.ts";
import { encodeSessionRequest, type SessionRequest } from "../protocol/requests.ts";
import { connectionError } from "./errors.ts";
import type { ByteStream } from "./transport.ts";

/** What receives the body of a reply: memory of exactly its length, or any length up to a limit. */
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

interface PendingRequest {
  readonly target: BodyTarget;
  readonly resolve: (reply: SessionReply) => void;
  readonly reject: (error: unknown) => void;
  /** Set when the caller has aborted: the body is discarded. */
  aborted?: { readonly reason: unknown };
  /** Bytes of the body that are still to come, as far as known. */
  missing: number;
}

export interface ConnectionLimits {
  readonly clock: Clock;
  /** Silence for this long with a request pending ends the connection. */
  readonly stallMs: number;
  /** A connection without requests for this long is closed. Must be below the seed's 30 s. */
  readonly idleMs: number;
}

/** A new connection is cheaper than discarding more bytes than this. */
const MAX_DRAIN_BYTES = 64 * 1024;
/** The same for the wait for them: an aborted caller still waits for its memory. */
const MAX_DRAIN_MS = 200;
/** Bodies of at most this many bytes share their memory with others: an allocation costs more than their bytes. */
const MAX_SHARED_BYTES = 32 * 1024;
const SHARED_BLOCK_BYTES = 512 * 1024;
const EMPTY = new Uint8Array();

export class SessionConnection implements AsyncDisposable {
  readonly #seed: string;
  readonly #stream: ByteStream;
  readonly #buffer: ReadBuffer;
  readonly #limits: ConnectionLimits;
  readonly #pending: PendingRequest[] = [];
  readonly #reading: Promise<void>;
  readonly #onChange: () => void;
  #writing: Promise<void> | undefined;
  #outgoing = "";
  /** Receives discarded bytes. */
  #scratch: Uint8Array | undefined;
  /** The rest of a block for small bodies. */
  #block = EMPTY;
  #lastByteAt: number;
  #timer: Disposable | undefined;
  #timerAt = Infinity;
  #closed = false;
  /** The request whose memory a read may be writing to at the moment. */
  #receiving: PendingRequest | undefined;

  /**
   * Takes over `stream`, whose greeting was read through `buffer`.
   *
   * @param onChange is called when `depth` has decreased and when the connection has closed.
   */
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
    this.#checkTimeouts();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The number of pending requests. */
  get depth(): number {
    return this.#pending.length;
  }

  /**
   * Sends `request` and waits for its reply. Several may be pending; the caller keeps `depth` within
   * the seed's `maxInflight`. Nothing writes to the target's memory after this has settled.
   *
   * @throws {UnreachableError} if the connection ended. @throws {TimeoutError} if it stalled.
   * @throws {ProtocolError} if the seed violates the protocol.
   * @throws the signal's reason if it aborts.
   */
  async request(
    request: SessionRequest,
    target: BodyTarget,
    signal: AbortSignal,
  ): Promise<SessionReply> {
    if (this.#closed) {
      throw new UnreachableError(`Cannot ask ${this.#seed}: the connection has ended`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<SessionReply>();
    const missing = target.kind === "into" ? target.bytes.length : 0;
    const pending: PendingRequest = { target, resolve, reject, missing };
    using _abort = onAbort(signal, () => this.#abort(pending, signal.reason));
    if (this.#pending.length === 0) this.#lastByteAt = this.#limits.clock.now();
    this.#pending.push(pending);
    this.#checkTimeouts();
    this.#send(encodeSessionRequest(request) + "\n");
    return await promise;
  }

  /** Ends the connection at once; pending requests fail with `error`. */
  close(
    error: unknown = new UnreachableError(`The connection to ${this.#seed} was closed`),
  ): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    this.#stream.close();
    for (const [i, pending] of this.#pending.splice(0).entries()) {
      // A protocol error concerns only the first request: the seed may be able to answer the others.
      const reason = error instanceof ProtocolError && i > 0
        ? new UnreachableError(`Lost the connection to ${this.#seed}: ${error.message}`)
        : error;
      const reject = () => pending.reject(pending.aborted ? pending.aborted.reason : reason);
      // A read may still write to its memory, so it is rejected only when that has ended.
      if (pending === this.#receiving) this.#reading.then(reject);
      else reject();
    }
    this.#onChange();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await Promise.all([this.#reading, this.#writing]);
  }

  #abort(pending: PendingRequest, reason: unknown): void {
    pending.aborted = { reason };
    if (pending !== this.#receiving) pending.reject(reason);
    if (!this.#isDraining) return;
    const missing = this.#pending.reduce((sum, one) => sum + one.missing, 0);
    if (missing > MAX_DRAIN_BYTES) this.close(reason);
    else this.#checkTimeouts();
  }

  /** Whether everything that is still to come will be discarded. */
  get #isDraining(): boolean {
    return this.#pending.every(({ aborted }) => aborted);
  }

  /** Requests of one turn of the event loop are sent with one write. */
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
      this.close(connectionError(this.#seed, error));
    } finally {
      this.#writing = undefined;
    }
  }

  async #readReplies(): Promise<void> {
    try {
      while (true) {
        const line = await this.#readLine();
        const pending = this.#pending[0];
        if (!pending) throw new UnreachableError(`${this.#seed} ended the session: ${line}`);
        const reply = parseReply(line);
        const body = await this.#readBody(pending, reply);
        this.#pending.shift();
        this.#receiving = undefined;
        pending.resolve({ reply, body });
        if (this.#pending.length === 0) this.#checkTimeouts();
        this.#onChange();
      }
    } catch (error) {
      this.close(connectionError(this.#seed, error));
    }
  }

  async #readLine(): Promise<string> {
    for (;;) {
      const line = this.#buffer.takeLine();
      if (line !== undefined) return line;
      this.#buffer.filled(await this.#read(this.#buffer.space()));
    }
  }

  async #readBody(pending: PendingRequest, reply: Reply): Promise<Uint8Array> {
    const body = this.#memoryFor(pending.target, reply);
    pending.missing = body.length;
    for (let at = 0; at < body.length;) {
      this.#receiving = pending;
      const into = pending.aborted ? this.#scratchOf(body.length - at) : body.subarray(at);
      const count = this.#buffer.takeInto(into) || await this.#read(into);
      pending.missing -= count;
      // After an abort, the remaining bytes go to the scratch memory.
      if (pending.aborted) pending.reject(pending.aborted.reason);
      else if (pending.target.kind === "into") pending.target.onBytes?.(count, at);
      at += count;
    }
    return body;
  }

  #memoryFor(target: BodyTarget, reply: Reply): Uint8Array {
    if (reply.kind === "error") return EMPTY;
    if (reply.kind === "size") {
      if (target.kind === "none") return EMPTY;
      throw new ProtocolError(`${this.#seed} sent a size instead of a body`);
    }
    const { length } = reply;
    if (target.kind === "into" && length === target.bytes.length) return target.bytes;
    if (target.kind === "upTo" && length <= target.bytes) return this.#newBody(length);
    if (target.kind === "none" && length === 0) return EMPTY;
    throw new ProtocolError(
      `${this.#seed} announced a body of ${length} bytes, which was not asked for`,
    );
  }

  /** Never memory that was given away before: the block is only replaced. */
  #newBody(length: number): Uint8Array {
    if (length > MAX_SHARED_BYTES) return new Uint8Array(length);
    if (this.#block.length < length) this.#block = new Uint8Array(SHARED_BLOCK_BYTES);
    const body = this.#block.subarray(0, length);
    this.#block = this.#block.subarray(length);
    return body;
  }

  #scratchOf(length: number): Uint8Array {
    this.#scratch ??= new Uint8Array(MAX_DRAIN_BYTES);
    return this.#scratch.subarray(0, length);
  }

  async #read(into: Uint8Array): Promise<number> {
    const count = await this.#stream.read(into);
    if (count === null) throw new UnreachableError(`${this.#seed} closed the connection`);
    this.#lastByteAt = this.#limits.clock.now();
    return count;
  }

  /** Closes a stalled or idle connection, or sets the timer for the next check. */
  #checkTimeouts(timerFired = false): void {
    if (this.#closed) return;
    const { clock, stallMs, idleMs } = this.#limits;
    const now = clock.now();
    // The process was suspended and could not read, so this time was not the seed's silence.
    if (now - this.#timerAt >= SUSPEND_THRESHOLD_MS) this.#lastByteAt = now;
    const isBusy = this.#pending.length > 0;
    const drains = this.#receiving?.aborted && this.#isDraining;
    const timeoutMs = !isBusy ? idleMs : drains ? MAX_DRAIN_MS : stallMs;
    const dueAt = this.#lastByteAt + timeoutMs;
    if (now >= dueAt) return this.close(isBusy ? this.#stalled(now) : undefined);
    // An early timer only checks again, which is cheaper than a new timer for every request.
    if (!timerFired && this.#timerAt <= dueAt) return;
    this.#timer?.[Symbol.dispose]();
    this.#timerAt = dueAt;
    this.#timer = clock.after(dueAt - now, () => this.#checkTimeouts(true));
  }

  #stalled(now: number): TimeoutError {
    const seconds = ((now - this.#lastByteAt) / 1000).toFixed(1);
    return new TimeoutError(`${this.#seed} stalled: nothing came for ${seconds} s`);
  }
}
