/** The minimum of the samples of the last while: two halves, so that a sample costs nothing to forget. */
export class MinFilter {
  readonly #halfMs: number;
  #beganMs = -Infinity;
  #before = Infinity;
  #current = Infinity;

  /** @param windowMs how long a sample counts at most; at least half of it */
  constructor(windowMs: number) {
    this.#halfMs = windowMs / 2;
  }

  add(sample: number, nowMs: number): void {
    if (nowMs - this.#beganMs >= this.#halfMs) {
      this.#before = nowMs - this.#beganMs < 2 * this.#halfMs ? this.#current : Infinity;
      this.#current = Infinity;
      this.#beganMs = nowMs;
    }
    this.#current = Math.min(this.#current, sample);
  }

  /** undefined without a sample. Old samples count until there is a newer one. */
  get value(): number | undefined {
    const value = Math.min(this.#before, this.#current);
    return value === Infinity ? undefined : value;
  }
}
