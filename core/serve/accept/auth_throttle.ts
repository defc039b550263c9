/**
 * Delays the reply to a wrong token: longer for each one that the client has sent. A right token
 * is never delayed, so that guesses do not lock out others behind the same address.
 */
import type { Clock } from "../../base/clock.ts";
import { LruCache } from "../../base/lru_cache.ts";

/** The user does not notice the delay after a typing error. */
const FIRST_DELAY_MS = 100;
/** Below the 5 s for which a client waits. Sixteen connections can make eight guesses a second. */
const MAX_DELAY_MS = 2000;
const FORGET_AFTER_MS = 60_000;
const MAX_CLIENTS = 1024;

export class AuthThrottle {
  readonly #clock: Clock;
  readonly #failures = new LruCache<string, { readonly count: number; readonly lastAt: number }>({
    maxSize: MAX_CLIENTS,
  });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a wrong token. @returns the delay of its reply, in ms. */
  fail(client: string): number {
    const lastAt = this.#clock.now();
    for (const [each, failure] of this.#failures) {
      if (lastAt - failure.lastAt < FORGET_AFTER_MS) break;
      this.#failures.delete(each);
    }
    const count = (this.#failures.get(client)?.count ?? 0) + 1;
    this.#failures.set(client, { count, lastAt });
    return Math.min(FIRST_DELAY_MS * 2 ** (count - 1), MAX_DELAY_MS);
  }
}
