/** What one download knows of one source: what it holds, whether it may be asked, and how fast it is. */
import { backoffMs } from "../base/backoff.ts";
import { RateMeter } from "../base/rate.ts";
import type { SourceAnswer } from "./content_vote.ts";
import { INITIAL_WINDOW_BYTES, LineWindow } from "./line_window.ts";
import type { NewSource, Suggestions } from "./messages.ts";
import type { SourcePieces } from "./piece_picker.ts";

export type SourceStatus =
  /** It was asked what it holds and has not answered. */
  | { readonly kind: "probing" }
  /** It is not asked before `untilMs`. */
  | { readonly kind: "waiting"; readonly untilMs: number }
  /** It said what it holds. No content is chosen yet. */
  | { readonly kind: "answered" }
  /** It holds the chosen content and may be asked for pieces. */
  | { readonly kind: "ready" }
  /** It is not asked again for the chosen content. */
  | { readonly kind: "dropped" };

/** A source that keeps sending wrong bytes costs at most three pieces. */
const MAX_CORRUPT_PIECES = 3;
/** Two pieces keep a line full between two replies. A peer has to prove itself with one. */
const MIN_WINDOW = 2;
/**
 * After a lost connection, ranges are about as long as what the last connection brought: what a
 * source sends into a line that breaks is lost. Shorter ranges would cost more in round trips than
 * they save.
 */
const MIN_RANGE_BYTES = 64 * 1024;
const MAX_RANGE_BYTES = 256 * 1024;
/** A slow source may have been busy with others and free again by then. */
const SLOW_MEMORY_MS = 30_000;
/** A source that brought this much since its last failure is asked again soon: a line that breaks often is still a line. */
const MIN_GAIN_BYTES = 16 * 1024;

export class SourceState {
  readonly id: string;
  readonly troubled: boolean;
  readonly known: boolean;
  status: SourceStatus;
  /** Its last answer to a probe. */
  answer: SourceAnswer | undefined;
  /** Failed probes in a row before a content was chosen. */
  failedProbes = 0;
  /** Progress of its hashing, and when that grew last. */
  hashing: { readonly percent: number; readonly grewAtMs: number; readonly size?: number };
  /** Stalled reads since its last right piece. */
  stalls = 0;
  /** Its reads that are not complete. */
  readonly inFlight = new Set<number>();
  /** A receiver of the chosen content. */
  readonly isPeer: boolean;
  /** What it would like to send; undefined: it does not say. */
  suggestions: Suggestions | undefined;
  /** Of a peer: pieces that it is to send, of all receivers, as of its last report, and requested since. */
  queue = 0;
  #pieces: Set<number> | undefined;
  readonly #meter = new RateMeter();
  /** How much its line needs. */
  readonly line: LineWindow;
  /** Its rate when it had something to send last. */
  #lastGoodput = 0;
  /** Failures in a row without a useful amount of bytes in between. */
  #failures = 0;
  #bytesSinceFailure = 0;
  #bytesBeforeFailure = 0;
  #corrupt = 0;
  /** After a failure it has to prove itself with one piece. */
  #onProbation = false;
  #proven = false;
  #slowAtMs = -Infinity;
  /** It asked for a pause, and no right piece came since. */
  #wasBusy = false;

  constructor({ id, troubled, known, peer }: NewSource, nowMs: number, line = new LineWindow()) {
    this.isPeer = peer !== undefined;
    this.#pieces = peer && new Set(peer.pieces);
    this.line = line;
    this.id = id;
    this.troubled = troubled;
    this.known = known;
    this.status = { kind: "waiting", untilMs: nowMs };
    this.hashing = { percent: 0, grewAtMs: nowMs };
  }

  /** The same source for another attempt: with its answer and without its history. */
  renewed(nowMs: number): SourceState {
    const { id, troubled, known } = this;
    const peer = this.isPeer ? { pieces: this.#pieces ?? new Set<number>() } : undefined;
    const fresh = new SourceState({ id, troubled, known, ...peer && { peer } }, nowMs, this.line);
    fresh.answer = this.answer;
    fresh.#pieces = this.#pieces;
    fresh.suggestions = this.suggestions;
    // A probe that is under way answers the new attempt.
    if (this.status.kind === "probing" || this.status.kind === "waiting") {
      fresh.status = this.status;
    }
    return fresh;
  }

  get ready(): boolean {
    return this.status.kind === "ready";
  }

  get dropped(): boolean {
    return this.status.kind === "dropped";
  }

  /** Whether a right piece came from it. */
  get proven(): boolean {
    return this.#proven;
  }

  /** The pieces that it has; undefined: all. */
  get pieces(): SourcePieces {
    return this.#pieces;
  }

  /** It can send these pieces only. */
  limitTo(pieces: ReadonlySet<number>): void {
    this.#pieces = new Set(pieces);
  }

  /** It can send these pieces, too. @returns those that are new; none for a source that has all. */
  gain(pieces: readonly number[]): number[] {
    const own = this.#pieces;
    const fresh = own === undefined ? [] : pieces.filter((piece) => !own.has(piece));
    for (const piece of fresh) own?.add(piece);
    return fresh;
  }

  has(piece: number): boolean {
    return this.#pieces?.has(piece) ?? true;
  }

  /** It asked to be asked again later; `percent` and `size` if it hashes the file. */
  postpone(
    untilMs: number,
    { percent = 0, size }: { readonly percent?: number; readonly size?: number },
    nowMs: number,
  ): void {
    this.status = { kind: "waiting", untilMs };
    const { hashing } = this;
    const grew = percent > hashing.percent;
    const known = size ?? hashing.size;
    this.hashing = {
      percent: Math.max(hashing.percent, percent),
      grewAtMs: grew ? nowMs : hashing.grewAtMs,
      ...known === undefined ? {} : { size: known },
    };
  }

  received(bytes: number, nowMs: number): void {
    this.#meter.add(bytes, nowMs);
    this.line.received(bytes, nowMs);
    this.#bytesSinceFailure += bytes;
  }

  /** The computer was suspended for `ms`, in which the source could not be heard. */
  suspended(ms: number): void {
    this.#meter.suspended(ms);
    this.line.suspended(ms);
  }

  /** A right piece came. @returns whether that ends a time of failures. */
  succeeded(nowMs: number): boolean {
    this.#lastGoodput = this.#meter.rateAt(nowMs);
    // Bytes from before the connection was lost prove nothing about now.
    if (!this.ready) return false;
    const recovered = this.#onProbation;
    this.stalls = 0;
    this.#failures = 0;
    this.#onProbation = false;
    this.#slowAtMs = -Infinity;
    this.#wasBusy = false;
    this.#proven = true;
    return recovered;
  }

  /** Recent bytes a second; of an idle source its last rate. */
  goodput(nowMs: number): number {
    if (this.inFlight.size > 0) this.#lastGoodput = this.#meter.rateAt(nowMs);
    return this.#lastGoodput;
  }

  /**
   * How many pieces it may have in flight.
   *
   * @param mayHold whether it may have as many however slow it is, because no other source has to wait for it
   */
  window(pieceSize: number, mayHold: (pieces: number) => boolean, nowMs: number): number {
    if (!this.ready) return 0;
    if (this.#onProbation || this.isSlow(nowMs)) return 1;
    if (!this.#proven && this.isPeer) return 1;
    if (this.#wasBusy) return MIN_WINDOW;
    // A source that lies must not waste more than it has to, unless there is no other.
    if (!this.#proven && !mayHold(Infinity)) return MIN_WINDOW;
    const { line } = this;
    const goodput = this.goodput(nowMs);
    const max = Math.max(MIN_WINDOW, Math.floor(line.maxBytes / pieceSize));
    const flow = this.#proven ? Math.ceil(line.flowBytes(goodput) / pieceSize) + 1 : MIN_WINDOW;
    if (flow >= max) return max;
    // Each connection is in the middle of a piece, so one more for each of them can be under way.
    const full = Math.ceil(line.bytes(goodput) / pieceSize) + line.connections - 1;
    const initial = Math.ceil(INITIAL_WINDOW_BYTES / pieceSize);
    // Receivers that share have short queues, so that no piece waits at one of them.
    for (const pieces of this.isPeer ? [initial] : [Math.min(max, full), initial]) {
      if (pieces > flow && mayHold(pieces)) return pieces;
    }
    return flow;
  }

  /** How much to read at a time; undefined: no bound. */
  get rangeBytes(): number | undefined {
    if (!this.#onProbation) return undefined;
    return Math.max(MIN_RANGE_BYTES, Math.min(MAX_RANGE_BYTES, this.#bytesBeforeFailure));
  }

  /**
   * Pauses it after a failure, longer each time; several failures of one moment count once.
   *
   * @returns the pause in ms; undefined if it is paused already
   */
  failed(nowMs: number, random: number): number | undefined {
    if (!this.ready && this.status.kind !== "probing") return undefined;
    if (this.#bytesSinceFailure >= MIN_GAIN_BYTES) this.#failures = 0;
    this.#bytesBeforeFailure = this.#bytesSinceFailure;
    this.#bytesSinceFailure = 0;
    this.#failures++;
    this.#onProbation = true;
    const pauseMs = backoffMs(this.#failures, random);
    this.status = { kind: "waiting", untilMs: nowMs + pauseMs };
    return pauseMs;
  }

  /** It asked for a pause, which is no failure. */
  pausedUntil(ms: number): void {
    this.#wasBusy = true;
    this.status = { kind: "waiting", untilMs: ms };
  }

  /** A read was taken from it because it was slow. */
  markSlow(nowMs: number): void {
    this.#slowAtMs = nowMs;
  }

  /** Slow until a piece comes from it, or for a while. */
  isSlow(nowMs: number): boolean {
    return nowMs - this.#slowAtMs < SLOW_MEMORY_MS;
  }

  /** It sent a wrong piece. @returns how many it sent, if that is the last one it may send. */
  corrupted(): number | undefined {
    return ++this.#corrupt >= MAX_CORRUPT_PIECES ? this.#corrupt : undefined;
  }

  /** It sent a wrong piece at some time. */
  get isCorrupt(): boolean {
    return this.#corrupt > 0;
  }

  drop(): void {
    this.status = { kind: "dropped" };
  }
}
