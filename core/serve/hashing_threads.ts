/** Who hashes a file, and in which memory. */
import { SMALLEST_PIECE } from "../base/pieces.ts";
import { type Hashers, HasherThreads, thisThread, WORTH_A_THREAD } from "../hash/hashers.ts";

export interface LentHashers extends Disposable {
  readonly hashers: Hashers;
  /** What is read at a time goes into one of these; where there are several, one is read into while the others are hashed. */
  readonly blocks: readonly Uint8Array[];
}

/** Read at a time; on this thread also hashed without a pause: a good millisecond in which nobody else is served. */
export const BLOCK_BYTES = SMALLEST_PIECE;
const BLOCKS = 3;

/**
 * Large files are hashed by threads, which are there while one is being hashed:
 * a seed at rest does not pay for their memory. Small ones are hashed here, in
 * memory that is used again, for they are many.
 */
export class HashingThreads {
  readonly #make: () => HasherThreads;
  #threads: HasherThreads | undefined;
  #users = 0;
  readonly #spare: Uint8Array[] = [];

  constructor(make: () => HasherThreads) {
    this.#make = make;
  }

  /** Those for a file of `size` bytes; to be given back when nothing is being hashed any more. */
  lend(size: number): LentHashers {
    return size > WORTH_A_THREAD ? this.#lendThreads() : this.#lendHere();
  }

  #lendHere(): LentHashers {
    const block = this.#spare.pop() ?? new Uint8Array(BLOCK_BYTES);
    return {
      hashers: thisThread,
      blocks: [block],
      [Symbol.dispose]: () => void this.#spare.push(block),
    };
  }

  #lendThreads(): LentHashers {
    const threads = this.#threads ??= this.#make();
    this.#users++;
    const shared = () => new Uint8Array(new SharedArrayBuffer(BLOCK_BYTES));
    return {
      hashers: threads,
      blocks: Array.from({ length: BLOCKS }, shared),
      [Symbol.dispose]: () => {
        if (--this.#users > 0) return;
        threads[Symbol.dispose]();
        this.#threads = undefined;
      },
    };
  }
}
