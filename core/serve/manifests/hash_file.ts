/** The manifest of a file: read once, and hashed twice meanwhile, piece by piece and as a whole. */
import { DIGEST_BYTES } from "../../base/digest.ts";
import { layoutOf, type PieceLayout, rangeOfPiece } from "../../base/pieces.ts";
import { lengthOf, splitRange } from "../../base/ranges.ts";
import { makeManifest, type Manifest } from "../../protocol/manifest.ts";
import { BLOCK_BYTES, type BorrowedHasher } from "./hash_workers.ts";
import type { OpenFile } from "../files/open_file.ts";

/**
 * @param progress told how many bytes are through.
 * @throws {FileChangedError} @throws the signal's reason if it aborts.
 */
export async function hashFile(
  file: OpenFile,
  { hashers, blocks: memory }: BorrowedHasher,
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<Manifest> {
  const layout = layoutOf(file.version.size);
  const digests = new Uint8Array(layout.count * DIGEST_BYTES);
  using whole = hashers.begin();
  const blocks = memory.map((bytes) => new Block(bytes));
  let turn = 0;
  for (let piece = 0; piece < layout.count; piece++) {
    using digest = hashers.begin();
    for (const { range, last } of blocksOf(layout, piece)) {
      signal.throwIfAborted();
      const block = blocks[turn++ % blocks.length]!;
      const bytes = await block.free(lengthOf(range));
      // This wait is also what lets the event loop serve others between blocks.
      await file.readSlowly(bytes, range.start);
      block.hold(digest.update(bytes), whole.update(bytes));
      if (last) block.hold(digest.digest().then((it) => digests.set(it, piece * DIGEST_BYTES)));
      progress(range.end);
    }
  }
  for (const block of blocks) await block.free(0);
  return makeManifest(layout.size, (await whole.digest()).toHex(), digests);
}

function* blocksOf(layout: PieceLayout, piece: number) {
  const { start, end } = rangeOfPiece(layout, piece);
  for (const range of splitRange({ start, end }, BLOCK_BYTES)) {
    yield { range, last: range.end === end };
  }
}

/** Memory that is read into, and then left alone until it is hashed. */
class Block {
  readonly #memory: Uint8Array;
  readonly #held: Promise<void>[] = [];

  constructor(memory: Uint8Array) {
    this.#memory = memory;
  }

  /** Its first `size` bytes, as soon as nobody needs them. @throws what hashing them threw. */
  async free(size: number): Promise<Uint8Array> {
    await Promise.all(this.#held.splice(0));
    return this.#memory.subarray(0, size);
  }

  hold(...hashing: Promise<void>[]): void {
    // Looked at later; by then a failure must not have been nobody's.
    for (const one of hashing) one.catch(() => {});
    this.#held.push(...hashing);
  }
}
