/** What the user wants of one task, as it changes while the task runs, waits or is paused. */
import { linkedAbort } from "../base/abort.ts";
import { Change } from "../base/change.ts";
import type { Wish } from "../state/wishes.ts";

export class Control {
  readonly #change = new Change();
  #wish: Wish | undefined;
  #attempt: { abort(reason: unknown): void } | undefined;

  get wish(): Wish | undefined {
    return this.#wish;
  }

  /** A new wish ends what is running; the same again changes nothing. */
  set(wish: Wish | undefined): void {
    if (wish === this.#wish) return;
    this.#wish = wish;
    this.#change.tell();
    if (wish !== undefined) this.#attempt?.abort(new Error(`The user wishes to ${wish}`));
  }

  /** Resolves at the next change. @throws the signal's reason if it aborts before. */
  async changed(signal: AbortSignal): Promise<void> {
    await this.#change.next(signal);
  }

  /** A signal for one attempt: aborts when `parent` does, or with the next wish. */
  attempt(parent: AbortSignal): Disposable & { readonly signal: AbortSignal } {
    const attempt = this.#attempt = linkedAbort(parent);
    return {
      signal: attempt.signal,
      [Symbol.dispose]: () => {
        this.#attempt = undefined;
        attempt[Symbol.dispose]();
      },
    };
  }
}
