import { assertEquals } from "@std/assert";
import { cellOf, cellsOf, sizeOfCell } from "../../core/base/piece_cells.ts";

for (const count of [1, 2, 63, 64, 65, 100, 128, 1000, 32_768]) {
  Deno.test(`cellsOf() of all ${count} pieces fills every cell, and no more`, () => {
    const all = Array.from({ length: count }, (_, piece) => piece);
    const cells = cellsOf(count, all);
    assertEquals(cells.length, Math.min(64, count));
    assertEquals(cells, cells.map((_, cell) => sizeOfCell(cell, cells.length, count)));
  });
}

Deno.test("cellsOf() of an empty file has no cell", () => {
  assertEquals(cellsOf(0, []), []);
});

Deno.test("cellsOf() counts pieces where they lie in the file", () => {
  assertEquals(cellsOf(3, [1]), [0, 1, 0]);
  assertEquals(cellsOf(128, [0, 1, 127]).filter((there) => there > 0), [2, 1]);
  assertEquals([cellOf(0, 128), cellOf(1, 128), cellOf(2, 128), cellOf(127, 128)], [0, 0, 1, 63]);
});
