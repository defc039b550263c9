/**
 * Who does what the scheduler orders: fetch a piece, check it, store it. Orders
 * go down, small facts come up; payload goes from the socket through the
 * piece's memory to the disk and passes nobody else.
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
import type { PieceBuffers } from "./piece_memory.ts";
import type { PieceSink } from "../store/piece_sink.ts";
import { digestOfPiece } from "../protocol/manifest.ts";

export interface PieceRequest {
  readonly id: number;
  readonly source: string;
  readonly piece: number;
  /** At most this many bytes are asked for at a time. */
  readonly rangeBytes?: number | undefined;
}

export interface PieceDownloaderOptions {
  readonly clock: Clock;
  readonly name: string;
  readonly file: PieceSink;
  readonly sources: ReadonlyMap<string, Source>;
  readonly memory: PieceBuffers;
  readonly hashers: Hasher;
  readonly rateLimit: RateLimit | undefined;
  emit(event: PieceEvent): void;
  /** The disk failed, or there is a bug: no seed's fault, and the end of the task. */
  fail(error: unknown): void;
}

/** Made once: an abort without a reason makes a DOMException with a stack, which costs more than a small job. */
const STOPPED = new Error("The hands are at rest");

/**
 * While a piece comes, its beginning is written whenever it has grown by this much, but not more
 * often than this: a piece that comes fast is complete before, and costs no write but its own.
 */
const KEEP_BYTES = 64 * 1024;
const KEEP_INTERVAL_MS = 5;

/** After these failures, what has come is as good as any. */
const MIN_PARTIAL_BYTES: ReadonlySet<PieceFailure["kind"]> = new Set([
  "lost",
  "stalled",
  "busy",
  "refused",
]);

/** What of one order is under way. */
interface Run {
  readonly stop: LinkedAbort;
  /** While it has memory. */
  read?: PieceRead;
}

/** Bytes came from several seeds, and at least one of them sent wrong ones. */
class DoubtfulPieceError extends CorruptError {}

export class PieceDownloader implements AsyncDisposable {
  readonly #terms: PieceDownloaderOptions;
  readonly #signal: AbortSignal;
  readonly #partial: PartialPieces;
  /** By order: what takes it back, and when nothing of it is under way any more. */
  readonly #running = new Map<number, { readonly run: Run; readonly end: Promise<void> }>();
  readonly #hashing = new BusyTime();

  constructor(terms: PieceDownloaderOptions, signal: AbortSignal) {
    this.#terms = terms;
    this.#signal = signal;
    this.#partial = new PartialPieces(terms.file);
  }

  fetch(request: PieceRequest): void {
    const run: Run = { stop: linkedAbort(this.#signal) };
    this.#running.set(request.id, { run, end: this.#run(request, run) });
  }

  /** Nothing is told of the order any more, and nothing of it is stored. What came of it is kept. */
  cancel(request: number): void {
    const run = this.#running.get(request)?.run;
    if (run === undefined) return;
    run.stop.abort(new UnreachableError("The order was taken back"));
    // At once: the same piece may be asked for elsewhere in this very moment.
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
      // In vain before there was any memory: nothing came.
      if (!run.stop.signal.aborted) this.#terms.fail(error);
    } finally {
      this.#running.delete(request.id);
    }
  }

  async #fetch(request: PieceRequest, run: Run): Promise<void> {
    const { file, memory } = this.#terms;
    const { signal } = run.stop;
    const range = rangeOfPiece(file.content.layout, request.piece);
    using lent = await memory.lend(lengthOf(range), signal);
    this.#keepOthers(request.piece);
    const read = run.read = this.#partial.begin(request.piece, request.source, lent.bytes);
    try {
      await this.#receive(request, read, range, signal);
      await this.#store(request, read, signal);
    } catch (error) {
      if (signal.aborted) this.#keepAtEnd(read);
      else this.#failed(request, read, error);
    } finally {
      delete run.read;
    }
  }

  /** Fetches what is missing of the piece, one range after the other. */
  async #receive(
    request: PieceRequest,
    read: PieceRead,
    { start, end }: ByteRange,
    signal: AbortSignal,
  ): Promise<void> {
    const { file, sources, name, rateLimit, emit } = this.#terms;
    const source = sources.get(request.source)!;
    const { manifest, layout: { size } } = file.content;
    const content = { name, id: manifest?.id ?? null, size };
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
      await source.read(content, range, into, { onBytes, rateLimit }, signal);
      signal.throwIfAborted();
    }
  }

  async #store(request: PieceRequest, read: PieceRead, signal: AbortSignal): Promise<void> {
    const { clock, file, emit } = this.#terms;
    const hashMs = await this.#verify(read);
    // A part file is written synchronously, so a cancelled piece is never stored.
    signal.throwIfAborted();
    const storedFrom = clock.now();
    const written = file.write(request.piece, read.bytes);
    if (written) await written;
    const diskMs = clock.now() - storedFrom;
    for (const seed of this.#partial.proven(read)) {
      emit({
        kind: "blamed",
        source: seed,
        reason: `${seed} sent wrong bytes of piece ${request.piece}`,
      });
    }
    emit({ kind: "stored", request: request.id, hashMs, diskMs });
  }

  /** @returns the ms for which something was hashed, since that was last told. @throws {CorruptError} */
  async #verify(read: PieceRead): Promise<number> {
    const { piece, seed, bytes } = read;
    const { clock, file, hashers } = this.#terms;
    const { manifest } = file.content;
    if (manifest === undefined) return 0;
    this.#hashing.begin(clock.now());
    const digest = await hashers.sha256(bytes);
    const ms = this.#hashing.end(clock.now());
    if (equalBytes(digest, digestOfPiece(manifest, piece))) return ms;
    if (this.#partial.refuted(read)) {
      throw new CorruptError(`${seed} sent piece ${piece} with a wrong digest`);
    }
    throw new DoubtfulPieceError(`piece ${piece}, put together from several reads, is wrong`);
  }

  #failed(request: PieceRequest, read: PieceRead, error: unknown): void {
    const failure = failureFromError(error);
    if (failure === undefined) return this.#terms.fail(error);
    const kept = MIN_PARTIAL_BYTES.has(failure.kind) ? this.#keep(read) : undefined;
    const told = kept === undefined ? {} : { kept };
    this.#terms.emit({ kind: "failed", request: request.id, failure, ...told });
  }

  /** Where the piece is asked for twice, only what has not come yet is. */
  #keepOthers(piece: number): void {
    for (const { run: { read } } of this.#running.values()) {
      if (read?.piece === piece) this.#keep(read);
    }
  }

  /** A process that is killed loses no more than this of a piece that comes slowly. */
  #keepInTime(read: PieceRead): void {
    const now = this.#terms.clock.now();
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
      this.#terms.fail(error);
      return undefined;
    }
  }

  /** The task ends, or another seed was faster: then a disk that fails hurts nobody. */
  #keepAtEnd(read: PieceRead): void {
    try {
      this.#partial.keep(read);
    } catch (error) {
      if (!(error instanceof P2pError)) this.#terms.fail(error);
    }
  }
}

/** What an error means to the scheduler; undefined for what is no seed's fault. */
export function failureFromError(error: unknown): PieceFailure | undefined {
  if (!(error instanceof P2pError)) return undefined;
  const reason = error.message;
  if (error instanceof BusyError) return { kind: "busy", reason, retryAfterMs: error.retryAfterMs };
  if (error instanceof TimeoutError) return { kind: "stalled", reason };
  if (error instanceof UnreachableError) return { kind: "lost", reason };
  if (error instanceof ChangedError) return { kind: "changed", reason };
  if (error instanceof DoubtfulPieceError) return { kind: "doubtful", reason };
  // What a line garbles once may be right the next time: three of these, and it is dropped.
  if (error instanceof CorruptError || error instanceof ProtocolError) {
    return { kind: "corrupt", reason };
  }
  if (error instanceof AuthError || error instanceof NotFoundError) {
    return { kind: "refused", reason };
  }
  return undefined;
}
