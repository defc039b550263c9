/** Digests of files: this thread reads a few pieces ahead, asynchronously, and workers hash them. */
import { DIGEST_BYTES } from "../base/digest.ts";
import { allPieces, layoutOf, type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import { lengthOf } from "../base/ranges.ts";
import type { Hasher } from "./pool.ts";

/** Fills `into` with the file's bytes from `position` on. @returns how many there are: fewer only where the file ends. */
export type ReadAt = (into: Uint8Array, position: number) => Promise<number>;

/** One piece is read while one is hashed and the next one waits for the worker. */
const MAX_BLOCKS = 3;
/** Limits `MAX_BLOCKS` where pieces are large; one piece is always read whole. */
const MAX_READ_AHEAD_BYTES = 8 * 1024 * 1024;

export interface PieceResult<T> {
  readonly piece: number;
  /** Valid until the next piece is requested; shorter than the piece if the file ends before. */
  readonly bytes: Uint8Array;
  readonly result: T;
}

/**
 * Reads `pieces` of a file one after the other and starts `work` on each while the next ones are
 * read. Yields the results in order. No read is in progress while the caller handles a result.
 *
 * @throws the signal's reason if it aborts.
 */
export async function* mapPieces<T>(
  read: ReadAt,
  layout: PieceLayout,
  pieces: readonly number[],
  work: (bytes: Uint8Array) => Promise<T>,
  { hasher, signal }: { readonly hasher: Hasher; readonly signal: AbortSignal },
): AsyncGenerator<PieceResult<T>> {
  const blockBytes = Math.min(layout.pieceSize, layout.size);
  // Reading ahead of a hash on this thread gains nothing, and costs the memory.
  const maxBlocks = hasher.usesWorker(pieces.length * blockBytes)
    ? Math.min(Math.max(1, Math.floor(MAX_READ_AHEAD_BYTES / blockBytes)), MAX_BLOCKS)
    : 1;
  const started: { piece: number; bytes: Uint8Array; result: Promise<T> }[] = [];
  let freed: ArrayBufferLike | undefined;
  for (const piece of pieces) {
    if (started.length === maxBlocks) {
      const { result, ...oldest } = started.shift()!;
      yield { ...oldest, result: await result };
      freed = oldest.bytes.buffer;
    }
    signal.throwIfAborted();
    const range = rangeOfPiece(layout, piece);
    const block = new Uint8Array(freed ?? new SharedArrayBuffer(blockBytes), 0, lengthOf(range));
    freed = undefined;
    const bytes = block.subarray(0, await read(block, range.start));
    const result = work(bytes);
    // Avoids an unhandled rejection if the caller stops before it awaits this result.
    result.catch(() => {});
    started.push({ piece, bytes, result });
  }
  for (const { result, ...rest } of started) yield { ...rest, result: await result };
}

/**
 * The digests of a file of `size` bytes: of the whole, hex, and of all pieces, one
 * after the other; these are zero if `pieces` is false.
 *
 * @throws the signal's reason if it aborts. @throws if a worker dies.
 */
export async function hashFile(
  read: ReadAt,
  size: number,
  options: {
    readonly hasher: Hasher;
    readonly signal: AbortSignal;
    readonly pieces?: boolean;
    /** Receives the number of bytes hashed so far. */
    readonly onProgress?: (done: number) => void;
  },
): Promise<{ sha256: string; pieces: Uint8Array }> {
  const { hasher, pieces: wantsPieces = true, onProgress } = options;
  const layout = layoutOf(size);
  const pieces = new Uint8Array(layout.count * DIGEST_BYTES);
  using whole = hasher.begin(size);
  const work = async (bytes: Uint8Array) => {
    const digest = wantsPieces ? hasher.sha256(bytes) : undefined;
    await whole.update(bytes);
    return await digest;
  };
  for await (const { piece, result } of mapPieces(read, layout, allPieces(layout), work, options)) {
    if (result) pieces.set(result, piece * DIGEST_BYTES);
    onProgress?.(rangeOfPiece(layout, piece).end);
  }
  return { sha256: (await whole.digest()).toHex(), pieces };
}
