/** Digests of files on the disk. */
import { equalBytes } from "../base/digest.ts";
import { allPieces } from "../base/pieces.ts";
import { hashFile, mapPieces, type ReadAt } from "../hash/hash_file.ts";
import { type Hasher, mainThreadHasher } from "../hash/pool.ts";
import { digestOfPiece, type Manifest } from "../protocol/manifest.ts";
import { type Disk, type DiskFile, realDisk } from "./disk.ts";

export interface HashingOptions {
  readonly disk?: Disk | undefined;
  readonly hasher?: Hasher | undefined;
}

/** SHA-256 of the file at `path`, hex. @throws the signal's reason if it aborts. */
export async function sha256OfFile(
  path: string,
  signal: AbortSignal,
  { disk = realDisk, hasher }: HashingOptions = {},
): Promise<string> {
  const file = disk.openSync(path, { read: true });
  using _closed = { [Symbol.dispose]: () => file.close() };
  return await sha256OfOpenFile(file, signal, hasher);
}

export async function sha256OfOpenFile(
  file: DiskFile,
  signal: AbortSignal,
  hasher: Hasher = mainThreadHasher,
): Promise<string> {
  const { size } = file.statSync();
  return (await hashFile(readerOf(file), size, { hasher, signal, pieces: false })).sha256;
}

/** Whether the file at `path` holds exactly the manifest's bytes; stops at the first piece that differs. */
export async function holds(
  path: string,
  manifest: Manifest,
  signal: AbortSignal,
  { disk = realDisk, hasher }: HashingOptions = {},
): Promise<boolean> {
  const file = disk.openSync(path, { read: true });
  using _closed = { [Symbol.dispose]: () => file.close() };
  if (file.statSync().size !== manifest.layout.size) return false;
  for await (const { right } of checkPieces(file, manifest, signal, hasher)) {
    if (!right) return false;
  }
  return true;
}

/** Hashes all pieces of an open file, in order, and says of each whether it is the manifest's. */
export async function* checkPieces(
  file: DiskFile,
  manifest: Manifest,
  signal: AbortSignal,
  hasher: Hasher = mainThreadHasher,
): AsyncIterable<{ piece: number; right: boolean }> {
  const { layout } = manifest;
  const hash = (bytes: Uint8Array) => hasher.sha256(bytes);
  const hashed = mapPieces(readerOf(file), layout, allPieces(layout), hash, { hasher, signal });
  for await (const { piece, result } of hashed) {
    yield { piece, right: equalBytes(result, digestOfPiece(manifest, piece)) };
  }
}

export function readerOf(file: DiskFile): ReadAt {
  return async (into, position) => {
    file.seekSync(position, Deno.SeekMode.Start);
    let filled = 0;
    while (filled < into.length) {
      const count = await file.read(into.subarray(filled));
      if (count === null) break;
      filled += count;
    }
    return filled;
  };
}
