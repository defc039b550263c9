/**
 * Reads ranges of a file from a server that sends only whole files: one response is read from the
 * beginning to the end, and the ranges are filled as their bytes pass. Ranges are served in the order
 * of their offsets; one that lies behind the position starts a new response.
 */
import { UnreachableError } from "../base/errors.ts";
import type { ByteRange } from "../base/ranges.ts";
import type { Clock } from "../base/clock.ts";
import { onAbort } from "../base/abort.ts";
import type { ReadOptions } from "./source.ts";
import type { Exchange } from "./web_request.ts";

interface Waiting {
  readonly range: ByteRange;
  readonly into: Uint8Array;
  readonly onBytes: ReadOptions["onBytes"];
  readonly signal: AbortSignal;
  readonly settle: PromiseWithResolvers<void>;
}

/** A response that is not read for this long is closed: its connection may be of use to others. */
const IDLE_TIMEOUT_MS = 20_000;

export class WholeBody implements AsyncDisposable {
  readonly #id: string;
  readonly #clock: Clock;
  readonly #size: number;
  readonly #open: (signal: AbortSignal) => Promise<Exchange>;
  readonly #waiting: Waiting[] = [];
  #exchange: Exchange | undefined;
  #stop = new AbortController();
  /** The offset of the next byte of the response. */
  #position = 0;
  /** Bytes that came and were not used yet. */
  #rest = new Uint8Array();
  #working: Promise<void> | undefined;
  #idle: Disposable | undefined;

  /** @param open requests the whole file of `size` bytes. @throws {P2pError} if it is not sent. */
  constructor(
    id: string,
    size: number,
    clock: Clock,
    open: (signal: AbortSignal) => Promise<Exchange>,
  ) {
    this.#id = id;
    this.#size = size;
    this.#clock = clock;
    this.#open = open;
  }

  async read(
    range: ByteRange,
    into: Uint8Array,
    onBytes: ReadOptions["onBytes"],
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const waiting: Waiting = { range, into, onBytes, signal, settle: Promise.withResolvers() };
    this.#waiting.push(waiting);
    using _stop = onAbort(signal, () => {
      const at = this.#waiting.indexOf(waiting);
      // The one that is being filled ends by itself, because its memory is in use until then.
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      waiting.settle.reject(signal.reason);
    });
    this.#working ??= this.#work();
    await waiting.settle.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new UnreachableError(`The connections to ${this.#id} were closed`);
    for (const { settle } of this.#waiting.splice(0)) settle.reject(closed);
    this.#stop.abort(closed);
    await this.#working;
    await this.#close();
  }

  async #work(): Promise<void> {
    this.#idle?.[Symbol.dispose]();
    // Callers ask for several ranges at once: the first one is known when all have been asked for.
    await Promise.resolve();
    for (let next = this.#takeFirst(); next; next = this.#takeFirst()) {
      try {
        await this.#fill(next);
        next.settle.resolve();
      } catch (error) {
        await this.#close();
        next.settle.reject(next.signal.aborted ? next.signal.reason : error);
      }
    }
    this.#working = undefined;
    if (this.#position >= this.#size) await this.#close();
    if (this.#exchange) {
      this.#idle = this.#clock.after(IDLE_TIMEOUT_MS, () => void this.#close());
    }
  }

  #takeFirst(): Waiting | undefined {
    const first = this.#waiting.toSorted((a, b) => a.range.start - b.range.start)[0];
    if (first) this.#waiting.splice(this.#waiting.indexOf(first), 1);
    return first;
  }

  async #fill({ range, into, onBytes, signal }: Waiting): Promise<void> {
    if (this.#position > range.start) await this.#close();
    using _stop = onAbort(signal, () => this.#stop.abort(signal.reason));
    this.#exchange ??= await this.#open(this.#stop.signal);
    while (this.#position < range.start) {
      this.#take(await this.#next(signal), range.start - this.#position);
    }
    for (let at = 0; at < into.length;) {
      const bytes = this.#take(await this.#next(signal), into.length - at);
      into.set(bytes, at);
      onBytes(bytes.length, at);
      at += bytes.length;
    }
  }

  /** At least one byte. */
  async #next(signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    while (this.#rest.length === 0) {
      const bytes = await this.#exchange!.read();
      signal.throwIfAborted();
      if (bytes === undefined) {
        throw new UnreachableError(`Lost the connection to ${this.#id}: it was cut`);
      }
      this.#rest = bytes as Uint8Array<ArrayBuffer>;
    }
    return this.#rest;
  }

  #take(bytes: Uint8Array, atMost: number): Uint8Array {
    const taken = bytes.subarray(0, atMost);
    this.#rest = this.#rest.subarray(taken.length);
    this.#position += taken.length;
    return taken;
  }

  async #close(): Promise<void> {
    this.#idle?.[Symbol.dispose]();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#stop = new AbortController();
    this.#position = 0;
    this.#rest = new Uint8Array();
    await exchange?.[Symbol.asyncDispose]();
  }
}
