/**
 * One GET to a web server: within the limits on connections and time, through redirects, with
 * credentials only for the origin that they were given for. No error and no event contains a header
 * or the query of a URL, which may be secret.
 */
import { type LinkedAbort, linkedAbort, onAbort } from "../base/abort.ts";
import { type Clock, SUSPEND_THRESHOLD_MS } from "../base/clock.ts";
import { isOutOfDescriptors } from "../base/descriptors.ts";
import {
  AuthError,
  BusyError,
  ChangedError,
  NotFoundError,
  type P2pError,
  ProtocolError,
  reasonOf,
  TimeoutError,
  UnreachableError,
} from "../base/errors.ts";
import type { ByteRange } from "../base/ranges.ts";
import { Semaphore } from "../base/semaphore.ts";
import { connectReasonOf } from "./connect_errors.ts";
import type { HttpClient } from "./http_client.ts";
import { type ResponseHead, type Verdict, verdictOf } from "./http_response.ts";
import { isPrivateAddress } from "./private_address.ts";

/** Adds what a server needs to accept a request, for example a signature. */
export type SignRequest = (
  url: URL,
  headers: Readonly<Record<string, string>>,
) => Promise<Readonly<Record<string, string>>>;

export interface WebRequestOptions {
  readonly clock: Clock;
  readonly http: HttpClient;
  /** Connections to this source. */
  readonly connections: number;
  /** Connections to all sources together. */
  readonly slots: Semaphore;
  readonly connectMs: number;
  readonly stallMs: number;
  readonly onOutOfDescriptors?: () => void;
}

export interface WebRequest {
  readonly url: URL;
  readonly range?: ByteRange | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A response whose head has come. Disposing it frees the connection. */
export interface Exchange extends AsyncDisposable {
  /** The address that answered, after all redirects. */
  readonly url: URL;
  readonly head: ResponseHead;
  readonly verdict: Exclude<Verdict, { kind: "redirect" }>;
  /** The next bytes of the body, valid until the next call; undefined at its end. @throws {P2pError} */
  read(): Promise<Uint8Array | undefined>;
}

const MAX_REDIRECTS = 10;
/** A connect that takes longer than this is not worth waiting for where other sources answer. */
const SLOW_CONNECT_MS = 1000;
/** Other connections and files release descriptors within this time. */
const DESCRIPTORS_RETRY_MS = 1000;
/** A shorter rest of a body is read, so that the connection can be used again. */
const MAX_DRAINED_BYTES = 64 * 1024;
/** With 64 KiB, the platform's default, a download takes twice as much of the processor; 1 MiB gains no more. */
const READ_BUFFER_BYTES = 512 * 1024;
/** One for each of the usual connections. */
const MAX_FREE_BUFFERS = 4;
/** Requests in a row that are answered before one more connection is used after a pause. */
const ANSWERS_PER_CONNECTION = 16;

export class WebRequester {
  readonly #id: string;
  readonly #options: WebRequestOptions;
  readonly #slots: Semaphore;
  /** The origin that the credentials are for. */
  readonly #origin: string;
  readonly #credentials: Readonly<Record<string, string>>;
  readonly #sign: SignRequest | undefined;
  readonly #buffers = new ReadBuffers();
  #reached = false;
  #troubled = false;
  #answers = 0;

  /** @param base the address of the source, with its user and password if it has them. */
  constructor(
    id: string,
    base: URL,
    options: WebRequestOptions,
    { headers = {}, sign }: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly sign?: SignRequest | undefined;
    } = {},
  ) {
    this.#id = id;
    this.#options = options;
    this.#slots = new Semaphore(options.connections);
    this.#origin = base.origin;
    this.#credentials = { ...basicAuth(base), ...headers };
    this.#sign = sign;
  }

  /** Whether a head ever came. */
  get reached(): boolean {
    return this.#reached;
  }

  /** Whether the last request failed or its head takes long. */
  get troubled(): boolean {
    return this.#troubled;
  }

  /** @throws {P2pError} if there is no head. @throws the signal's reason if it aborts. */
  async get(request: WebRequest, signal: AbortSignal): Promise<Exchange> {
    const { clock } = this.#options;
    let { url } = request;
    for (let redirects = 0;; redirects++) {
      const exchange = await this.#exchange({ ...request, url }, signal);
      const verdict = verdictOf(exchange.head, request.range, clock.wallTime());
      if (verdict.kind !== "redirect") {
        this.#adapt(verdict.kind === "busy");
        return exchange.with(verdict);
      }
      await exchange[Symbol.asyncDispose]();
      if (redirects === MAX_REDIRECTS) {
        throw new ProtocolError(`${this.#id} redirects more than ${MAX_REDIRECTS} times`);
      }
      url = await this.#redirected(url, verdict.location);
    }
  }

  async #redirected(from: URL, location: string): Promise<URL> {
    if (!URL.canParse(location, from)) {
      throw new ProtocolError(`${this.#id} redirects to an address that is not valid`);
    }
    const to = new URL(location, from);
    if (to.protocol !== "http:" && to.protocol !== "https:") {
      throw new ProtocolError(`${this.#id} redirects to an address that is not HTTP`);
    }
    if (to.hostname !== from.hostname && await this.#isPublic(from) && await this.#isPrivate(to)) {
      throw new ProtocolError(`${this.#id} redirects to an address in a private network`);
    }
    to.username = to.password = to.hash = "";
    return to;
  }

  async #isPublic({ hostname }: URL): Promise<boolean> {
    const addresses = await this.#addressesOf(hostname);
    return addresses.length > 0 && !addresses.some(isPrivateAddress);
  }

  async #isPrivate({ hostname }: URL): Promise<boolean> {
    return (await this.#addressesOf(hostname)).some(isPrivateAddress);
  }

  #addressesOf(hostname: string): Promise<readonly string[]> {
    return this.#options.http.resolve(hostname.replace(/^\[|\]$/g, ""));
  }

  /** Fewer connections to a server that asks for a pause; one more after a series of answers. */
  #adapt(busy: boolean): void {
    const { size } = this.#slots;
    if (busy) {
      this.#answers = 0;
      this.#slots.resize(Math.max(1, Math.floor(size / 2)));
    } else if (size < this.#options.connections && ++this.#answers % ANSWERS_PER_CONNECTION === 0) {
      this.#slots.resize(size + 1);
    }
  }

  async #exchange({ url, range, headers }: WebRequest, signal: AbortSignal): Promise<RawExchange> {
    using slots = new DisposableStack();
    slots.use(await this.#slots.acquire(signal));
    slots.use(await this.#options.slots.acquire(signal));
    const { clock, stallMs, connectMs } = this.#options;
    const plain = new URL(url);
    plain.username = plain.password = plain.hash = "";
    const all = await this.#headersFor(plain, {
      ...headers,
      // A body that is encoded has other ranges than the file.
      "accept-encoding": "identity",
      "user-agent": "p2p",
      ...range === undefined ? {} : { range: `bytes=${range.start}-${range.end - 1}` },
    });
    const stop = linkedAbort(signal);
    const watch = new StallWatch(clock, Math.max(stallMs, connectMs), (ms) =>
      stop.abort(
        new TimeoutError(`${this.#id} stalled: nothing came for ${ms / 1000} s`),
      ));
    try {
      using _waits = watch.listen();
      const response = await this.#head(plain, all, stop.signal);
      return new RawExchange(this.#id, plain, response, stop, watch, slots.move(), this.#buffers);
    } catch (error) {
      watch[Symbol.dispose]();
      stop[Symbol.dispose]();
      stop.signal.throwIfAborted();
      throw error;
    }
  }

  async #head(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    const { clock, http, onOutOfDescriptors } = this.#options;
    using _slow = clock.after(SLOW_CONNECT_MS, () => this.#troubled = true);
    // Its own signal, which ends with the head: see `RawExchange`.
    const head = new AbortController();
    using _stop = onAbort(signal, () => head.abort(signal.reason));
    try {
      const response = await http.get(url, headers, head.signal);
      if (signal.aborted) {
        await response.body?.cancel().catch(() => {});
        signal.throwIfAborted();
      }
      this.#troubled = false;
      this.#reached = true;
      return response;
    } catch (error) {
      signal.throwIfAborted();
      this.#troubled = true;
      const failure = requestError(this.#id, error, url.protocol === "https:");
      if (failure instanceof BusyError) onOutOfDescriptors?.();
      throw failure;
    }
  }

  async #headersFor(
    url: URL,
    headers: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, string>>> {
    if (url.origin !== this.#origin) return headers;
    const all = { ...headers, ...this.#credentials };
    return this.#sign ? await this.#sign(url, all) : all;
  }
}

/**
 * An abort cancels the body, which settles a pending read at once. The signal of the platform's
 * request does not always: a read has been seen to wait for ever after it.
 */
class RawExchange implements AsyncDisposable {
  readonly url: URL;
  readonly head: ResponseHead;
  readonly #id: string;
  readonly #reader: ReadableStreamBYOBReader | undefined;
  readonly #buffers: ReadBuffers;
  /** Lent to the platform during a read. */
  #buffer: ArrayBuffer | undefined;
  readonly #stop: LinkedAbort;
  readonly #watch: StallWatch;
  readonly #slots: Disposable;
  #ended = false;
  #cancelled: Promise<void> | undefined;

  constructor(
    id: string,
    url: URL,
    { status, headers, body }: Response,
    stop: LinkedAbort,
    watch: StallWatch,
    slots: Disposable,
    buffers: ReadBuffers,
  ) {
    this.#id = id;
    this.url = url;
    this.head = { status, headers };
    this.#reader = body?.getReader({ mode: "byob" });
    this.#buffers = buffers;
    this.#ended = body === null;
    this.#stop = stop;
    this.#watch = watch;
    this.#slots = slots;
    stop.signal.addEventListener("abort", () => this.#cancelled = this.#cancel(), { once: true });
  }

  with(verdict: Exclude<Verdict, { kind: "redirect" }>): Exchange {
    return {
      url: this.url,
      head: this.head,
      verdict,
      read: () => this.read(),
      [Symbol.asyncDispose]: () => this[Symbol.asyncDispose](),
    };
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const { signal } = this.#stop;
    using _waits = this.#watch.listen();
    try {
      const buffer = this.#buffer ?? this.#buffers.take();
      this.#buffer = undefined;
      const { value, done } = await this.#reader!.read(new Uint8Array(buffer));
      if (value) this.#buffer = value.buffer;
      signal.throwIfAborted();
      if (!done) return value;
      this.#ended = true;
      return undefined;
    } catch (error) {
      this.#ended = true;
      signal.throwIfAborted();
      throw bodyError(this.#id, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const length = Number(this.head.headers.get("content-length") ?? NaN);
      if (!this.#ended && length <= MAX_DRAINED_BYTES) {
        // Failures do not matter any more: nothing of this body is used.
        while (await this.read().catch(() => undefined));
      }
    } finally {
      this.#watch[Symbol.dispose]();
      if (!this.#ended) {
        this.#ended = true;
        this.#cancelled ??= this.#cancel();
      }
      await this.#cancelled;
      if (this.#buffer) this.#buffers.give(this.#buffer);
      this.#buffer = undefined;
      this.#stop[Symbol.dispose]();
      this.#slots[Symbol.dispose]();
    }
  }

  async #cancel(): Promise<void> {
    // Of a body that has failed or has been cancelled, nothing is left to cancel.
    await this.#reader?.cancel().catch(() => {});
  }
}

/** Buffers that bodies are read into, used again: see `READ_BUFFER_BYTES`. */
class ReadBuffers {
  readonly #free: ArrayBuffer[] = [];

  take(): ArrayBuffer {
    return this.#free.pop() ?? new ArrayBuffer(READ_BUFFER_BYTES);
  }

  give(buffer: ArrayBuffer): void {
    if (this.#free.length < MAX_FREE_BUFFERS) this.#free.push(buffer);
  }
}

/** Calls `onStall` when a caller has listened for a time without success. One timer for all of them. */
class StallWatch implements Disposable {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #onStall: (ms: number) => void;
  /** undefined while nothing is expected: time between two reads is the caller's own. */
  #since: number | undefined;
  #timer: Disposable;

  constructor(clock: Clock, ms: number, onStall: (ms: number) => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#onStall = onStall;
    this.#timer = this.#wait(ms);
  }

  /** Something is expected until the result is disposed. */
  listen(): Disposable {
    this.#since = this.#clock.now();
    return this.#listening;
  }

  readonly #listening: Disposable = { [Symbol.dispose]: () => this.#since = undefined };

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #wait(ms: number): Disposable {
    const dueAt = this.#clock.now() + ms;
    return this.#clock.after(ms, () => {
      const now = this.#clock.now();
      // A suspended computer hears nothing.
      if (this.#since !== undefined && now - dueAt >= SUSPEND_THRESHOLD_MS) this.#since = now;
      const leftMs = (this.#since ?? now) + this.#ms - now;
      if (leftMs > 0) this.#timer = this.#wait(leftMs);
      else this.#onStall(this.#ms);
    });
  }
}

function basicAuth({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === "" && password === "") return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${new TextEncoder().encode(text).toBase64()}` };
}

/** The platform's message begins with the URL, which may hold secrets. */
const PLATFORM_MESSAGE =
  /^error sending request (?:for url \(.*?\)|from \S+ for \S+(?: \(\S+\))?): /s;

/** Why there is no response. */
export function requestError(id: string, error: unknown, tls: boolean): P2pError {
  const reason = reasonOf(error).replace(PLATFORM_MESSAGE, "").replace(/^client error /, "");
  if (isOutOfDescriptors(error) || /\(os error 24\)/.test(reason)) {
    return new BusyError(
      `Cannot connect to ${id}: too many open files here`,
      DESCRIPTORS_RETRY_MS,
    );
  }
  const connect = reason.match(/^\(Connect\): (?:tcp connect error: |dns error: )?(.*)$/s)?.[1];
  if (connect !== undefined) {
    const text = connectReasonOf(new Error(connect), tls);
    return new UnreachableError(`Cannot connect to ${id}: ${text}`);
  }
  return bodyError(id, new Error(reason.replace(/^\(\w+\): /, "")));
}

function bodyError(id: string, error: unknown): UnreachableError {
  const reason = reasonOf(error);
  const isCut =
    /reading a body|before message completed|end of file|incomplete|reset|broken pipe|closed/i;
  const isUrl = reason.includes("://");
  const text = isCut.test(reason) ? "it was cut" : isUrl ? "it failed" : reason;
  return new UnreachableError(`Lost the connection to ${id}: ${text}`);
}

/** The error for a verdict that brings no bytes. */
export function errorFromVerdict(id: string, verdict: Exchange["verdict"]): P2pError {
  switch (verdict.kind) {
    case "busy":
      return new BusyError(`${id} is busy`, verdict.retryAfterMs);
    case "lacks":
      return new NotFoundError(`${id} does not have it`);
    case "expired":
      return new NotFoundError(`${id} does not have it any more`);
    case "denied":
      return new AuthError(`${id} refuses access (HTTP ${verdict.status})`);
    case "changed":
      return new ChangedError(`the file has changed at ${id}`);
    case "outside":
      return new ChangedError(`the file at ${id} has another size now`);
    case "failing":
      return new UnreachableError(`${id} failed (HTTP ${verdict.status})`);
    case "unusable":
      return new ProtocolError(`${id} ${verdict.reason}`);
    case "range":
    case "whole":
      return new ProtocolError(`${id} sent bytes that were not asked for`);
  }
}
