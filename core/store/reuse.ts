/** Pieces that an existing file of another version already has. */
import { equalBytes } from "../base/digest.ts";
import { rangeOfPiece } from "../base/pieces.ts";
import { mapPieces } from "../hash/hash_file.ts";
import { mainThreadHasher } from "../hash/pool.ts";
import { digestOfPiece, type Manifest } from "../protocol/manifest.ts";
import { realDisk, statIfExists, withDiskErrors } from "./disk.ts";
import { type HashingOptions, readerOf } from "./hashing.ts";
import type { PieceSink } from "./piece_sink.ts";

/**
 * Writes to `sink` each missing piece that the file at `path` has at the same place, so that only the
 * pieces that differ are fetched. Every piece is verified by the manifest.
 *
 * @returns the number of bytes written; 0 if there is no such file.
 * @throws {DiskError} if the sink cannot be written. @throws the signal's reason if it aborts.
 */
export async function reusePieces(
  sink: PieceSink,
  manifest: Manifest,
  path: string,
  signal: AbortSignal,
  { disk = realDisk, hasher = mainThreadHasher }: HashingOptions = {},
): Promise<number> {
  const info = statIfExists(path, disk);
  const size = info?.isFile ? info.size : 0;
  const { layout } = manifest;
  const shared = sink.missing.filter((piece) => rangeOfPiece(layout, piece).end <= size);
  if (shared.length === 0) return 0;
  const old = withDiskErrors(`read "${path}"`, () => disk.openSync(path, { read: true }));
  using _closed = { [Symbol.dispose]: () => old.close() };
  const hash = (bytes: Uint8Array) => hasher.sha256(bytes);
  let reused = 0;
  for await (
    const { piece, bytes, result } of mapPieces(readerOf(old), layout, shared, hash, {
      hasher,
      signal,
    })
  ) {
    if (!equalBytes(result, digestOfPiece(manifest, piece))) continue;
    sink.write(piece, bytes);
    reused += bytes.length;
  }
  return reused;
}
