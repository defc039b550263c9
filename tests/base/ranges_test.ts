import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { lengthOf, splitRange } from "../../core/base/ranges.ts";
import { property } from "./property.ts";

const splits = [
  { name: "an empty range", range: [0, 0], most: 4, want: [] },
  { name: "an empty range inside", range: [7, 7], most: 4, want: [] },
  { name: "less than one part", range: [0, 3], most: 4, want: [[0, 3]] },
  { name: "exactly one part", range: [0, 4], most: 4, want: [[0, 4]] },
  { name: "one byte more", range: [0, 5], most: 4, want: [[0, 4], [4, 5]] },
  { name: "a start inside", range: [3, 11], most: 4, want: [[3, 7], [7, 11]] },
  { name: "single bytes", range: [5, 8], most: 1, want: [[5, 6], [6, 7], [7, 8]] },
  { name: "no limit", range: [5, 8], most: Infinity, want: [[5, 8]] },
  {
    name: "the end of the numbers",
    range: [2 ** 53 - 3, 2 ** 53 - 1],
    most: 1,
    want: [[2 ** 53 - 3, 2 ** 53 - 2], [2 ** 53 - 2, 2 ** 53 - 1]],
  },
];
for (const { name, range: [start = 0, end = 0], most, want } of splits) {
  Deno.test(`splitRange() of ${name}`, () => {
    const parts = splitRange({ start, end }, most);
    assertEquals(parts.map((part) => [part.start, part.end]), want);
  });
}

Deno.test("lengthOf() does not count the end", () => {
  assertEquals(lengthOf({ start: 3, end: 3 }), 0);
  assertEquals(lengthOf({ start: 3, end: 10 }), 7);
});

property(
  "splitRange() gives adjoining parts, all full but the last",
  fc.tuple(fc.nat(), fc.nat(5000), fc.integer({ min: 1, max: 6000 })),
  ([start, length, most]) => {
    const parts = splitRange({ start, end: start + length }, most);
    let at = start;
    for (const [i, part] of parts.entries()) {
      assertEquals(part.start, at);
      assert(i === parts.length - 1 ? lengthOf(part) <= most : lengthOf(part) === most);
      assert(lengthOf(part) > 0);
      at = part.end;
    }
    assertEquals(at, start + length);
  },
);
