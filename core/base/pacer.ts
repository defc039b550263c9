import type { Clock } from "./clock.ts";
import { Semaphore } from "./semaphore.ts";

/**
 * Keeps what is asked for under a rate. Who asks waits for its turn, in order;
 * unused time is not saved up, so there is no burst after a pause. Who leaves
 * before its turn has taken nothing from those behind.
 */
export class Pacer {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  readonly #queue = new Semaphore(1);
  /** When the next asker may go. */
  #freeAt = 0;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Asks of a fifth of a second's worth: small enough to be even, large enough to be fast. */
  get maxBytes(): number {
    return Math.max(1024, Math.ceil(this.#bytesPerSecond / 5));
  }

  /** @throws the signal's reason if it aborts before the turn comes. */
  async wait(bytes: number, signal: AbortSignal): Promise<void> {
    const askedAt = this.#clock.now();
    using _head = await this.#queue.acquire(signal);
    // Not the time of waking: timers are late, and the rate would fall with each.
    const turn = Math.max(askedAt, this.#freeAt);
    const pauseMs = turn - this.#clock.now();
    if (pauseMs > 0) await this.#clock.sleep(pauseMs, signal);
    this.#freeAt = turn + bytes * 1000 / this.#bytesPerSecond;
  }
}
