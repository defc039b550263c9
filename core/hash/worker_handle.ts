/** One thread that hashes, seen from outside. */
import type { HashReply, HashRequest } from "./worker.ts";

/** Starts the code in `worker.ts`. */
export type StartWorker = () => Worker;

/** @throws if the thread that has its state dies. */
export interface RunningHash extends Disposable {
  /** `bytes` must stay as they are until it resolves. */
  update(bytes: Uint8Array): Promise<void>;
  /** The digest of all; nothing can be added any more. */
  digest(): Promise<Uint8Array>;
}

interface Waiting {
  readonly bytes: number;
  readonly resolve: (answer: HashReply | undefined) => void;
}

const EMPTY = new Uint8Array();

export class WorkerHandle implements Disposable {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #orders = 0;
  #streams = 0;
  #backlog = 0;
  #able = true;

  constructor(start: StartWorker) {
    this.#worker = start();
    this.#worker.addEventListener("message", ({ data }: MessageEvent<HashReply>) => {
      this.#answer(data.order, data);
    });
    this.#worker.addEventListener("error", (event) => {
      // Not ours to die of: whoever waits is told.
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
  async sha256(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.#ask({ bytes, stream: this.#streams++, ends: true }))?.digest;
  }

  begin(): RunningHash {
    const stream = this.#streams++;
    let over = false;
    const ask = async (bytes: Uint8Array, ends: boolean) => {
      over ||= ends;
      const answer = await this.#ask({ bytes, stream, ends });
      if (answer) return answer.digest;
      throw new Error("Cannot hash: the thread has died");
    };
    return {
      update: async (bytes) => void await ask(bytes, false),
      digest: async () => (await ask(EMPTY, true))!,
      // Nobody waits for its answer, which says nothing.
      [Symbol.dispose]: () => {
        if (!over) this.#ask({ bytes: EMPTY, stream, ends: true });
      },
    };
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  #ask(order: Omit<HashRequest, "order">): Promise<HashReply | undefined> {
    if (!this.#able) return Promise.resolve(undefined);
    const number = this.#orders++;
    const bytes = order.bytes.length;
    this.#backlog += bytes;
    return new Promise((resolve) => {
      this.#waiting.set(number, { bytes, resolve });
      this.#worker.postMessage({ ...order, order: number } satisfies HashRequest);
    });
  }

  #answer(order: number, answer: HashReply | undefined): void {
    const waiting = this.#waiting.get(order);
    if (!waiting) return;
    this.#waiting.delete(order);
    this.#backlog -= waiting.bytes;
    waiting.resolve(answer);
  }

  #end(): void {
    this.#able = false;
    this.#worker.terminate();
    for (const order of this.#waiting.keys()) this.#answer(order, undefined);
  }
}
