/**
 * Reads pieces, verifies and stores them. Payload goes from the socket through the piece's buffer
 * to the sink; only small events go to the state machine.
 */
import { type LinkedAbort, linkedAbort } from "../base/abort.ts";
import { BusyTime } from "../base/rate.ts";
import type { Clock } from "../base/clock.ts";
import { equalBytes } from "../base/digest.ts";
import {
  AuthError,
  BusyError,
  ChangedError,
  CorruptError,
  NotFoundError,
  P2pError,
  ProtocolError,
  TimeoutError,
  UnreachableError,
} from "../base/errors.ts";
import { type ByteRange, lengthOf, splitRange } from "../base/ranges.ts";
import { rangeOfPiece } from "../base/pieces.ts";
import type { Hasher } from "../hash/pool.ts";
import type { RateLimit, Source } from "../source/source.ts";
import type { PieceEvent, PieceFailure } from "../plan/messages.ts";
import { PartialPieces, type PieceRead } from "./partial_pieces.ts";
import type { PieceBuffers } from "./piece_buffers.ts";
import type { PieceSink } from "../store/piece_sink.ts";
import { digestOfPiece } from "../protocol/manifest.ts";

export interface PieceRequest {
  readonly id: number;
  readonly source: string;
  readonly piece: number;
  /** Read at most this many bytes at a time. */
  readonly rangeBytes?: number | undefined;
}

export interface PieceDownloaderOptions {
  readonly clock: Clock;
  readonly name: string;
  readonly file: PieceSink;
  readonly sources: ReadonlyMap<string, Source>;
  readonly memory: PieceBuffers;
  readonly hasher: Hasher;
  readonly rateLimit: RateLimit | undefined;
  /** As `ContentRef.version` and `ReadOptions.maySendWhole`. */
  versionOf?(source: string): string | undefined;
  maySendWhole?(source: string): boolean;
  emit(event: PieceEvent): void;
  /** The disk failed, or there is a bug: no source's fault, and the end of the task. */
  fail(error: unknown): void;
}

/** Made once: an abort without a reason creates a DOMException with a stack, which costs more than a small job. */
const STOPPED = new Error("The piece downloader was stopped");

/**
 * The beginning of a piece is written each time it has grown by this much, and at most at this
 * interval: a piece that arrives fast is complete before, and is written once.
 */
const KEEP_BYTES = 64 * 1024;
const KEEP_INTERVAL_MS = 5;

/** Failures that say nothing against the bytes received so far. */
const KEEP_AFTER: ReadonlySet<PieceFailure["kind"]> = new Set([
  "lost",
  "stalled",
  "busy",
  "refused",
]);

/** A request that is being read. */
interface Run {
  readonly stop: LinkedAbort;
  /** While it has a buffer. */
  read?: PieceRead;
}

/** The piece came from several sources, and at least one of them sent wrong bytes. */
class DoubtfulPieceError extends CorruptError {}

export class PieceDownloader implements AsyncDisposable {
  readonly #options: PieceDownloaderOptions;
  readonly #signal: AbortSignal;
  readonly #partial: PartialPieces;
  /** By request: what stops it, and when it has ended. */
  readonly #running = new Map<number, { readonly run: Run; readonly end: Promise<void> }>();
  readonly #hashing = new BusyTime();

  constructor(options: PieceDownloaderOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#partial = new PartialPieces(options.file);
  }

  fetch(request: PieceRequest): void {
    const run: Run = { stop: linkedAbort(this.#signal) };
    this.#running.set(request.id, { run, end: this.#run(request, run) });
  }

  /** Stops a request: no event follows, and nothing is stored. The bytes received so far are kept. */
  cancel(request: number): void {
    const run = this.#running.get(request)?.run;
    if (run === undefined) return;
    run.stop.abort(new UnreachableError("The request was cancelled"));
    // Now, because the same piece may be requested from another source at once.
    if (run.read) this.#keep(run.read);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = Array.from(this.#running.values());
    for (const { run } of running) run.stop.abort(STOPPED);
    await Promise.all(running.map(({ end }) => end));
  }

  async #run(request: PieceRequest, run: Run): Promise<void> {
    using _untied = run.stop;
    try {
      await this.#fetch(request, run);
    } catch (error) {
      // It failed before it had a buffer, so there is nothing to keep.
      if (!run.stop.signal.aborted) this.#options.fail(error);
    } finally {
      this.#running.delete(request.id);
    }
  }

  async #fetch(request: PieceRequest, run: Run): Promise<void> {
    const { file, memory } = this.#options;
    const { signal } = run.stop;
    const range = rangeOfPiece(file.content.layout, request.piece);
    using lent = new DisposableStack();
    const buffer = lent.use(await memory.lend(lengthOf(range), signal));
    this.#keepOthers(request.piece);
    const read = run.read = this.#partial.begin(request.piece, request.source, buffer.bytes);
    try {
      await this.#receive(request, read, range, signal);
      await this.#store(request, read, () => lent.move(), signal);
    } catch (error) {
      if (signal.aborted) this.#keepAtEnd(read);
      else this.#failed(request, read, error);
    } finally {
      delete run.read;
    }
  }

  /** Reads the missing part of the piece, one range after the other. */
  async #receive(
    request: PieceRequest,
    read: PieceRead,
    { start, end }: ByteRange,
    signal: AbortSignal,
  ): Promise<void> {
    const { file, sources, name, rateLimit, emit } = this.#options;
    const source = sources.get(request.source)!;
    const { manifest, layout: { size } } = file.content;
    const version = this.#options.versionOf?.(source.id);
    const content = { name, id: manifest?.id ?? null, size, version };
    const maySendWhole = () => this.#options.maySendWhole?.(source.id) ?? true;
    const rest = { start: start + read.filled, end };
    for (const range of splitRange(rest, request.rangeBytes ?? Infinity)) {
      const from = range.start - start;
      const onBytes = (count: number, at: number) => {
        if (signal.aborted) return;
        read.received(from + at, count);
        this.#keepInTime(read);
        emit({ kind: "received", request: request.id, bytes: count });
      };
      const into = read.bytes.subarray(from, range.end - start);
      await source.read(content, range, into, { onBytes, rateLimit, maySendWhole }, signal);
      signal.throwIfAborted();
    }
  }

  async #store(
    request: PieceRequest,
    read: PieceRead,
    take: () => Disposable,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, file, emit } = this.#options;
    const hashMs = await this.#verify(read);
    // A part file is written synchronously, so a cancelled piece is never stored.
    signal.throwIfAborted();
    const storedFrom = clock.now();
    // It is asked before the sink may pass the bytes on and lend their buffer again.
    const liars = this.#partial.proven(read);
    const written = file.write(request.piece, read.bytes, take);
    if (written) await written;
    const diskMs = clock.now() - storedFrom;
    for (const seed of liars) {
      emit({
        kind: "blamed",
        source: seed,
        reason: `${seed} sent wrong bytes of piece ${request.piece}`,
      });
    }
    emit({ kind: "stored", request: request.id, hashMs, diskMs });
  }

  /** @returns the ms for which something was hashed since the last report. @throws {CorruptError} */
  async #verify(read: PieceRead): Promise<number> {
    const { piece, seed, bytes } = read;
    const { clock, file, hasher } = this.#options;
    const { manifest } = file.content;
    if (manifest === undefined) return 0;
    this.#hashing.begin(clock.now());
    const digest = await hasher.sha256(bytes);
    const ms = this.#hashing.end(clock.now());
    if (equalBytes(digest, digestOfPiece(manifest, piece))) return ms;
    if (this.#partial.refuted(read)) {
      throw new CorruptError(`${seed} sent piece ${piece} with a wrong digest`);
    }
    throw new DoubtfulPieceError(`piece ${piece}, put together from several reads, is wrong`);
  }

  #failed(request: PieceRequest, read: PieceRead, error: unknown): void {
    const failure = this.#failureFrom(error);
    if (failure === undefined) return this.#options.fail(error);
    const kept = KEEP_AFTER.has(failure.kind) ? this.#keep(read) : undefined;
    const beginning = kept === undefined ? {} : { kept };
    this.#options.emit({ kind: "failed", request: request.id, failure, ...beginning });
  }

  #failureFrom(error: unknown): PieceFailure | undefined {
    const failure = failureFromError(error);
    if (failure?.kind !== "changed" || this.#options.file.content.manifest) return failure;
    // Without a manifest, nothing tells whether pieces of the old version and of the new one fit.
    return { ...failure, kind: "refused" };
  }

  /** A piece that is requested twice is read from where the other read is now. */
  #keepOthers(piece: number): void {
    for (const { run: { read } } of this.#running.values()) {
      if (read?.piece === piece) this.#keep(read);
    }
  }

  /** Keeps the beginning of a piece that arrives slowly, so that a killed process loses little of it. */
  #keepInTime(read: PieceRead): void {
    if (this.#options.file.isVolatile) return;
    const now = this.#options.clock.now();
    read.lastKept ??= { bytes: read.begun.at(-1)?.end ?? 0, atMs: now };
    if (now - read.lastKept.atMs < KEEP_INTERVAL_MS) return;
    if (read.filled - read.lastKept.bytes < KEEP_BYTES) return;
    read.lastKept = { bytes: read.filled, atMs: now };
    this.#keep(read);
  }

  /** @returns as `PartialPieces.keep()`; undefined if the disk failed, which ends the task. */
  #keep(read: PieceRead): number | undefined {
    try {
      return this.#partial.keep(read);
    } catch (error) {
      this.#options.fail(error);
      return undefined;
    }
  }

  /** The task ends, or another source was faster: a disk error does not matter then. */
  #keepAtEnd(read: PieceRead): void {
    try {
      this.#partial.keep(read);
    } catch (error) {
      if (!(error instanceof P2pError)) this.#options.fail(error);
    }
  }
}

/** What an error means to the state machine; undefined if it is no source's fault. */
export function failureFromError(error: unknown): PieceFailure | undefined {
  if (!(error instanceof P2pError)) return undefined;
  const reason = error.message;
  if (error instanceof BusyError) return { kind: "busy", reason, retryAfterMs: error.retryAfterMs };
  if (error instanceof TimeoutError) return { kind: "stalled", reason };
  if (error instanceof UnreachableError) return { kind: "lost", reason };
  if (error instanceof ChangedError) return { kind: "changed", reason };
  if (error instanceof DoubtfulPieceError) return { kind: "doubtful", reason };
  // A line may garble bytes once; a source is dropped after three wrong pieces.
  if (error instanceof CorruptError || error instanceof ProtocolError) {
    return { kind: "corrupt", reason };
  }
  if (error instanceof AuthError || error instanceof NotFoundError) {
    return { kind: "refused", reason };
  }
  return undefined;
}
