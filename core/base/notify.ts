/** Something that happens again and again, and that several may wait for. */
export class Notify {
  #next = Promise.withResolvers<void>();

  /** Wakes all who wait. */
  notifyAll(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }

  /** Resolves the next time it is told. @throws the signal's reason if it aborts before. */
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
