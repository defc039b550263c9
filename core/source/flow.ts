/**
 * One connection as a flow of bytes: how fast it is, how much may be requested over it at a time, and
 * in parts of which size. A part that is requested waits for those before it, so a slow flow must
 * not hold much: other connections could bring it sooner.
 */
import { LONG_ROUND_TRIP_MS } from "./connection_count.ts";

/** A lost packet delays at most the rest of such a part. */
const MAX_PART_BYTES = 256 * 1024;
/** Fast flows: a part is at most a quarter of what a round trip brings, and at most a piece. */
const MAX_FAST_PART_BYTES = 1024 * 1024;
/** Smaller parts cost more in requests than they gain. */
const MIN_PART_BYTES = 32 * 1024;
/** Requested over a flow of unknown rate: what slow start brings in its first five round trips. */
const INITIAL_BYTES = 512 * 1024;
/** In slow start a flow doubles its rate each round trip, and the answer to a request is a round trip away. */
const GROWTH = 4;
/** A short line is never idle with this much requested, at a gigabyte a second and 4 ms of scheduling delay. */
const SHORT_LINE_BYTES = 4 * 1024 * 1024;
/** Rates fall slowly, because a flow that lost a packet is soon fast again. */
const DECAY = 0.75;
/** A shorter time says little about a rate. */
const MIN_ROUND_MS = 20;

export class Flow {
  /** Requested bytes that have not come. */
  pending = 0;
  /** Bytes a millisecond; undefined until a round trip of bytes came. */
  #rate: number | undefined;
  #roundStartMs: number | undefined;
  #roundBytes = 0;

  requested(bytes: number, nowMs: number): void {
    if (this.pending === 0) {
      this.#roundStartMs = nowMs;
      this.#roundBytes = 0;
    }
    this.pending += bytes;
  }

  /** Bytes a millisecond; 0 while it is unknown. */
  get rate(): number {
    return this.#rate ?? 0;
  }

  /** These bytes will not come. */
  abandoned(bytes: number): void {
    this.pending -= bytes;
  }

  /** @param roundTripMs of the seed */
  received(bytes: number, roundTripMs: number, nowMs: number): void {
    this.pending -= bytes;
    this.#roundBytes += bytes;
    this.#roundStartMs ??= nowMs;
    const ms = nowMs - this.#roundStartMs;
    if (ms < Math.max(MIN_ROUND_MS, roundTripMs)) return;
    this.#rate = Math.max(this.#roundBytes / ms, (this.#rate ?? 0) * DECAY);
    this.#roundStartMs = nowMs;
    this.#roundBytes = 0;
  }

  /** Parts of a range that are requested over it. */
  partBytes(roundTripMs: number): number {
    if (roundTripMs < LONG_ROUND_TRIP_MS) return Infinity;
    if (this.#rate === undefined) return MAX_PART_BYTES;
    const ofRoundTrip = this.#rate * roundTripMs;
    const bytes = Math.min(2 * ofRoundTrip, Math.max(MAX_PART_BYTES, ofRoundTrip / 4));
    return Math.floor(Math.min(MAX_FAST_PART_BYTES, Math.max(MIN_PART_BYTES, bytes)));
  }

  /** Bytes that may be requested over it at a time. */
  maxBytes(roundTripMs: number): number {
    if (roundTripMs < LONG_ROUND_TRIP_MS) return SHORT_LINE_BYTES;
    if (this.#rate === undefined) return INITIAL_BYTES;
    return GROWTH * this.#rate * roundTripMs + this.partBytes(roundTripMs);
  }
}
