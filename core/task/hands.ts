/**
 * Who does what the scheduler orders: fetch a piece, check it, store it. Orders
 * go down, small facts come up; payload goes from the socket through the
 * piece's memory to the disk and passes nobody else.
 */
import { type LinkedAbort, linkedAbort } from "../base/abort.ts";
import { BusyTime } from "../base/busy_time.ts";
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
import { lengthOf } from "../base/ranges.ts";
import { rangeOfPiece } from "../base/pieces.ts";
import type { Hashers } from "../hash/hashers.ts";
import type { Pace } from "../net/read_options.ts";
import type { SeedLink } from "../net/seed_link.ts";
import type { Fact, Failure } from "../plan/facts.ts";
import type { PieceMemory } from "./piece_memory.ts";
import type { StoredFile } from "../store/stored_file.ts";
import { digestOfPiece } from "../wire/manifest.ts";

export interface Order {
  readonly id: number;
  readonly seed: string;
  readonly piece: number;
}

export type HandFact = Extract<Fact, { kind: "received" | "stored" | "failed" }>;

export interface HandsTerms {
  readonly clock: Clock;
  readonly name: string;
  readonly file: StoredFile;
  readonly links: ReadonlyMap<string, SeedLink>;
  readonly memory: PieceMemory;
  readonly hashers: Hashers;
  readonly pace: Pace | undefined;
  tell(fact: HandFact): void;
  /** The disk failed, or there is a bug: no seed's fault, and the end of the task. */
  fail(error: unknown): void;
}

/** Made once: an abort without a reason makes a DOMException with a stack, which costs more than a small job. */
const ENDED = new Error("The hands are at rest");

export class Hands implements AsyncDisposable {
  readonly #terms: HandsTerms;
  readonly #signal: AbortSignal;
  /** What takes each order back, and when nothing of it is under way any more. */
  readonly #running = new Map<
    number,
    { readonly stop: LinkedAbort; readonly end: Promise<void> }
  >();
  readonly #hashing = new BusyTime();

  constructor(terms: HandsTerms, signal: AbortSignal) {
    this.#terms = terms;
    this.#signal = signal;
  }

  fetch(order: Order): void {
    const stop = linkedAbort(this.#signal);
    this.#running.set(order.id, { stop, end: this.#run(order, stop) });
  }

  /** Nothing is told of the order any more, and nothing of it is stored. */
  takeBack(order: number): void {
    this.#running.get(order)?.stop.abort(new UnreachableError("The order was taken back"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = Array.from(this.#running.values());
    for (const { stop } of running) stop.abort(ENDED);
    await Promise.all(running.map(({ end }) => end));
  }

  async #run(order: Order, stop: LinkedAbort): Promise<void> {
    using _untied = stop;
    try {
      await this.#fetch(order, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) this.#failed(order, error);
    } finally {
      this.#running.delete(order.id);
    }
  }

  async #fetch(order: Order, signal: AbortSignal): Promise<void> {
    const { clock, file, links, memory, name, pace, tell } = this.#terms;
    const { layout } = file.content;
    const range = rangeOfPiece(layout, order.piece);
    using lent = await memory.lend(lengthOf(range), signal);
    const { bytes } = lent;
    const onBytes = (count: number) => {
      if (!signal.aborted) tell({ kind: "received", order: order.id, bytes: count });
    };
    const options = { onBytes, pace };
    await links.get(order.seed)!.readRange(name, range, layout.size, bytes, options, signal);
    signal.throwIfAborted();
    const hashMs = await this.#verify(order, bytes);
    // From here on there is no wait: a piece that was taken back is not stored.
    signal.throwIfAborted();
    const storedFrom = clock.now();
    file.store(order.piece, bytes);
    const diskMs = clock.now() - storedFrom;
    tell({ kind: "stored", order: order.id, hashMs, diskMs });
  }

  /** @returns the ms for which something was hashed, since that was last told. @throws {CorruptError} */
  async #verify({ piece, seed }: Order, bytes: Uint8Array): Promise<number> {
    const { clock, file, hashers } = this.#terms;
    const { manifest } = file.content;
    if (manifest === undefined) return 0;
    this.#hashing.begin(clock.now());
    const digest = await hashers.sha256(bytes);
    const ms = this.#hashing.end(clock.now());
    if (equalBytes(digest, digestOfPiece(manifest, piece))) return ms;
    throw new CorruptError(`${seed} sent piece ${piece} with a wrong digest`);
  }

  #failed(order: Order, error: unknown): void {
    const failure = failureOf(error);
    if (failure) this.#terms.tell({ kind: "failed", order: order.id, failure });
    else this.#terms.fail(error);
  }
}

/** What an error means to the scheduler; undefined for what is no seed's fault. */
export function failureOf(error: unknown): Failure | undefined {
  if (!(error instanceof P2pError)) return undefined;
  const reason = error.message;
  if (error instanceof BusyError) return { kind: "busy", reason, retryAfterMs: error.retryAfterMs };
  if (error instanceof TimeoutError) return { kind: "stalled", reason };
  if (error instanceof UnreachableError) return { kind: "lost", reason };
  if (error instanceof ChangedError) return { kind: "changed", reason };
  // What a line garbles once may be right the next time: three of these, and it is dropped.
  if (error instanceof CorruptError || error instanceof ProtocolError) {
    return { kind: "corrupt", reason };
  }
  if (error instanceof AuthError || error instanceof NotFoundError) {
    return { kind: "hopeless", reason };
  }
  return undefined;
}
