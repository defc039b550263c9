/** Computes digests on worker threads, or on this thread where that is faster. */
import { RunningDigest } from "../base/digest.ts";
import { yieldToEventLoop } from "../base/clock.ts";
import { type RunningHash, type StartWorker, WorkerHandle } from "./worker_handle.ts";

export interface Hasher {
  /**
   * SHA-256 of `bytes`, which must not change until it resolves. Only bytes in
   * shared memory can be hashed by a worker.
   */
  sha256(bytes: Uint8Array): Promise<Uint8Array>;
  /** A digest over bytes in shared memory that come in parts, about `size` bytes in all. */
  begin(size: number): RunningHash;
  /** Whether workers hash the next `size` bytes, or some of them. */
  usesWorker(size: number): boolean;
}

/** For small jobs and single processors. */
export const mainThreadHasher: Hasher = {
  async sha256(bytes) {
    using running = this.begin(bytes.length);
    await running.update(bytes);
    return await running.digest();
  },
  begin() {
    const running = new RunningDigest();
    let done: Promise<void> | undefined;
    return {
      update: (bytes) => done = updateInSteps(running, bytes, done),
      digest: async () => (await done, running.digest()),
      [Symbol.dispose]() {},
    };
  },
  usesWorker: () => false,
};

/** Takes almost a millisecond; then other events are handled. */
const STEP_BYTES = 1024 * 1024;

async function updateInSteps(
  running: RunningDigest,
  bytes: Uint8Array,
  before: Promise<void> | undefined,
): Promise<void> {
  await before;
  for (let start = 0; start < bytes.length; start += STEP_BYTES) {
    if (start > 0) await yieldToEventLoop();
    running.update(bytes.subarray(start, start + STEP_BYTES));
  }
}

/** A worker takes 30 ms to start, in which this thread hashes twice as many bytes. */
const MIN_BYTES_FOR_WORKER = 32 * 1024 * 1024;
/** Handing a job to a worker and back takes about 50 µs, as long as hashing this many bytes. */
const MIN_BYTES_TO_TRANSFER = 64 * 1024;
/** A worker with a longer backlog gets no more jobs. Not less, because pieces arrive, and replies are handled, in bursts. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;

/** Starts workers when there is enough to hash, and only as many as are kept busy. When all have a backlog, this thread helps. */
export class HasherPool implements Hasher, Disposable {
  #maxWorkers: number;
  readonly #start: StartWorker;
  readonly #minBytesForWorker: number;
  readonly #workers: WorkerHandle[] = [];
  #hashedBytes = 0;

  /**
   * @param maxWorkers 0 where there is only one processor.
   * @param minBytesForWorker bytes that this thread hashes before a worker starts.
   */
  constructor(
    maxWorkers: number,
    start: StartWorker,
    minBytesForWorker = MIN_BYTES_FOR_WORKER,
  ) {
    this.#maxWorkers = maxWorkers;
    this.#start = start;
    this.#minBytesForWorker = minBytesForWorker;
  }

  async sha256(bytes: Uint8Array): Promise<Uint8Array> {
    this.#hashedBytes += bytes.length;
    const movable = bytes.buffer instanceof SharedArrayBuffer &&
      bytes.length >= MIN_BYTES_TO_TRANSFER;
    const worker = movable && this.usesWorker(0) ? this.#available() : undefined;
    return await worker?.sha256(bytes) ?? await mainThreadHasher.sha256(bytes);
  }

  begin(size: number): RunningHash {
    const worker = this.usesWorker(size) ? this.#another() ?? this.#available() : undefined;
    return (worker ?? mainThreadHasher).begin(size);
  }

  usesWorker(size: number): boolean {
    return this.#maxWorkers > 0 && this.#hashedBytes + size > this.#minBytesForWorker;
  }

  /** Frees the workers' memory; new ones start when there is enough to hash again. */
  endWorkers(): void {
    this.#hashedBytes = 0;
    for (const worker of this.#workers.splice(0)) worker[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#maxWorkers = 0;
    this.endWorkers();
  }

  /** The worker with the shortest backlog. */
  #available(): WorkerHandle | undefined {
    const [best] = this.#workers
      .filter(({ alive, backlog }) => alive && backlog < MAX_BACKLOG_BYTES)
      .sort((a, b) => a.backlog - b.backlog);
    return best ?? this.#another();
  }

  #another(): WorkerHandle | undefined {
    if (this.#workers.length >= this.#maxWorkers) return undefined;
    const worker = new WorkerHandle(this.#start);
    this.#workers.push(worker);
    return worker;
  }
}
