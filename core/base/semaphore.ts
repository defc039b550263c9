/**
 * A counting semaphore whose waiters are served in order, can be given up by a
 * signal, and whose size can change while it is in use.
 */
export class Semaphore {
  #size: number;
  #held = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param size how many may be held at a time, at least 1. */
  constructor(size: number) {
    this.#size = size;
  }

  get available(): number {
    return Math.max(0, this.#size - this.#held);
  }

  /** A smaller size takes nothing away: it holds back the next takers. */
  resize(size: number): void {
    this.#size = size;
    this.#admit();
  }

  /** How many may be held at a time. */
  get size(): number {
    return this.#size;
  }

  /**
   * Waits for a slot, behind those who wait already or in front of them; disposing what comes back frees it, once.
   *
   * @throws the signal's reason if it aborts before a slot is free.
   */
  async acquire(signal: AbortSignal, where: "back" | "front" = "back"): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#held < this.#size && this.#waiting.length === 0) this.#held++;
    else await this.#queue(signal, where);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#held--;
        this.#admit();
      },
    };
  }

  #queue(signal: AbortSignal, where: "back" | "front"): Promise<void> {
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(admit), 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", giveUp, { once: true });
      if (where === "back") this.#waiting.push(admit);
      else this.#waiting.unshift(admit);
    });
  }

  #admit(): void {
    while (this.#held < this.#size && this.#waiting.length > 0) {
      this.#held++;
      this.#waiting.shift()!();
    }
  }
}
