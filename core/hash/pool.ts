/** Who computes digests: this thread, or threads beside it. */
import { RunningDigest, sha256 } from "../base/digest.ts";
import { type RunningHash, type StartWorker, WorkerHandle } from "./worker_handle.ts";

export interface Hasher {
  /**
   * SHA-256 of `bytes`, which must stay as they are until it resolves. Only what
   * lies in shared memory can be hashed by another thread.
   */
  sha256(bytes: Uint8Array): Promise<Uint8Array>;
  /** A digest over bytes that come one after the other. */
  begin(): RunningHash;
}

/** For small jobs and single processors. */
export const mainThreadHasher: Hasher = {
  sha256: (bytes) => Promise.resolve(sha256(bytes)),
  begin() {
    const running = new RunningDigest();
    return {
      update: (bytes) => Promise.resolve(running.update(bytes)),
      digest: () => Promise.resolve(running.digest()),
      [Symbol.dispose]() {},
    };
  },
};

/**
 * A thread takes 30 ms to begin, in which this one hashes twice as much: below
 * that, a job pays for no thread.
 */
export const MIN_BYTES_FOR_WORKER = 32 * 1024 * 1024;
/** Handing a job over and back takes about 50 µs, as long as hashing so much. */
const MIN_BYTES_TO_TRANSFER = 64 * 1024;
/** With so much before it, a thread is behind. Less would not do: pieces come, and digests are heard of, in bursts. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;

/** Threads that begin when there is enough to do, and no more of them than are kept busy. When all are behind, this thread helps. */
export class HasherPool implements Hasher, Disposable {
  #most: number;
  readonly #start: StartWorker;
  readonly #worth: number;
  readonly #threads: WorkerHandle[] = [];
  /** Bytes in all. */
  #hashed = 0;

  /**
   * @param most threads; none where there is but one processor.
   * @param worth bytes that this thread hashes before another one begins.
   */
  constructor(most: number, start: StartWorker, worth = MIN_BYTES_FOR_WORKER) {
    this.#most = most;
    this.#start = start;
    this.#worth = worth;
  }

  async sha256(bytes: Uint8Array): Promise<Uint8Array> {
    this.#hashed += bytes.length;
    const shared = bytes.buffer instanceof SharedArrayBuffer &&
      bytes.length >= MIN_BYTES_TO_TRANSFER;
    const thread = shared && this.#hashed > this.#worth ? this.#free() : undefined;
    return await thread?.sha256(bytes) ?? sha256(bytes);
  }

  /** In a thread of its own, where there may be one; then only for bytes in shared memory. */
  begin(): RunningHash {
    return (this.#another() ?? this.#free())?.begin() ?? mainThreadHasher.begin();
  }

  [Symbol.dispose](): void {
    this.#most = 0;
    for (const thread of this.#threads.splice(0)) thread[Symbol.dispose]();
  }

  /** A thread that is not behind. */
  #free(): WorkerHandle | undefined {
    const able = this.#threads.filter((thread) =>
      thread.able && thread.backlog < MAX_BACKLOG_BYTES
    );
    const [first, ...others] = able;
    if (first) return others.reduce((a, b) => b.backlog < a.backlog ? b : a, first);
    return this.#another();
  }

  #another(): WorkerHandle | undefined {
    if (this.#threads.length >= this.#most) return undefined;
    const thread = new WorkerHandle(this.#start);
    this.#threads.push(thread);
    return thread;
  }
}
