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
  readonly #pending = new Map<number, PendingRequest>();
  #requests = 0;
  #streams = 0;
  #backlog = 0;
  #alive = true;

  constructor(start: StartWorker) {
    this.#worker = start();
    this.#worker.addEventListener("message", ({ data }: MessageEvent<HashReply>) => {
      this.#settle(data.id, data);
    });
    this.#worker.addEventListener("error", (event) => {
      // A worker error must not crash the process.
      event.preventDefault();
      this.#end();
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
    this.#end();
  }

  #request(bytes: Uint8Array, stream: number, last: boolean): Promise<HashReply | undefined> {
    if (!this.#alive) return Promise.resolve(undefined);
    const id = this.#requests++;
    this.#backlog += bytes.length;
    return new Promise((resolve) => {
      this.#pending.set(id, { bytes: bytes.length, resolve });
      this.#worker.postMessage({ id, bytes, stream, last } satisfies HashRequest);
    });
  }

  #settle(id: number, reply: HashReply | undefined): void {
    const request = this.#pending.get(id);
    if (!request) return;
    this.#pending.delete(id);
    this.#backlog -= request.bytes;
    request.resolve(reply);
  }

  #end(): void {
    this.#alive = false;
    this.#worker.terminate();
    for (const id of this.#pending.keys()) this.#settle(id, undefined);
  }
}
