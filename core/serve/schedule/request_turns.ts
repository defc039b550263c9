/**
 * The processor, shared fairly: a client address has one request looked at before
 * the event loop comes round again. A small reply never waits for its reader, so
 * a client that asks for thousands of them would otherwise be served in one go,
 * and the others' bodies would wait: one that flooded eight connections left a
 * good client a fiftieth of its share.
 */
import { setImmediate } from "node:timers";

export class RequestTurns {
  /** By client, for those who had a turn in this round: who waits for another one. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Resolves when it is this client's turn, in the order of asking: at once for its first in a round. */
  take(client: string): Promise<void> {
    const waiting = this.#waiting.get(client);
    if (waiting) return new Promise((resolve) => void waiting.push(resolve));
    if (this.#waiting.size === 0) this.#plan();
    this.#waiting.set(client, []);
    return Promise.resolve();
  }

  #plan(): void {
    setImmediate(() => {
      for (const [client, waiting] of this.#waiting) {
        const next = waiting.shift();
        if (next) next();
        else this.#waiting.delete(client);
      }
      if (this.#waiting.size > 0) this.#plan();
    });
  }
}
