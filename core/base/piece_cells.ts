/**
 * A piece map as small as a line of text: the file in at most 64 equal cells,
 * and how many pieces of each are there. Enough to see where the holes are,
 * whether the file has one piece or 32,768.
 */

/** A line of a narrow terminal has room for it. */
const MAX_CELLS = 64;

/** Pieces that are there, by cell; the cells of `count` pieces are as many as pieces, up to 64. */
export function cellsOf(count: number, there: Iterable<number>): number[] {
  const cells = new Array<number>(Math.min(count, MAX_CELLS)).fill(0);
  for (const piece of there) cells[cellOf(piece, count)]!++;
  return cells;
}

/** The cell that a piece lies in. */
export function cellOf(piece: number, count: number): number {
  return Math.floor(piece * Math.min(count, MAX_CELLS) / count);
}

/** How many pieces a cell has when all of them are there. */
export function sizeOfCell(cell: number, cells: number, count: number): number {
  return Math.ceil((cell + 1) * count / cells) - Math.ceil(cell * count / cells);
}
