/**
 * How many bytes a source may have in flight, so that its line is never idle: doubled each round trip
 * while goodput grows, as in slow start, and then a multiple of what a round trip brings.
 */

/** What slow start brings in ten round trips; 4 MiB of memory are cheap. */
export const INITIAL_WINDOW_BYTES = 4 * 1024 * 1024;
/**
 * In flight for this much time: a longer window lets slow sources hoard, a shorter one leaves gaps.
 * Three round trips, because congestion control may double the rate within one of them.
 */
const WINDOW_MS = 500;
const WINDOW_ROUND_TRIPS = 3;
/** Goodput grows if a round trip brings this many times more than the best one before, as in BBR's start-up. */
const GROWTH = 1.25;
/** Growth has ended after as many round trips without it: one may be short of data by chance. */
const MAX_FLAT_ROUNDS = 3;
/** Assumed until it is measured. */
const DEFAULT_ROUND_TRIP_MS = 100;
/** Bytes come in bursts, so a shorter time shows no rate. */
const MIN_ROUND_MS = 50;
/** A bound for sums: no memory holds more. */
const MAX_WINDOW_BYTES = 2 ** 40;
/** A LAN answers faster, also through Wi-Fi; the Internet mostly does not. */
const LONG_ROUND_TRIP_MS = 10;
/** On a short line, or one that was not measured, more than this fills only memory. */
const MAX_SHORT_WINDOW_BYTES = 16 * 1024 * 1024;

export class LineWindow {
  #roundTripMs: number | undefined;
  #connections = 1;
  #startBytes = INITIAL_WINDOW_BYTES;
  #flatRounds = 0;
  /** Bytes a millisecond, of the best round. */
  #best = 0;
  #roundStartMs: number | undefined;
  #roundBytes = 0;

  /** Open connections to the source. */
  get connections(): number {
    return this.#connections;
  }

  /** The window may not be larger. */
  get maxBytes(): number {
    const isLong = this.#roundTripMs !== undefined && this.#roundTripMs >= LONG_ROUND_TRIP_MS;
    return isLong ? MAX_WINDOW_BYTES : MAX_SHORT_WINDOW_BYTES;
  }

  measured(roundTripMs: number | undefined, connections: number): void {
    this.#roundTripMs = roundTripMs;
    this.#connections = Math.max(1, connections);
  }

  received(bytes: number, nowMs: number): void {
    if (!this.#isGrowing) return;
    this.#roundStartMs ??= nowMs;
    this.#roundBytes += bytes;
    const ms = nowMs - this.#roundStartMs;
    if (ms < Math.max(MIN_ROUND_MS, this.#roundTripMs ?? DEFAULT_ROUND_TRIP_MS)) return;
    const rate = this.#roundBytes / ms;
    this.#roundStartMs = nowMs;
    this.#roundBytes = 0;
    if (rate < GROWTH * this.#best) {
      this.#flatRounds++;
      return;
    }
    this.#flatRounds = 0;
    this.#best = rate;
    this.#startBytes = Math.min(MAX_WINDOW_BYTES, 2 * this.#startBytes);
  }

  /** The computer was suspended for `ms`. */
  suspended(ms: number): void {
    if (this.#roundStartMs !== undefined) this.#roundStartMs += ms;
  }

  /** The window of a source that may take what it needs. @param goodput in bytes a second */
  bytes(goodput: number): number {
    const least = this.#isGrowing ? this.#startBytes : INITIAL_WINDOW_BYTES;
    return Math.max(least, this.flowBytes(goodput));
  }

  /** What keeps the line full at the present goodput. */
  flowBytes(goodput: number): number {
    const ms = Math.max(WINDOW_MS, WINDOW_ROUND_TRIPS * (this.#roundTripMs ?? 0));
    return goodput * ms / 1000;
  }

  get #isGrowing(): boolean {
    return this.#flatRounds < MAX_FLAT_ROUNDS;
  }
}
