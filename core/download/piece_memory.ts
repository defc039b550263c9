/**
 * Memory for the pieces of all tasks together: so much and no more, lent in the
 * order of asking, and used again, because fresh memory is zeroed first and the
 * collector takes its time with what is thrown away.
 */
import { MIN_PIECE_BYTES } from "../base/pieces.ts";
import { Semaphore } from "../base/semaphore.ts";

/** Most files have pieces of this size … */
const PIECE_BUFFER_BYTES = MIN_PIECE_BYTES;
/** … or are themselves no larger than this. Only such memory is kept for the next one. */
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

  /** @param budget in bytes; a piece that is larger gets its memory when no other is lent. */
  constructor(budget: number) {
    this.#budget = new Semaphore(budget);
  }

  /** Waits for `size` bytes; disposing them gives them back: nothing may write to them any more. @throws the signal's reason if it aborts before. */
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

/** Rounded up to what is kept, unless that would waste most of it. */
function heldFor(size: number): number {
  if (size <= SMALL_BUFFER_BYTES) return SMALL_BUFFER_BYTES;
  return size > PIECE_BUFFER_BYTES / 4 && size < PIECE_BUFFER_BYTES ? PIECE_BUFFER_BYTES : size;
}

/** Shared, so that another thread can hash it where it lies; for what is too small for that, the cheaper kind. */
function freshMemory(size: number): ArrayBufferLike {
  return size >= PIECE_BUFFER_BYTES ? new SharedArrayBuffer(size) : new ArrayBuffer(size);
}
