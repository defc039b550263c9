/**
 * Threads that hash large files. They are there while one is being hashed: a
 * seed at rest does not pay for their memory.
 */
import { type Hashers, HasherThreads, thisThread, WORTH_A_THREAD } from "../hash/hashers.ts";

export interface LentHashers extends Disposable {
  readonly hashers: Hashers;
}

export class HashingThreads {
  readonly #make: () => HasherThreads;
  #threads: HasherThreads | undefined;
  #users = 0;

  constructor(make: () => HasherThreads) {
    this.#make = make;
  }

  /** Those for a file of `size` bytes; disposing gives them back, once. */
  lend(size: number): LentHashers {
    if (size <= WORTH_A_THREAD) return { hashers: thisThread, [Symbol.dispose]() {} };
    const threads = this.#threads ??= this.#make();
    this.#users++;
    return {
      hashers: threads,
      [Symbol.dispose]: () => {
        if (--this.#users > 0) return;
        threads[Symbol.dispose]();
        this.#threads = undefined;
      },
    };
  }
}
