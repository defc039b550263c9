/** How long something was being done, whether one at a time or many: their times are not added up. */
export class BusyTime {
  #running = 0;
  #since = 0;

  begin(nowMs: number): void {
    if (this.#running++ === 0) this.#since = nowMs;
  }

  /** @returns what passed since the last end, as far as at least one was running. */
  end(nowMs: number): number {
    this.#running--;
    const ms = nowMs - this.#since;
    this.#since = nowMs;
    return ms;
  }
}
