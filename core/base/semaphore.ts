interface Waiter {
  readonly weight: number;
  readonly admit: () => void;
}

/**
 * A counting semaphore. Callers wait in order, can stop waiting by a signal, and may acquire more
 * than one permit; the number of permits can change while it is in use.
 */
export class Semaphore {
  #size: number;
  #held = 0;
  readonly #waiting: Waiter[] = [];

  /** @param size the number of permits, at least 1. */
  constructor(size: number) {
    this.#size = size;
  }

  get available(): number {
    return Math.max(0, this.#size - this.#held);
  }

  /** A smaller size revokes no permit: it holds back the next callers. */
  resize(size: number): void {
    this.#size = size;
    this.#admit();
  }

  /** The number of permits. */
  get size(): number {
    return this.#size;
  }

  /**
   * Waits for `weight` permits; disposing the result releases them, once. A weight above the size is
   * granted while no other permit is held.
   *
   * @param where behind the callers that wait already, or in front of them.
   * @throws the signal's reason if it aborts before they are free.
   */
  async acquire(
    signal: AbortSignal,
    where: "back" | "front" = "back",
    weight = 1,
  ): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#waiting.length === 0 && this.#fits(weight)) this.#held += weight;
    else await this.#queue(signal, where, weight);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#held -= weight;
        this.#admit();
      },
    };
  }

  #fits(weight: number): boolean {
    return this.#held === 0 || this.#held + weight <= this.#size;
  }

  #queue(signal: AbortSignal, where: "back" | "front", weight: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = {
        weight,
        admit: () => {
          signal.removeEventListener("abort", stopWaiting);
          resolve();
        },
      };
      const stopWaiting = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
        // Those behind a heavy one may fit.
        this.#admit();
      };
      signal.addEventListener("abort", stopWaiting, { once: true });
      if (where === "back") this.#waiting.push(waiter);
      else this.#waiting.unshift(waiter);
    });
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.weight); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#held += next.weight;
      next.admit();
    }
  }
}
