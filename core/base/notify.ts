/** An event that recurs, and that several callers can wait for. */
export class Notify {
  #next = Promise.withResolvers<void>();

  /** Wakes all callers that wait. */
  notifyAll(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }

  /** Resolves at the next `notifyAll`. @throws the signal's reason if it aborts before. */
  async notified(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const stop = Promise.withResolvers<never>();
    const abort = () => stop.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([this.#next.promise, stop.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }
}
