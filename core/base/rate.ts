/** Without bytes for this long, the displayed rate is 0. A shorter time would mistake a busy machine for silence. */
const SILENCE_MS = 1000;

/** Bytes a second, smoothed over the last seconds. */
export class RateMeter {
  readonly #windowMs: number;
  /** One sum for each slice of the window; old slices fall out. */
  readonly #slices: { at: number; bytes: number }[] = [];
  #startedAt: number | undefined;
  #lastAt = -Infinity;

  /** @param windowMs the averaging window. */
  constructor(windowMs = 3000) {
    this.#windowMs = windowMs;
  }

  add(bytes: number, nowMs: number): void {
    this.#startedAt ??= nowMs;
    this.#lastAt = nowMs;
    const sliceMs = this.#windowMs / 20;
    const last = this.#slices.at(-1);
    if (last && nowMs - last.at < sliceMs) last.bytes += bytes;
    else this.#slices.push({ at: nowMs, bytes });
    this.#forget(nowMs);
  }

  /** Bytes a second over the window, or over the time since the first byte when that is shorter. */
  rateAt(nowMs: number): number {
    this.#forget(nowMs);
    if (this.#startedAt === undefined || this.#slices.length === 0) return 0;
    const bytes = this.#slices.reduce((sum, slice) => sum + slice.bytes, 0);
    const spanMs = Math.min(this.#windowMs, nowMs - this.#startedAt);
    // Without this floor, the rate of the first slice would be infinite.
    return bytes * 1000 / Math.max(spanMs, this.#windowMs / 20);
  }

  /** The rate for a screen: as `rateAt`, but 0 soon after the last byte, which the window would show only gradually. */
  displayRateAt(nowMs: number): number {
    const last = this.#slices.at(-1);
    if (last === undefined) return 0;
    // A slow or limited line has pauses; only a much longer one is silence.
    const maxMs = this.#slices.reduce(
      (most, { at }, i) => i === 0 ? 0 : Math.max(most, at - this.#slices[i - 1]!.at),
      0,
    );
    if (nowMs - this.#lastAt > Math.max(SILENCE_MS, 2 * maxMs)) return 0;
    // A burst in the first moment says little about the rate.
    const young = Math.min(1, (nowMs - this.#startedAt!) / SILENCE_MS);
    return this.rateAt(nowMs) * Math.max(young, 1 / 20);
  }

  /** The computer was suspended for `ms`, in which nothing could be received. */
  suspended(ms: number): void {
    for (const slice of this.#slices) slice.at += ms;
    if (this.#startedAt !== undefined) this.#startedAt += ms;
    this.#lastAt += ms;
  }

  #forget(nowMs: number): void {
    while (
      this.#slices.length > 0 && nowMs - this.#slices[0]!.at > this.#windowMs
    ) {
      this.#slices.shift();
    }
  }
}

/** Measures the time during which at least one of several overlapping operations was running. */
export class BusyTime {
  #running = 0;
  #since = 0;

  begin(nowMs: number): void {
    if (this.#running++ === 0) this.#since = nowMs;
  }

  /** @returns the busy time since the last `end`. */
  end(nowMs: number): number {
    this.#running--;
    const ms = nowMs - this.#since;
    this.#since = nowMs;
    return ms;
  }
}
