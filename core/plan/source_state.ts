/** What one task knows of one seed: is it usable, how fast is it, what was asked of it. */
import { backoffMs } from "../base/backoff.ts";
import { RateMeter } from "../base/rate.ts";

export type SourceStatus =
  /** Holds the content and may be asked. */
  | { readonly kind: "ready" }
  /** Not asked before `untilMs`. */
  | { readonly kind: "waiting"; readonly untilMs: number }
  /** Waited long enough, or never asked: it must say again what it holds. */
  | { readonly kind: "inquiring" }
  | { readonly kind: "dropped" };

/** A lying seed costs at most three pieces. */
const MAX_CORRUPT_PIECES = 3;
/** Enough to keep a line full between two replies, before its speed is known. */
const INITIAL_WINDOW = 2;
/**
 * After a lost connection ranges are about as long as what the last one brought: what a seed sends
 * into a line that breaks is lost. Shorter ones would cost more in round trips than they save.
 */
const MIN_RANGE_BYTES = 64 * 1024;
const MAX_RANGE_BYTES = 256 * 1024;
/** Far beyond what one line needs at 1 MiB a piece; a bound for memory. */
const MAX_WINDOW = 16;
/** A seed that crawled may have been busy with others: by then it may be free. */
const SLOW_MEMORY_MS = 30_000;
/** How much time's worth of pieces a seed has in hand: longer makes slow seeds hoard, shorter leaves gaps. */
const WINDOW_SECONDS = 0.5;
/** A seed that brought this much since its last failure is asked again soon: a line that breaks often is still a line. */
const MIN_GAIN_BYTES = 16 * 1024;

export class SourceState {
  readonly name: string;
  status: SourceStatus;
  /** Orders that it has not answered yet. */
  readonly inFlight = new Set<number>();
  readonly #meter = new RateMeter();
  /** How fast it was when it had last something to do. */
  #lastGoodput = 0;
  /** In a row, without anything worth having in between. */
  #failures = 0;
  #bytesSinceFailure = 0;
  #bytesBeforeFailure = 0;
  #corrupt = 0;
  /** After a failure it has to prove itself with one piece. */
  #onProbation = false;
  #proven = false;
  #crawledAtMs = -Infinity;

  constructor(name: string, standing: SourceStatus) {
    this.name = name;
    this.status = standing;
  }

  get ready(): boolean {
    return this.status.kind === "ready";
  }

  /** Whether a right piece came from it. */
  get proven(): boolean {
    return this.#proven;
  }

  received(bytes: number, nowMs: number): void {
    this.#meter.add(bytes, nowMs);
    this.#bytesSinceFailure += bytes;
  }

  /** A right piece came. True when that is news after a failure. */
  succeeded(nowMs: number): boolean {
    this.#lastGoodput = this.#meter.rateAt(nowMs);
    // What came before the connection was lost proves nothing about now.
    if (!this.ready) return false;
    const news = this.#onProbation;
    this.#failures = 0;
    this.#onProbation = false;
    this.#crawledAtMs = -Infinity;
    this.#proven = true;
    return news;
  }

  /** Bytes a second, of late; of one that has nothing to do, what it last reached. */
  goodput(nowMs: number): number {
    if (this.inFlight.size > 0) this.#lastGoodput = this.#meter.rateAt(nowMs);
    return this.#lastGoodput;
  }

  /** How many pieces it may have in flight. @param least what it may have however slow it is */
  window(pieceSize: number, least: () => number, nowMs: number): number {
    if (!this.ready) return 0;
    if (this.#onProbation || this.isSlow(nowMs)) return 1;
    if (!this.#proven) return INITIAL_WINDOW;
    const pieces = Math.ceil(this.goodput(nowMs) * WINDOW_SECONDS / pieceSize) + 1;
    if (pieces >= MAX_WINDOW) return MAX_WINDOW;
    return Math.min(MAX_WINDOW, Math.max(pieces, least()));
  }

  /** How much to ask of it at a time; undefined: as much as is wanted. */
  get rangeBytes(): number | undefined {
    if (!this.#onProbation) return undefined;
    return Math.max(MIN_RANGE_BYTES, Math.min(MAX_RANGE_BYTES, this.#bytesBeforeFailure));
  }

  /** A pause after a failure, longer each time; several failures of one moment count once. @returns its length in ms */
  failed(nowMs: number, random: number): number | undefined {
    if (!this.ready && this.status.kind !== "inquiring") return undefined;
    if (this.#bytesSinceFailure >= MIN_GAIN_BYTES) this.#failures = 0;
    this.#bytesBeforeFailure = this.#bytesSinceFailure;
    this.#bytesSinceFailure = 0;
    this.#failures++;
    this.#onProbation = true;
    const pauseMs = backoffMs(this.#failures, random);
    this.status = { kind: "waiting", untilMs: nowMs + pauseMs };
    return pauseMs;
  }

  /** A piece was taken back from it because it crawled. */
  markSlow(nowMs: number): void {
    this.#crawledAtMs = nowMs;
  }

  /** For a while, or until a piece comes from it, nothing better is expected of it than what was seen. */
  isSlow(nowMs: number): boolean {
    return nowMs - this.#crawledAtMs < SLOW_MEMORY_MS;
  }

  /** A pause that the seed asked for: not a failure. */
  pause(ms: number, nowMs: number): void {
    if (this.status.kind === "dropped") return;
    this.status = { kind: "waiting", untilMs: nowMs + ms };
  }

  /** It sent bytes with a wrong digest. True when that was once too often. */
  corrupted(): boolean {
    return ++this.#corrupt >= MAX_CORRUPT_PIECES;
  }

  drop(): void {
    this.status = { kind: "dropped" };
  }
}
