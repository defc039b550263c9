/** One hashing worker, as the main thread sees it. */
import type { HashReply, HashRequest } from "./worker.ts";

/** Starts the code in `worker.ts`. */
export type StartWorker = () => Worker;

/** A digest over bytes that come in parts. Its methods throw if the worker that holds its state dies. */
export interface RunningHash extends Disposable {
  /** `bytes` must not change until it resolves. */
  update(bytes: Uint8Array): Promise<void>;
  /** The digest of all bytes; ends it. */
  digest(): Promise<Uint8Array>;
}

interface PendingRequest {
  readonly bytes: number;
  readonly resolve: (reply: HashReply | undefined) => void;
}

const EMPTY = new Uint8Array();

export class WorkerHandle implements Disposable {
  readonly #worker: Worker;
  /** In the order of the replies. */
  readonly #pending: PendingRequest[] = [];
  #streams = 0;
  #backlog = 0;
  #alive = true;

  constructor(start: StartWorker) {
    this.#worker = start();
    this.#worker.addEventListener("message", ({ data }: MessageEvent<HashReply>) => {
      this.#settleNext(data);
    });
    this.#worker.addEventListener("error", (event) => {
      // A worker error must not crash the process.
      event.preventDefault();
      this[Symbol.dispose]();
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Bytes of pending requests. */
  get backlog(): number {
    return this.#backlog;
  }

  /** undefined if the worker dies before it replies. */
  async sha256(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    return (await this.#request(bytes, this.#streams++, true))?.digest;
  }

  begin(): RunningHash {
    const stream = this.#streams++;
    let ended = false;
    const request = async (bytes: Uint8Array, last: boolean) => {
      ended ||= last;
      const reply = await this.#request(bytes, stream, last);
      if (reply) return reply.digest;
      throw new Error("Cannot hash: the worker thread died");
    };
    return {
      update: async (bytes) => void await request(bytes, false),
      digest: async () => (await request(EMPTY, true))!,
      // Frees the worker's state; the reply does not matter.
      [Symbol.dispose]: () => {
        if (!ended) this.#request(EMPTY, stream, true);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#alive = false;
    this.#worker.terminate();
    while (this.#pending.length > 0) this.#settleNext(undefined);
  }

  #request(bytes: Uint8Array, stream: number, last: boolean): Promise<HashReply | undefined> {
    if (!this.#alive) return Promise.resolve(undefined);
    this.#backlog += bytes.length;
    this.#worker.postMessage({ bytes, stream, last } satisfies HashRequest);
    return new Promise((resolve) => this.#pending.push({ bytes: bytes.length, resolve }));
  }

  #settleNext(reply: HashReply | undefined): void {
    const request = this.#pending.shift();
    if (!request) return;
    this.#backlog -= request.bytes;
    request.resolve(reply);
  }
}
