/** How much one source may be asked for ahead: about what it sends in a second. */

/** Less would idle a line with a long round trip. */
const QUEUE_MS = 1500;
/** Before anything came: what TCP sends in its first round trips. Shared by all sources. */
const INITIAL_BYTES = 512 * 1024;
/** A source that is slow gets a few files at a time, so that another one can take over soon. */
const MIN_BYTES = 64 * 1024;
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
  /** Grows with what comes, until the rate is known: as TCP's window does. */
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

  /** @param sources that share the first requests, while none has shown its rate */
  hasRoom(bytes: number, sources: number): boolean {
    const maxBytes = this.#rate === undefined
      ? Math.max(MIN_BYTES, INITIAL_BYTES / sources) + this.#received
      : Math.max(MIN_BYTES, this.#rate * QUEUE_MS);
    return this.#pending === 0 || this.#pending + bytes <= maxBytes;
  }

  #beginSample(nowMs: number): void {
    this.#sampleAt = nowMs;
    this.#sampleBytes = 0;
  }
}
