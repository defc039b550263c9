/** A task's place among those that run: given up while it has nothing to do, taken again at the front. */
import type { Semaphore } from "../base/semaphore.ts";

export class Permit implements Disposable {
  readonly #slots: Semaphore;
  #slot: Disposable | undefined;
  #entering: Promise<void> | undefined;

  constructor(slots: Semaphore, slot?: Disposable) {
    this.#slots = slots;
    this.#slot = slot;
  }

  get held(): boolean {
    return this.#slot !== undefined;
  }

  /** Lets the next one in. */
  release(): void {
    this.#slot?.[Symbol.dispose]();
    this.#slot = undefined;
  }

  /** Waits at the front of the queue, unless the place is held. @throws the signal's reason if it aborts before. */
  async acquire(signal: AbortSignal): Promise<void> {
    if (this.held) return;
    this.#entering ??= this.#take(signal).finally(() => this.#entering = undefined);
    await this.#entering;
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async #take(signal: AbortSignal): Promise<void> {
    this.#slot = await this.#slots.acquire(signal, "front");
  }
}
