/**
 * One session connection: sends many requests without waiting, and matches the replies, which come
 * in order. A body is read directly into the caller's memory.
 */
import { type Clock, SUSPEND_THRESHOLD_MS } from "../base/clock.ts";
import { onAbort } from "../base/abort.ts";
import {
  AuthError,
  type P2pError,
  ProtocolError,
  TimeoutError,
  UnreachableError,
} from "../base/errors.ts";
import { parseErrorReply } from "../protocol/error_replies.ts";
import { authResponse, type Greeting, parseGreeting } from "../protocol/greeting.ts";
import type { ReadBuffer } from "../protocol/read_buffer.ts";
import { parseReply, type Reply } from "../protocol/replies.ts";
import { encodeSessionRequest, HELLO, type SessionRequest } from "../protocol/requests.ts";
import { connectionError, errorFromReply, OpeningError } from "./errors.ts";
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

/** A connection on which requests follow `HELLO` without a wait, because the seed has greeted before. */
export interface Opening {
  readonly token: string | undefined;
  /** Silence for this long before the greeting ends the connection. */
  readonly waitMs: number;
  /** Receives the greeting and the ms that it took. */
  onGreeting(greeting: Greeting, roundTripMs: number): void;
  /** The connection has ended without a greeting. */
  onFailed(error: OpeningError): void;
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
  readonly #openedAt: number;
  #timer: Disposable | undefined;
  #timerAt = Infinity;
  #closed = false;
  /** The request whose memory a read may be writing to at the moment. */
  #receiving: PendingRequest | undefined;
  #greeting: Greeting;
  /** Until the greeting has come. */
  #opening: Opening | undefined;
  /** Requests that wait for the greeting, because the token has to be proved first. */
  #held: string | undefined;

  /**
   * Takes over `stream`, whose greeting was read through `buffer`.
   *
   * @param greeting with `opening`, the one that is expected
   * @param onChange is called when `depth` has decreased and when the connection has closed.
   * @param opening if the stream is new: sends `HELLO`, and requests without a wait for the greeting.
   */
  constructor(
    seed: string,
    stream: ByteStream,
    buffer: ReadBuffer,
    greeting: Greeting,
    limits: ConnectionLimits,
    onChange: () => void,
    opening?: Opening,
  ) {
    this.#seed = seed;
    this.#stream = stream;
    this.#buffer = buffer;
    this.#greeting = greeting;
    this.#limits = limits;
    this.#onChange = onChange;
    this.#lastByteAt = this.#openedAt = limits.clock.now();
    this.#opening = opening;
    if (opening) {
      this.#send(`${HELLO}\n`);
      if (greeting.auth === "token") this.#held = "";
    }
    this.#reading = this.#readReplies();
    this.#checkTimeouts();
  }

  /** The seed's greeting, or the expected one until it has come. */
  get greeting(): Greeting {
    return this.#greeting;
  }

  /** Whether the greeting has not come yet. */
  get isOpening(): boolean {
    return this.#opening !== undefined;
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
    if (this.#pending.length === 0 && !this.#opening) this.#lastByteAt = this.#limits.clock.now();
    this.#pending.push(pending);
    this.#checkTimeouts();
    const line = encodeSessionRequest(request) + "\n";
    if (this.#held === undefined) this.#send(line);
    else this.#held += line;
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
    this.#reject(this.#opening ? this.#openingFailed(this.#opening, error) : error);
    this.#onChange();
  }

  #openingFailed(opening: Opening, error: unknown): OpeningError {
    this.#opening = undefined;
    const failed = error instanceof OpeningError
      ? error
      : new OpeningError(connectionError(this.#seed, error));
    opening.onFailed(failed);
    return failed;
  }

  #reject(error: unknown): void {
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
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await Promise.all([this.#reading, this.#writing]);
  }

  #abort(pending: PendingRequest, reason: unknown): void {
    pending.aborted = { reason };
    if (pending !== this.#receiving) pending.reject(reason);
    // What the greeting says is worth the wait for it.
    if (this.#isDraining && !this.#opening) this.#drain(reason);
  }

  /** Discards all that is to come, or ends the connection if that is too much. */
  #drain(reason: unknown): void {
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
      if (this.#opening) this.#greeted(this.#opening, await this.#readLine());
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

  /** @throws {OpeningError} if `line` is no greeting that the session can go on with. */
  #greeted(opening: Opening, line: string): void {
    const now = this.#limits.clock.now();
    const greeting = parseGreeting(line);
    if (!greeting) throw new OpeningError(this.#errorInsteadOfGreeting(line));
    const needsToken = greeting.auth === "token";
    // What was sent before the proof is refused, and the seed closes.
    const isRefused = needsToken && this.#held === undefined && this.#greeting.auth === "none";
    this.#greeting = greeting;
    this.#opening = undefined;
    opening.onGreeting(greeting, now - this.#openedAt);
    if (isRefused) {
      throw new OpeningError(new UnreachableError(`${this.#seed} asks for a token now`));
    }
    if (needsToken && opening.token === undefined) {
      throw new OpeningError(new AuthError(`${this.#seed} asks for a token`));
    }
    const held = this.#held ?? "";
    this.#held = undefined;
    if (needsToken) this.#authenticate(greeting, opening.token!, held);
    else if (held !== "") this.#send(held);
    const [first] = this.#pending;
    if (first?.aborted && this.#isDraining) this.#drain(first.aborted.reason);
    else this.#checkTimeouts();
  }

  #errorInsteadOfGreeting(line: string): P2pError {
    const error = parseErrorReply(line);
    return error && ["BUSY", "AUTH", "SHUTDOWN"].includes(error.code)
      ? errorFromReply(this.#seed, error)
      : new UnreachableError(`${this.#seed} did not greet as before`);
  }

  /** Proves the token; the requests follow without a wait. */
  #authenticate({ nonce }: Greeting, token: string, held: string): void {
    const { promise, resolve, reject } = Promise.withResolvers<SessionReply>();
    this.#pending.unshift({ target: { kind: "none" }, resolve, reject, missing: 0 });
    const answer = authResponse(nonce, token);
    this.#send(`${encodeSessionRequest({ verb: "AUTH", answer })}\n${held}`);
    promise.then(({ reply }) => {
      if (reply.kind !== "error") return;
      const { error } = reply;
      this.close(
        error.code === "AUTH"
          ? new AuthError(`${this.#seed} does not accept the token`, { problem: "token-rejected" })
          : errorFromReply(this.#seed, error),
      );
      // A connection that ends has an error for each of its requests.
    }, () => {});
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
    const isBusy = this.#pending.length > 0 || this.#opening !== undefined;
    const drains = this.#receiving?.aborted && this.#isDraining;
    const timeoutMs = !isBusy ? idleMs : drains ? MAX_DRAIN_MS : this.#opening?.waitMs ?? stallMs;
    const dueAt = this.#lastByteAt + timeoutMs;
    if (now >= dueAt) return this.close(isBusy ? this.#stalled(now) : undefined);
    // An early timer only checks again, which is cheaper than a new timer for every request.
    if (!timerFired && this.#timerAt <= dueAt) return;
    this.#timer?.[Symbol.dispose]();
    this.#timerAt = dueAt;
    this.#timer = clock.after(dueAt - now, () => this.#checkTimeouts(true));
  }

  #stalled(now: number): TimeoutError {
    if (this.#opening) return new TimeoutError(`${this.#seed} did not answer the greeting`);
    const seconds = ((now - this.#lastByteAt) / 1000).toFixed(1);
    return new TimeoutError(`${this.#seed} stalled: nothing came for ${seconds} s`);
  }
}
