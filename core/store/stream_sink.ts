/**
 * The pieces of a content on their way to a reader: passed on in order, each after it was verified.
 * Pieces that come early wait in memory; a window in the plan of the download bounds their number.
 */
import { abortable } from "@std/async";
import { RunningDigest } from "../base/digest.ts";
import { bytesIn, rangeOfPiece } from "../base/pieces.ts";
import type { PieceSink, StoredContent } from "./piece_sink.ts";

export interface StreamOptions {
  /** Bytes at the beginning of the content that are not passed on. */
  readonly skip: number;
  /** Bytes that kept beginnings of pieces may take; further ones are received again. */
  readonly keepBytes: number;
  /** Compute the SHA-256 of the whole, and pass the last piece on only if this accepts it. */
  readonly acceptsSha256?: ((hex: string) => boolean) | undefined;
  /** Resolves when the reader took all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
  /** The reader took this piece. */
  onConsumed(piece: number): void;
  /** The reader cannot take any more, or the SHA-256 is wrong. */
  onFailed(error: unknown): void;
}

interface HeldPiece {
  readonly bytes: Uint8Array;
  readonly buffer: Disposable | undefined;
}

/** The whole has another SHA-256 than the wanted one. */
export class WrongStreamDigestError extends Error {
  constructor(readonly sha256: string) {
    super(`The SHA-256 is ${sha256}`);
  }
}

export class StreamSink implements PieceSink, Disposable {
  readonly content: StoredContent;
  readonly isVolatile = true;
  readonly #options: StreamOptions;
  readonly #held = new Map<number, HeldPiece>();
  readonly #beginnings = new Map<number, Uint8Array>();
  readonly #digest: RunningDigest | undefined;
  readonly #drained = Promise.withResolvers<void>();
  #keptBytes = 0;
  /** The write that is under way, if there is one. */
  #writing = Promise.resolve();
  /** The next piece to pass on. */
  #next: number;
  #isWriting = false;
  #over = false;

  constructor(content: StoredContent, options: StreamOptions) {
    this.content = content;
    this.#options = options;
    const { size, count, pieceSize } = content.layout;
    this.#next = options.skip >= size ? count : Math.floor(options.skip / pieceSize);
    this.#digest = options.acceptsSha256 && new RunningDigest();
    // It may fail before anything waits for it.
    this.#drained.promise.catch(() => {});
    if (count === 0) this.#run(() => this.#checkDigest());
    if (this.#isDrained) this.#drained.resolve();
  }

  /** Pieces that were passed on or wait to be. */
  get pieces(): Iterable<number> {
    return [...Array(this.#next).keys(), ...this.#held.keys()];
  }

  get missing(): number[] {
    const { count } = this.content.layout;
    const rest = Array.from({ length: count - this.#next }, (_, i) => this.#next + i);
    return rest.filter((piece) => !this.#held.has(piece));
  }

  /** Whether the reader is what the next piece waits for. */
  get waitsForReader(): boolean {
    return this.#isWriting;
  }

  get unverified(): ReadonlyMap<number, number> {
    return new Map(Array.from(this.#beginnings, ([piece, { length }]) => [piece, length]));
  }

  /** Pieces that the reader took or that are skipped. */
  held(): { pieces: number; bytes: number } {
    const pieces = Array(this.#next).keys();
    return { pieces: this.#next, bytes: bytesIn(this.content.layout, pieces) };
  }

  keepUnverified(piece: number, bytes: Uint8Array): void {
    const before = this.#beginnings.get(piece)?.length ?? 0;
    const kept = this.#keptBytes - before + bytes.length;
    if (piece < this.#next || this.#held.has(piece) || kept > this.#options.keepBytes) return;
    this.#beginnings.set(piece, bytes.slice());
    this.#keptBytes = kept;
  }

  readUnverified(piece: number, into: Uint8Array): number {
    const kept = this.#beginnings.get(piece)?.subarray(0, into.length) ?? new Uint8Array();
    into.set(kept);
    return kept.length;
  }

  write(piece: number, bytes: Uint8Array, take?: () => Disposable): void {
    if (this.#over) return;
    this.#keptBytes -= this.#beginnings.get(piece)?.length ?? 0;
    this.#beginnings.delete(piece);
    this.#held.set(piece, { bytes, buffer: take?.() });
    if (!this.#isWriting) this.#run(() => this.#drain());
  }

  /** Waits until the reader took everything. @throws the reason why it did not, or the signal's */
  async finish(signal: AbortSignal): Promise<void> {
    await abortable(this.#drained.promise, signal);
  }

  /** Resolves when no write is under way; never throws. */
  async settled(): Promise<void> {
    await this.#writing.catch(() => {});
  }

  /** Passes nothing on any more. A write that is under way keeps its buffer until it ends. */
  [Symbol.dispose](): void {
    this.#over = true;
    for (const { buffer } of this.#held.values()) buffer?.[Symbol.dispose]();
    this.#held.clear();
    this.#beginnings.clear();
  }

  #run(job: () => void | Promise<void>): void {
    const fail = (error: unknown) => {
      this.#over = true;
      this.#drained.reject(error);
      this.#options.onFailed(error);
    };
    try {
      job()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  get #isDrained(): boolean {
    return this.#next >= this.content.layout.count;
  }

  async #drain(): Promise<void> {
    this.#isWriting = true;
    try {
      for (let held; !this.#over && (held = this.#held.get(this.#next)) !== undefined;) {
        const piece = this.#next;
        this.#held.delete(piece);
        using _buffer = held.buffer;
        this.#digest?.update(held.bytes);
        if (piece === this.content.layout.count - 1) this.#checkDigest();
        const { start } = rangeOfPiece(this.content.layout, piece);
        const bytes = held.bytes.subarray(Math.max(0, this.#options.skip - start));
        if (bytes.length > 0) await (this.#writing = this.#options.write(bytes));
        if (this.#over) return;
        this.#next++;
        this.#options.onConsumed(piece);
      }
    } finally {
      this.#isWriting = false;
    }
    if (this.#isDrained) this.#drained.resolve();
  }

  /** @throws {WrongStreamDigestError} */
  #checkDigest(): void {
    const sha256 = this.#digest?.hex();
    if (sha256 === undefined || this.#options.acceptsSha256!(sha256)) return;
    throw new WrongStreamDigestError(sha256);
  }
}
