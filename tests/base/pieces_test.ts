import { assert, assertEquals } from "@std/assert";
import {
  allPieces,
  bytesIn,
  cellOf,
  cellsOf,
  layoutOf,
  MAX_PIECES,
  MIN_PIECE_BYTES,
  pieceSizeOf,
  rangeOfPiece,
  sizeOfCell,
} from "../../core/base/pieces.ts";
import { anySize, property } from "./property.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;

const layouts = [
  { name: "an empty file", size: 0, pieceSize: MIB, count: 0, last: undefined },
  { name: "one byte", size: 1, pieceSize: MIB, count: 1, last: [0, 1] },
  {
    name: "one byte less than a piece",
    size: MIB - 1,
    pieceSize: MIB,
    count: 1,
    last: [0, MIB - 1],
  },
  { name: "exactly one piece", size: MIB, pieceSize: MIB, count: 1, last: [0, MIB] },
  {
    name: "one byte more than a piece",
    size: MIB + 1,
    pieceSize: MIB,
    count: 2,
    last: [MIB, MIB + 1],
  },
  {
    name: "exactly three pieces",
    size: 3 * MIB,
    pieceSize: MIB,
    count: 3,
    last: [2 * MIB, 3 * MIB],
  },
  {
    name: "32 GiB, the most of the smallest pieces",
    size: 34_359_738_368,
    pieceSize: 1_048_576,
    count: 32_768,
    last: [32 * GIB - MIB, 32 * GIB],
  },
  {
    name: "32 GiB and one byte",
    size: 34_359_738_369,
    pieceSize: 2_097_152,
    count: 16_385,
    last: [32 * GIB, 32 * GIB + 1],
  },
  {
    name: "64 GiB",
    size: 64 * GIB,
    pieceSize: 2 * MIB,
    count: 32_768,
    last: [64 * GIB - 2 * MIB, 64 * GIB],
  },
  {
    name: "64 GiB and one byte",
    size: 64 * GIB + 1,
    pieceSize: 4 * MIB,
    count: 16_385,
    last: [64 * GIB, 64 * GIB + 1],
  },
  { name: "1 TiB", size: TIB, pieceSize: 33_554_432, count: 32_768, last: [TIB - 32 * MIB, TIB] },
  {
    name: "the largest number",
    size: 2 ** 53 - 1,
    pieceSize: 2 ** 38,
    count: 32_768,
    last: [2 ** 53 - 2 ** 38, 2 ** 53 - 1],
  },
];
for (const { name, size, pieceSize, count, last } of layouts) {
  Deno.test(`layoutOf() and rangeOfPiece() fit for ${name}`, () => {
    const layout = layoutOf(size);
    assertEquals(layout, { size, pieceSize, count });
    if (last === undefined) return;
    const [start, end] = last;
    assertEquals<unknown>(rangeOfPiece(layout, count - 1), { start, end });
  });
}

Deno.test("rangeOfPiece() gives a whole piece when it is not the last", () => {
  const layout = layoutOf(2 * MIB + 5);
  assertEquals(rangeOfPiece(layout, 0), { start: 0, end: MIB });
  assertEquals(rangeOfPiece(layout, 1), { start: MIB, end: 2 * MIB });
});

property("pieceSizeOf() is the smallest doubling with at most 32,768 pieces", anySize, (size) => {
  const pieceSize = pieceSizeOf(size);
  assert(Number.isInteger(Math.log2(pieceSize / MIN_PIECE_BYTES)));
  assert(size <= pieceSize * MAX_PIECES);
  assert(pieceSize === MIN_PIECE_BYTES || size > pieceSize / 2 * MAX_PIECES);
});

property("rangeOfPiece() covers the file without gap or overlap", anySize, (size) => {
  const layout = layoutOf(size);
  let at = 0;
  for (let piece = 0; piece < layout.count; piece += Math.max(1, layout.count >> 4)) {
    const { start, end } = rangeOfPiece(layout, piece);
    assertEquals(start, piece * layout.pieceSize);
    assert(start >= at && end > start && end <= size);
    at = end;
  }
  if (size > 0) assertEquals(rangeOfPiece(layout, layout.count - 1).end, size);
});

for (const count of [1, 2, 63, 64, 65, 100, 128, 1000, 32_768]) {
  Deno.test(`cellsOf() fills every cell when all ${count} pieces are stored`, () => {
    const all = Array.from({ length: count }, (_, piece) => piece);
    const cells = cellsOf(count, all);
    assertEquals(cells.length, Math.min(64, count));
    assertEquals(cells, cells.map((_, cell) => sizeOfCell(cell, cells.length, count)));
  });
}

Deno.test("cellsOf() returns no cell for an empty file", () => {
  assertEquals(cellsOf(0, []), []);
});

Deno.test("cellsOf() counts pieces by their position in the file", () => {
  assertEquals(cellsOf(3, [1]), [0, 1, 0]);
  assertEquals(cellsOf(128, [0, 1, 127]).filter((stored) => stored > 0), [2, 1]);
  assertEquals([cellOf(0, 128), cellOf(1, 128), cellOf(2, 128), cellOf(127, 128)], [0, 0, 1, 63]);
});

Deno.test("bytesIn() of allPieces() is the size of the file", () => {
  for (const size of [0, 1, MIB, 3 * MIB + 5]) {
    const layout = layoutOf(size);
    assertEquals(bytesIn(layout, allPieces(layout)), size);
  }
});
