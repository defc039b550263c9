/**
 * The processor, shared fairly: in each turn of the event loop, each client
 * address has one request looked at. A small reply never waits for its reader,
 * so a client that asks for thousands of them would otherwise be served in one
 * go, and bodies for others would wait: one that floods eight connections left a
 * good client a fiftieth of its share.
 */
import { setImmediate } from "node:timers";

export class Turns {
  /** By client; none without a waiter. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #planned = false;

  /** Resolves when it is this client's turn, in the order of asking. */
  take(client: string): Promise<void> {
    return new Promise((resolve) => {
      const queue = this.#waiting.get(client);
      if (queue) queue.push(resolve);
      else this.#waiting.set(client, [resolve]);
      this.#plan();
    });
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#planned = false;
    for (const [client, queue] of this.#waiting) {
      queue.shift()!();
      if (queue.length === 0) this.#waiting.delete(client);
    }
    if (this.#waiting.size > 0) this.#plan();
  }
}
