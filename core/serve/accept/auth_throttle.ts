/**
 * Wrong tokens, by client: the more there were, the longer the answer is
 * held back, and the connection with it. A right one is never held back, so who
 * guesses does not lock out who knows, behind the same address.
 */
import { LruCache } from "../../base/lru_cache.ts";
import type { Clock } from "../../base/clock.ts";

/** A slip of a person's costs him nothing that he would notice. */
const FIRST_DELAY_MS = 100;
/** Below the 5 s for which a client waits: it is to learn that its token is wrong. Sixteen connections make eight tries a second. */
const MAX_DELAY_MS = 2000;
const FORGET_AFTER_MS = 60_000;
/** Addresses. */
const MAX_CLIENTS = 1024;

interface Failed {
  readonly times: number;
  readonly lastAt: number;
}

export class AuthThrottle {
  readonly #clock: Clock;
  readonly #failed = new LruCache<string, Failed>({ maxSize: MAX_CLIENTS });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes a wrong token; says for how many ms its answer is to be held back. */
  fail(client: string): number {
    const now = this.#clock.now();
    this.#forget(now);
    const times = (this.#failed.get(client)?.times ?? 0) + 1;
    this.#failed.set(client, { times, lastAt: now });
    return Math.min(FIRST_DELAY_MS * 2 ** (times - 1), MAX_DELAY_MS);
  }

  #forget(nowMs: number): void {
    for (const [client, { lastAt }] of this.#failed) {
      if (nowMs - lastAt < FORGET_AFTER_MS) return;
      this.#failed.delete(client);
    }
  }
}
