/** How a file is cut into pieces, the unit of trust: each has a digest. */
import type { ByteRange } from "./ranges.ts";

/** As the protocol says; also what a connection sends in one body. */
export const MIN_PIECE_BYTES = 1_048_576;
/** Keeps a manifest below 8 MiB: 32,768 digests of 32 bytes, in base64, are 1.4 MiB. */
export const MAX_PIECES = 32_768;

export interface PieceLayout {
  readonly size: number;
  readonly pieceSize: number;
  /** 0 for an empty file. */
  readonly count: number;
}

/** The same for every holder of the same bytes: 1 MiB, doubled until the file has at most 32,768 pieces. */
export function pieceSizeOf(size: number): number {
  let pieceSize = MIN_PIECE_BYTES;
  while (size > pieceSize * MAX_PIECES) pieceSize *= 2;
  return pieceSize;
}

export function layoutOf(size: number): PieceLayout {
  const pieceSize = pieceSizeOf(size);
  return { size, pieceSize, count: Math.ceil(size / pieceSize) };
}

export function rangeOfPiece(layout: PieceLayout, piece: number): ByteRange {
  const start = piece * layout.pieceSize;
  return { start, end: Math.min(start + layout.pieceSize, layout.size) };
}
