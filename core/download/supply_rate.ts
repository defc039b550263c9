/** How much one source may be asked for ahead: about what it sends in a second. */

/** Less would idle a line with a long round trip. */
const QUEUE_MS = 1500;
/** Before anything came: what TCP sends over four connections in its first two round trips. */
const INITIAL_BYTES = 256 * 1024;
/** A source that is slow gets a few files at a time, so that another one can take over soon. */
const INITIAL_SHARED_BYTES = 64 * 1024;
/** Assumed of a source that has not shown its rate, in bytes a ms: a line of 100 Mbit/s. */
const ASSUMED_RATE = 12_500;
/** Of a source that sent nothing, so that it is not asked again while another one answers. */
const MIN_RATE = 1e-6;
/** The rate is measured over at least this long: replies come in bursts of a round trip. */
const SAMPLE_MS = 250;

export class SupplyRate {
  #pending = 0;
  /** Bytes a ms, of the last sample; undefined before. */
  #rate: number | undefined;
  /** As TCP's window, the bound grows with what comes. */
  #received = 0;
  #sampleAt: number | undefined;
  #sampleBytes = 0;

  requested(bytes: number, nowMs: number): void {
    // Time without requests says nothing about the source.
    if (this.#pending === 0) this.#beginSample(nowMs);
    this.#pending += bytes;
  }

  /** @param received 0 if the request failed, or the file is larger. */
  answered(requested: number, received: number, nowMs: number): void {
    this.#pending -= requested;
    this.#received += received;
    this.#sampleBytes += received;
    const ms = nowMs - (this.#sampleAt ?? nowMs);
    if (ms < SAMPLE_MS) return;
    this.#rate = this.#sampleBytes / ms;
    this.#beginSample(nowMs);
  }

  /** The time until `bytes` more would be there. */
  msFor(bytes: number): number {
    return (this.#pending + bytes) / Math.max(this.#rate ?? ASSUMED_RATE, MIN_RATE);
  }

  /** @param hasOthers whether other sources can send the same */
  hasRoom(bytes: number, hasOthers: boolean): boolean {
    const initial = hasOthers ? INITIAL_SHARED_BYTES : INITIAL_BYTES;
    // The rate lags behind while it grows, so it does not count below the initial bound.
    const byRate = this.#rate === undefined ? Infinity : Math.max(initial, this.#rate * QUEUE_MS);
    const maxBytes = Math.min(initial + this.#received, byRate);
    return this.#pending === 0 || this.#pending + bytes <= maxBytes;
  }

  #beginSample(nowMs: number): void {
    this.#sampleAt = nowMs;
    this.#sampleBytes = 0;
  }
}
