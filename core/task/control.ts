/** What the user wants of one task, as it changes while the task runs, waits or is paused. */
import type { Wish } from "../state/wishes.ts";

export class Control {
  #wish: Wish | undefined;
  #attempt: AbortController | undefined;
  #changed = Promise.withResolvers<void>();

  get wish(): Wish | undefined {
    return this.#wish;
  }

  /** A new wish ends what is running; the same again changes nothing. */
  set(wish: Wish | undefined): void {
    if (wish === this.#wish) return;
    this.#wish = wish;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    if (wish !== undefined) this.#attempt?.abort(new Error(`The user wishes to ${wish}`));
  }

  /** Resolves at the next change. @throws the signal's reason if it aborts before. */
  async changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const stop = Promise.withResolvers<never>();
    const abort = () => stop.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([this.#changed.promise, stop.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** A signal for one attempt: aborts when `parent` does, or with the next wish. */
  attempt(parent: AbortSignal): Disposable & { readonly signal: AbortSignal } {
    const attempt = new AbortController();
    const stop = () => attempt.abort(parent.reason);
    parent.addEventListener("abort", stop, { once: true });
    this.#attempt = attempt;
    return {
      signal: attempt.signal,
      [Symbol.dispose]: () => {
        this.#attempt = undefined;
        parent.removeEventListener("abort", stop);
      },
    };
  }
}
