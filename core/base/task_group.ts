import { type LinkedAbort, linkedAbort } from "./abort.ts";

/** Created once: an abort without a reason creates a DOMException with a stack, which costs more than a small job. */
const GROUP_ENDED = new Error("The group of jobs has ended");

/** Owns background jobs: none of them outlives the group. */
export class TaskGroup implements AsyncDisposable {
  readonly #parent: AbortSignal;
  /** Created on demand: for a small job it would be half of the cost. */
  #abort: LinkedAbort | undefined;
  #ended = false;
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;

  /** Creates a group without jobs. @param parent its abort aborts every job. */
  constructor(parent: AbortSignal) {
    this.#parent = parent;
  }

  /** Aborted when the parent is, when a job fails, or when the group is disposed. */
  get signal(): AbortSignal {
    return this.#own.signal;
  }

  /** The number of jobs that run. */
  get size(): number {
    return this.#running.size;
  }

  /** Starts `job`; its first failure aborts its siblings and is thrown by `join`. */
  spawn(job: (signal: AbortSignal) => Promise<void>): void {
    const run = this.#run(job).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Resolves when every job has ended. @throws the first failure, once. */
  async join(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.error;
  }

  /** Aborts every job with `reason`. */
  abort(reason?: unknown): void {
    this.#own.abort(reason);
  }

  /** Aborts every job and waits for its end. @throws the first failure, unless `join` threw it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.#abort?.abort(GROUP_ENDED);
    this.#abort?.[Symbol.dispose]();
    await this.join();
  }

  get #own(): LinkedAbort {
    if (this.#abort) return this.#abort;
    this.#abort = linkedAbort(this.#parent);
    if (this.#ended) this.#abort.abort(GROUP_ENDED);
    return this.#abort;
  }

  async #run(job: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await job(this.signal);
    } catch (error) {
      // A job that stops because of the abort is not a failure.
      if (this.signal.aborted) return;
      this.#failure ??= { error };
      this.abort(error);
    }
  }
}

/**
 * Runs `run` for every item, in order, at most `limit` at a time. After a failure it starts no
 * further ones; it settles when all that were started have ended.
 *
 * @throws the first failure.
 */
export async function forEachConcurrent<Item>(
  items: Iterable<Item>,
  limit: number,
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const remaining = items[Symbol.iterator]();
  let done = false;
  let failure: { readonly error: unknown } | undefined;
  const work = async () => {
    while (failure === undefined) {
      const next = remaining.next();
      if (next.done) {
        done = true;
        return;
      }
      await run(next.value).catch((error) => failure ??= { error });
    }
  };
  // A worker starts with its first item, so none is created without one, however large the limit.
  const workers: Promise<void>[] = [];
  while (workers.length < limit && !done && failure === undefined) workers.push(work());
  await Promise.all(workers);
  if (failure) throw failure.error;
}
