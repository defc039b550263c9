/**
 * The processor, shared fairly: a client address has so many requests looked at
 * before the event loop comes round again. A small reply never waits for its
 * reader, so a client that asks for thousands of them would otherwise be served
 * in one go, and the others' bodies would wait: one that flooded eight
 * connections left a good client a fiftieth of its share.
 */
import { setImmediate } from "node:timers";

/** A client that asks for bodies is not held up: of those, no more are ready in one round. */
const EACH_ROUND = 4;

interface Queue {
  left: number;
  readonly waiting: (() => void)[];
}

export class Attention {
  /** Of those who asked in this round, or wait since an earlier one. */
  readonly #queues = new Map<string, Queue>();

  /** Resolves when it is this client's turn, in the order of asking. */
  take(client: string): Promise<void> {
    const queue = this.#queueOf(client);
    if (queue.left > 0) {
      queue.left--;
      return Promise.resolve();
    }
    return new Promise((resolve) => void queue.waiting.push(resolve));
  }

  #queueOf(client: string): Queue {
    const known = this.#queues.get(client);
    if (known) return known;
    if (this.#queues.size === 0) setImmediate(() => this.#next());
    const queue = { left: EACH_ROUND, waiting: [] };
    this.#queues.set(client, queue);
    return queue;
  }

  /** Another round: for those who wait, and then for who asks. */
  #next(): void {
    for (const [client, queue] of this.#queues) {
      if (queue.waiting.length === 0) {
        this.#queues.delete(client);
        continue;
      }
      const admitted = queue.waiting.splice(0, EACH_ROUND);
      queue.left = EACH_ROUND - admitted.length;
      for (const admit of admitted) admit();
    }
    if (this.#queues.size > 0) setImmediate(() => this.#next());
  }
}
