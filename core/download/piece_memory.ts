/**
 * Memory for the pieces of all tasks together: so much and no more, lent in the
 * order of asking, and used again, because fresh memory is zeroed first and the
 * collector takes its time with what is thrown away.
 */
import { MIN_PIECE_BYTES } from "../base/pieces.ts";

/** Most files have pieces of this size … */
const PIECE_BUFFER_BYTES = MIN_PIECE_BYTES;
/** … or are themselves no larger than this. Only such memory is kept for the next one. */
const SMALL_BUFFER_BYTES = 64 * 1024;

interface Waiting {
  readonly bytes: number;
  readonly admit: () => void;
}

export interface LentBuffer extends Disposable {
  readonly bytes: Uint8Array;
}

export class PieceBuffers {
  readonly #budget: number;
  readonly #spare = new Map<number, ArrayBufferLike[]>([[PIECE_BUFFER_BYTES, []], [
    SMALL_BUFFER_BYTES,
    [],
  ]]);
  readonly #waiting: Waiting[] = [];
  #lent = 0;

  /** @param budget in bytes; a piece that is larger gets its memory when no other is lent. */
  constructor(budget: number) {
    this.#budget = budget;
  }

  /** Waits for `size` bytes; disposing them gives them back: nothing may write to them any more. @throws the signal's reason if it aborts before. */
  async lend(size: number, signal: AbortSignal): Promise<LentBuffer> {
    signal.throwIfAborted();
    const held = heldFor(size);
    if (this.#waiting.length > 0 || !this.#fits(held)) await this.#queue(held, signal);
    else this.#lent += held;
    const spare = this.#spare.get(held);
    const memory = spare?.pop() ?? freshMemory(held);
    return {
      bytes: new Uint8Array(memory, 0, size),
      [Symbol.dispose]: () => {
        spare?.push(memory);
        this.#lent -= held;
        this.#admit();
      },
    };
  }

  #fits(size: number): boolean {
    return this.#lent === 0 || this.#lent + size <= this.#budget;
  }

  #queue(size: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = {
        bytes: size,
        admit: () => {
          signal.removeEventListener("abort", giveUp);
          resolve();
        },
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason);
        // What stood behind a large one may fit.
        this.#admit();
      };
      signal.addEventListener("abort", giveUp, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.bytes)) {
      const next = this.#waiting.shift()!;
      this.#lent += next.bytes;
      next.admit();
    }
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
