/** How a file is divided into pieces, which are verified one by one. */
import { type ByteRange, lengthOf } from "./ranges.ts";

/** Set by the protocol; also the largest body of one reply. */
export const MIN_PIECE_BYTES = 1_048_576;
/** Keeps a manifest below 8 MiB: 32,768 digests of 32 bytes, in base64, are 1.4 MiB. */
export const MAX_PIECES = 32_768;

/** How a file is divided into pieces. */
export interface PieceLayout {
  /** Bytes of the file. */
  readonly size: number;
  /** Bytes of each piece but the last one. */
  readonly pieceSize: number;
  /** The number of pieces; 0 for an empty file. */
  readonly count: number;
}

/** Depends only on the size, so that all seeds agree: 1 MiB, doubled until the file has at most `MAX_PIECES`. */
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

export function allPieces({ count }: PieceLayout): number[] {
  return Array.from({ length: count }, (_, piece) => piece);
}

/** Bytes of `pieces` in all. */
export function bytesIn(layout: PieceLayout, pieces: Iterable<number>): number {
  let bytes = 0;
  for (const piece of pieces) bytes += lengthOf(rangeOfPiece(layout, piece));
  return bytes;
}

/** A piece map shows the file in this many equal cells, which fit into a line of a narrow terminal. */
const MAX_CELLS = 64;

/** The number of stored pieces by cell, of `count` pieces in all. */
export function cellsOf(count: number, stored: Iterable<number>): number[] {
  const cells = new Array<number>(Math.min(count, MAX_CELLS)).fill(0);
  for (const piece of stored) cells[cellOf(piece, count)]!++;
  return cells;
}

/** The cell that a piece lies in. */
export function cellOf(piece: number, count: number): number {
  return Math.floor(piece * Math.min(count, MAX_CELLS) / count);
}

/** The number of pieces that lie in a cell. */
export function sizeOfCell(cell: number, cells: number, count: number): number {
  return Math.ceil((cell + 1) * count / cells) - Math.ceil(cell * count / cells);
}
