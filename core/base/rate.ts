/** Bytes a second, smoothed over the last seconds, and 0 at once when nothing comes. */
export class RateMeter {
  readonly #windowMs: number;
  /** One sum for each slice of the window; old slices fall out. */
  readonly #slices: { at: number; bytes: number }[] = [];
  #startedAt: number | undefined;

  /** @param windowMs how far back the rate looks: long enough to be calm, short enough to be true. */
  constructor(windowMs = 3000) {
    this.#windowMs = windowMs;
  }

  add(bytes: number, nowMs: number): void {
    this.#startedAt ??= nowMs;
    const sliceMs = this.#windowMs / 20;
    const last = this.#slices.at(-1);
    if (last && nowMs - last.at < sliceMs) last.bytes += bytes;
    else this.#slices.push({ at: nowMs, bytes });
    this.#forget(nowMs);
  }

  /** Bytes a second over the window, or over the time since the first byte when that is shorter. */
  at(nowMs: number): number {
    this.#forget(nowMs);
    if (this.#startedAt === undefined || this.#slices.length === 0) return 0;
    const bytes = this.#slices.reduce((sum, slice) => sum + slice.bytes, 0);
    const spanMs = Math.min(this.#windowMs, nowMs - this.#startedAt);
    // The first slice says nothing about speed yet: without a floor it would be infinite.
    return bytes * 1000 / Math.max(spanMs, this.#windowMs / 20);
  }

  #forget(nowMs: number): void {
    while (
      this.#slices.length > 0 && nowMs - this.#slices[0]!.at > this.#windowMs
    ) {
      this.#slices.shift();
    }
  }
}
