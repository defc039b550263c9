/** What the user wants of one task, as it changes while the task runs, waits or is paused. */
import { linkedAbort } from "../base/abort.ts";
import { Notify } from "../base/notify.ts";
import type { ControlRequest } from "../state/control.ts";

export class Control {
  readonly #change = new Notify();
  #wish: ControlRequest | undefined;
  #attempt: { abort(reason: unknown): void } | undefined;

  get wish(): ControlRequest | undefined {
    return this.#wish;
  }

  /** A new wish ends what is running; the same again changes nothing. */
  set(wish: ControlRequest | undefined): void {
    if (wish === this.#wish) return;
    this.#wish = wish;
    this.#change.notifyAll();
    if (wish !== undefined) this.#attempt?.abort(new Error(`The user wishes to ${wish}`));
  }

  /** Resolves at the next change. @throws the signal's reason if it aborts before. */
  async changed(signal: AbortSignal): Promise<void> {
    await this.#change.notified(signal);
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
