/** Who hashes a file, and in which memory. */
import { MIN_PIECE_BYTES } from "../../base/pieces.ts";
import {
  type Hasher,
  HasherPool,
  mainThreadHasher,
  MIN_BYTES_FOR_WORKER,
} from "../../hash/pool.ts";

export interface BorrowedHasher extends Disposable {
  readonly hashers: Hasher;
  /** What is read at a time goes into one of these; where there are several, one is read into while the others are hashed. */
  readonly blocks: readonly Uint8Array[];
}

/** Read at a time; on this thread also hashed without a pause: a good millisecond in which nobody else is served. */
export const BLOCK_BYTES = MIN_PIECE_BYTES;
const BLOCKS = 3;

/**
 * Large files are hashed by threads, which are there while one is being hashed:
 * a seed at rest does not pay for their memory. Small ones are hashed here, in
 * memory that is used again, for they are many.
 */
export class HashWorkers {
  readonly #make: () => HasherPool;
  #threads: HasherPool | undefined;
  #users = 0;
  readonly #spare: Uint8Array[] = [];

  constructor(make: () => HasherPool) {
    this.#make = make;
  }

  /** Those for a file of `size` bytes; to be given back when nothing is being hashed any more. */
  lend(size: number): BorrowedHasher {
    return size > MIN_BYTES_FOR_WORKER ? this.#lendThreads() : this.#lendHere();
  }

  #lendHere(): BorrowedHasher {
    const block = this.#spare.pop() ?? new Uint8Array(BLOCK_BYTES);
    return {
      hashers: mainThreadHasher,
      blocks: [block],
      [Symbol.dispose]: () => void this.#spare.push(block),
    };
  }

  #lendThreads(): BorrowedHasher {
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
