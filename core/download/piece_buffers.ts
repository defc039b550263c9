/**
 * Buffers for the pieces of all tasks, within one budget, lent in the order of the requests. Buffers
 * are used again, because new memory is zeroed first and the garbage collector frees it late.
 */
import { MIN_PIECE_BYTES } from "../base/pieces.ts";
import { Semaphore } from "../base/semaphore.ts";

/** The size of most pieces. */
const PIECE_BUFFER_BYTES = MIN_PIECE_BYTES;
/** Small files. Only buffers of these two sizes are kept. */
const SMALL_BUFFER_BYTES = 64 * 1024;

export interface LentBuffer extends Disposable {
  readonly bytes: Uint8Array;
}

export class PieceBuffers {
  readonly #budget: Semaphore;
  readonly #spare = new Map<number, ArrayBufferLike[]>([[PIECE_BUFFER_BYTES, []], [
    SMALL_BUFFER_BYTES,
    [],
  ]]);

  /** @param budget in bytes; a larger piece gets its buffer when no other one is lent. */
  constructor(budget: number) {
    this.#budget = new Semaphore(budget);
  }

  /** Waits for a buffer of `size` bytes. Dispose it when nothing writes to it any more. @throws the signal's reason if it aborts. */
  async lend(size: number, signal: AbortSignal): Promise<LentBuffer> {
    const held = heldFor(size);
    const share = await this.#budget.acquire(signal, "back", held);
    const spare = this.#spare.get(held);
    const memory = spare?.pop() ?? freshMemory(held);
    return {
      bytes: new Uint8Array(memory, 0, size),
      [Symbol.dispose]: () => {
        spare?.push(memory);
        share[Symbol.dispose]();
      },
    };
  }
}

/** Rounded up to a size that is kept, unless that wastes most of it. */
function heldFor(size: number): number {
  if (size <= SMALL_BUFFER_BYTES) return SMALL_BUFFER_BYTES;
  return size > PIECE_BUFFER_BYTES / 4 && size < PIECE_BUFFER_BYTES ? PIECE_BUFFER_BYTES : size;
}

/** Shared, so that a worker can hash it in place; small buffers, which are hashed on this thread, are cheaper. */
function freshMemory(size: number): ArrayBufferLike {
  return size >= PIECE_BUFFER_BYTES ? new SharedArrayBuffer(size) : new ArrayBuffer(size);
}
