/** Shorter, and a busy machine would look like a silent line; longer, and a person has seen it before. */
const SILENCE_MS = 1000;

/** Bytes a second, smoothed over the last seconds. */
export class RateMeter {
  readonly #windowMs: number;
  /** One sum for each slice of the window; old slices fall out. */
  readonly #slices: { at: number; bytes: number }[] = [];
  #startedAt: number | undefined;
  #lastAt = -Infinity;

  /** @param windowMs how far back the rate looks: long enough to be calm, short enough to be true. */
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
    // The first slice says nothing about speed yet: without a floor it would be infinite.
    return bytes * 1000 / Math.max(spanMs, this.#windowMs / 20);
  }

  /** For people: as `at`, and 0 as soon as nothing comes, which the window would show only little by little. */
  displayRateAt(nowMs: number): number {
    const last = this.#slices.at(-1);
    if (last === undefined) return 0;
    // A slow or limited line has pauses of its own; a longer one than they are is silence.
    const maxMs = this.#slices.reduce(
      (most, { at }, i) => i === 0 ? 0 : Math.max(most, at - this.#slices[i - 1]!.at),
      0,
    );
    if (nowMs - this.#lastAt > Math.max(SILENCE_MS, 2 * maxMs)) return 0;
    // What comes at once in the first moment says nothing about the next ones.
    const young = Math.min(1, (nowMs - this.#startedAt!) / SILENCE_MS);
    return this.rateAt(nowMs) * Math.max(young, 1 / 20);
  }

  #forget(nowMs: number): void {
    while (
      this.#slices.length > 0 && nowMs - this.#slices[0]!.at > this.#windowMs
    ) {
      this.#slices.shift();
    }
  }
}
