/** Buffers for the steps of bodies, shared by all clients. */

/** Measured: 64 KiB is slower by a fifth, 1 MiB is not faster. */
const LARGE_BYTES = 256 * 1024;
export const SMALL_BYTES = 16 * 1024;
/** 16 MiB together: with more clients that read slowly, all are sent small steps. */
const MAX_LARGE_BUFFERS = 64;
/** Room before the bytes of a step, for the reply's line and a manifest of one piece with a name that is not very long. */
export const HEAD_BYTES = 1024;

/** As many buffers as were ever in use at a time, not as many as there are clients. */
export class BodyBuffers {
  readonly #large: Uint8Array[] = [];
  readonly #small: Uint8Array[] = [];
  #largeInUse = 0;

  /** The longest step that a buffer can hold now. */
  get maxBytes(): number {
    return this.#largeInUse < MAX_LARGE_BUFFERS ? LARGE_BYTES : SMALL_BYTES;
  }

  take(stepBytes: number): Uint8Array {
    if (stepBytes <= SMALL_BYTES) {
      return this.#small.pop() ?? new Uint8Array(HEAD_BYTES + SMALL_BYTES);
    }
    this.#largeInUse++;
    return this.#large.pop() ?? new Uint8Array(HEAD_BYTES + LARGE_BYTES);
  }

  /** Only when nothing reads from it any more. */
  putBack(buffer: Uint8Array): void {
    if (buffer.length > HEAD_BYTES + SMALL_BYTES) {
      this.#largeInUse--;
      this.#large.push(buffer);
    } else {
      this.#small.push(buffer);
    }
  }
}
