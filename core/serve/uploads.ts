/**
 * Room to send a body, shared fairly: a free slot goes to the client address
 * that holds the fewest, and among equals to the one that was served longest ago.
 * So a client that opens more connections gets no more than one that opens few.
 */
import type { Refusal } from "../wire/refusals.ts";

interface Waiter {
  readonly admit: () => void;
  readonly refuse: (reason: unknown) => void;
}

export class Uploads {
  readonly #size: number;
  #taken = 0;
  readonly #held = new Map<string, number>();
  /** The number of the last slot that a client was given; forgotten when it neither holds nor waits. */
  readonly #lastServed = new Map<string, number>();
  #grants = 0;
  /** By client; none without a waiter. */
  readonly #waiting = new Map<string, Waiter[]>();
  #closed: Refusal | undefined;

  /** @param size bodies being sent at a time, at least 1. */
  constructor(size: number) {
    this.#size = size;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return [...this.#waiting.values()].reduce((sum, queue) => sum + queue.length, 0);
  }

  /**
   * Waits for a slot; disposing what comes back frees it, once.
   *
   * @throws the signal's reason if it aborts before. @throws what `close` was given.
   */
  async take(client: string, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#closed) throw this.#closed;
    if (this.#taken < this.#size) this.#grant(client);
    else await this.#queue(client, signal);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#release(client);
      },
    };
  }

  /** Gives no more slots: whoever waits, now or later, is refused. Slots that are held stay so. */
  close(refusal: Refusal): void {
    this.#closed = refusal;
    const waiters = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    this.#lastServed.clear();
    for (const waiter of waiters) waiter.refuse(refusal);
  }

  #queue(client: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#forget(client, waiter);
        reject(signal.reason);
      };
      const stopListening = () => signal.removeEventListener("abort", giveUp);
      const waiter: Waiter = {
        admit: () => {
          stopListening();
          resolve();
        },
        refuse: (reason) => {
          stopListening();
          reject(reason);
        },
      };
      signal.addEventListener("abort", giveUp, { once: true });
      const queue = this.#waiting.get(client);
      if (queue) queue.push(waiter);
      else this.#waiting.set(client, [waiter]);
    });
  }

  #forget(client: string, waiter: Waiter): void {
    const queue = this.#waiting.get(client) ?? [];
    const rest = queue.filter((one) => one !== waiter);
    if (rest.length > 0) this.#waiting.set(client, rest);
    else this.#waiting.delete(client);
  }

  #grant(client: string): void {
    this.#taken++;
    this.#held.set(client, (this.#held.get(client) ?? 0) + 1);
    this.#lastServed.set(client, ++this.#grants);
  }

  #release(client: string): void {
    this.#taken--;
    const held = this.#held.get(client)! - 1;
    if (held > 0) this.#held.set(client, held);
    else this.#held.delete(client);
    this.#admitNext();
    if (!this.#held.has(client) && !this.#waiting.has(client)) {
      this.#lastServed.delete(client);
    }
  }

  #admitNext(): void {
    const client = this.#neediest();
    if (client === undefined) return;
    const queue = this.#waiting.get(client)!;
    const waiter = queue.shift()!;
    if (queue.length === 0) this.#waiting.delete(client);
    this.#grant(client);
    waiter.admit();
  }

  #neediest(): string | undefined {
    let best: string | undefined;
    for (const client of this.#waiting.keys()) {
      if (best === undefined || this.#isBefore(client, best)) best = client;
    }
    return best;
  }

  #isBefore(client: string, other: string): boolean {
    const held = this.#held.get(client) ?? 0;
    const heldByOther = this.#held.get(other) ?? 0;
    if (held !== heldByOther) return held < heldByOther;
    const last = this.#lastServed.get(client) ?? 0;
    return last < (this.#lastServed.get(other) ?? 0);
  }
}
