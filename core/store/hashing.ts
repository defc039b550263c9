/** Digests of what is on the disk, read piece by piece so that other work goes on in between. */
import { equalBytes, RunningDigest, sha256 } from "../base/digest.ts";
import { lengthOf } from "../base/ranges.ts";
import { type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import { digestOfPiece, type Manifest } from "../protocol/manifest.ts";
import { type Disk, type DiskFile, realDisk } from "./disk.ts";

const READ_BYTES = 1024 * 1024;

/** SHA-256 of a whole file, hex. @throws the signal's reason if it aborts. */
export async function hashFile(
  path: string,
  signal: AbortSignal,
  disk: Disk = realDisk,
): Promise<string> {
  const file = disk.openSync(path, { read: true });
  try {
    return await hashOpenFile(file, signal);
  } finally {
    file.close();
  }
}

/** The same of an open file, from its beginning. */
export async function hashOpenFile(file: DiskFile, signal: AbortSignal): Promise<string> {
  await file.seek(0, Deno.SeekMode.Start);
  const digest = new RunningDigest();
  const buffer = new Uint8Array(READ_BYTES);
  for (let count; (count = await file.read(buffer)) !== null;) {
    signal.throwIfAborted();
    digest.update(buffer.subarray(0, count));
  }
  return digest.hex();
}

/** Whether the file at `path` holds exactly the manifest's bytes; stops at the first that differs. */
export async function holds(
  path: string,
  manifest: Manifest,
  signal: AbortSignal,
  disk: Disk = realDisk,
): Promise<boolean> {
  const file = disk.openSync(path, { read: true });
  try {
    if ((await file.stat()).size !== manifest.layout.size) return false;
    const pieces = Array.from({ length: manifest.layout.count }, (_, piece) => piece);
    for await (const { right } of checkPieces(file, manifest, pieces, signal)) {
      if (!right) return false;
    }
    return true;
  } finally {
    file.close();
  }
}

/** Hashes `pieces` of an open file, in order, and says of each whether it is the manifest's. */
export async function* checkPieces(
  file: DiskFile,
  manifest: Manifest,
  pieces: Iterable<number>,
  signal: AbortSignal,
): AsyncIterable<{ piece: number; right: boolean }> {
  for await (const { piece, bytes } of readPieces(file, manifest.layout, pieces, signal)) {
    yield {
      piece,
      right: bytes !== undefined &&
        equalBytes(sha256(bytes), digestOfPiece(manifest, piece)),
    };
  }
}

/** Reads `pieces` of an open file, in order; `bytes` are valid until the next piece, and undefined where the file is too short. */
export async function* readPieces(
  file: DiskFile,
  layout: PieceLayout,
  pieces: Iterable<number>,
  signal: AbortSignal,
): AsyncIterable<{ piece: number; bytes: Uint8Array | undefined }> {
  const buffer = new Uint8Array(Math.min(layout.pieceSize, layout.size));
  for (const piece of pieces) {
    signal.throwIfAborted();
    yield { piece, bytes: await readPiece(file, layout, piece, buffer) };
  }
}

/** undefined when the file is too short. */
async function readPiece(
  file: DiskFile,
  layout: PieceLayout,
  piece: number,
  buffer: Uint8Array,
): Promise<Uint8Array | undefined> {
  const range = rangeOfPiece(layout, piece);
  const bytes = buffer.subarray(0, lengthOf(range));
  await file.seek(range.start, Deno.SeekMode.Start);
  for (let at = 0; at < bytes.length;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) return undefined;
    at += count;
  }
  return bytes;
}
