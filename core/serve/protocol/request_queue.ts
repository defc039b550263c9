/** Requests between a session's reader and its writer: in order, and never more than fit. */
export class RequestQueue<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  #ended = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Waits while the queue is full: so a client that asks too fast is not read from. Does nothing after `end`. */
  async put(item: T): Promise<void> {
    while (this.#items.length >= this.#capacity && !this.#ended) {
      await new Promise<void>((wake) => this.#wakeReader = wake);
    }
    if (this.#ended) return;
    this.#items.push(item);
    this.#wakeWriter?.();
  }

  /** The oldest request, as soon as there is one; undefined when no more will come. */
  async take(): Promise<T | undefined> {
    while (this.#items.length === 0 && !this.#ended) {
      await new Promise<void>((wake) => this.#wakeWriter = wake);
    }
    this.#wakeReader?.();
    return this.#items.shift();
  }

  /** No more will come. What is in the queue can still be taken. */
  end(): void {
    this.#ended = true;
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }
}
