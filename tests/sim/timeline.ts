/** A simulated clock: what is to happen, in the order of its time. */
export class Timeline {
  nowMs = 0;
  readonly #heap: { atMs: number; order: number; run: () => void }[] = [];
  #count = 0;
  #suspensions: { readonly fromMs: number; readonly toMs: number }[] = [];

  /** The computer is suspended at `fromMs` for `ms`: what would happen meanwhile happens afterwards. */
  suspend(fromMs: number, ms: number): void {
    this.#suspensions.push({ fromMs, toMs: fromMs + ms });
  }

  at(atMs: number, run: () => void): void {
    const entry = { atMs: Math.max(atMs, this.nowMs), order: this.#count++, run };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
  }

  /** Runs the next thing; false when there is none, or when it lies behind `untilMs`. */
  step(untilMs: number): boolean {
    const next = this.#heap[0];
    if (!next || next.atMs > untilMs) return false;
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#down(0);
    }
    const during = this.#suspensions.find(({ fromMs, toMs }) =>
      fromMs <= next.atMs && next.atMs < toMs
    );
    this.nowMs = Math.max(this.nowMs, during?.toMs ?? next.atMs);
    next.run();
    return true;
  }

  #before(a: number, b: number): boolean {
    const x = this.#heap[a]!;
    const y = this.#heap[b]!;
    return x.atMs < y.atMs || (x.atMs === y.atMs && x.order < y.order);
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b]!, this.#heap[a]!];
  }

  #up(at: number): void {
    for (let parent = (at - 1) >> 1; at > 0 && this.#before(at, parent); parent = (at - 1) >> 1) {
      this.#swap(at, parent);
      at = parent;
    }
  }

  #down(at: number): void {
    for (;;) {
      const left = 2 * at + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const child = right < this.#heap.length && this.#before(right, left) ? right : left;
      if (!this.#before(child, at)) return;
      this.#swap(at, child);
      at = child;
    }
  }
}
