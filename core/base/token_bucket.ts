import type { Clock } from "./clock.ts";

/**
 * Keeps what is asked for under a rate. Who asks waits for its turn, in order;
 * unused time is not saved up, so there is no burst after a pause.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  /** When the next asker may go. */
  #freeAt = 0;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Asks of a fifth of a second's worth: small enough to be even, large enough to be fast. */
  get mostBytes(): number {
    return Math.max(1024, Math.ceil(this.#bytesPerSecond / 5));
  }

  /** @throws the signal's reason if it aborts before the turn comes. */
  async wait(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const turn = Math.max(now, this.#freeAt);
    this.#freeAt = turn + bytes * 1000 / this.#bytesPerSecond;
    if (turn > now) await this.#clock.sleep(turn - now, signal);
    else signal.throwIfAborted();
  }
}
