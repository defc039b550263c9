import type { Clock } from "./clock.ts";
import { Semaphore } from "./semaphore.ts";

/**
 * Limits a rate. Callers wait in order; unused time is not saved up, so there is no burst after a
 * pause. A caller that aborts before its turn takes nothing from those behind it.
 */
export class Pacer {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  readonly #queue = new Semaphore(1);
  /** When the next caller may go. */
  #freeAt = 0;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** The largest request: a fifth of a second's bytes, small enough for an even rate and large enough to be fast. */
  get maxBytes(): number {
    return Math.max(1024, Math.ceil(this.#bytesPerSecond / 5));
  }

  /** @throws the signal's reason if it aborts before the turn comes. */
  async wait(bytes: number, signal: AbortSignal): Promise<void> {
    const askedAt = this.#clock.now();
    using _head = await this.#queue.acquire(signal);
    // Not from the time of waking: timers are late, and each delay would lower the rate.
    const turn = Math.max(askedAt, this.#freeAt);
    const pauseMs = turn - this.#clock.now();
    if (pauseMs > 0) await this.#clock.sleep(pauseMs, signal);
    this.#freeAt = turn + bytes * 1000 / this.#bytesPerSecond;
  }
}
