/** One thread that hashes, seen from outside. */
import type { HashAnswer, HashOrder } from "./hasher_thread_main.ts";

/** Starts the code in `hasher_thread_main.ts`. */
export type StartThread = () => Worker;

interface Waiting {
  readonly bytes: number;
  readonly resolve: (digest: Uint8Array | undefined) => void;
}

export class HasherThread implements Disposable {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #orders = 0;
  #backlog = 0;
  #able = true;

  constructor(start: StartThread) {
    this.#worker = start();
    this.#worker.addEventListener("message", ({ data }: MessageEvent<HashAnswer>) => {
      this.#answer(data.order, data.digest);
    });
    this.#worker.addEventListener("error", (event) => {
      // Not ours to die of: whoever waits hashes by himself.
      event.preventDefault();
      this.#end();
    });
  }

  /** False when it has died. */
  get able(): boolean {
    return this.#able;
  }

  /** Bytes that are waiting for their digest. */
  get backlog(): number {
    return this.#backlog;
  }

  /** undefined when the thread dies before. */
  sha256(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    if (!this.#able) return Promise.resolve(undefined);
    const order = this.#orders++;
    this.#backlog += bytes.length;
    return new Promise((resolve) => {
      this.#waiting.set(order, { bytes: bytes.length, resolve });
      this.#worker.postMessage({ order, bytes } satisfies HashOrder);
    });
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  #answer(order: number, digest: Uint8Array | undefined): void {
    const waiting = this.#waiting.get(order);
    if (!waiting) return;
    this.#waiting.delete(order);
    this.#backlog -= waiting.bytes;
    waiting.resolve(digest);
  }

  #end(): void {
    this.#able = false;
    this.#worker.terminate();
    for (const order of this.#waiting.keys()) this.#answer(order, undefined);
  }
}
