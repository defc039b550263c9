import { assertEquals } from "@std/assert";
import { percentDone } from "../../core/base/text.ts";

const cases = [
  { name: "nothing of it", bytes: 0, size: 3, want: 0 },
  { name: "a third of it", bytes: 1, size: 3, want: 33.3 },
  { name: "all but a byte of a large file", bytes: 2 ** 40 - 1, size: 2 ** 40, want: 99.9 },
  { name: "all of it", bytes: 3, size: 3, want: 100 },
  { name: "an empty file, which may have failed", bytes: 0, size: 0, want: 0 },
  { name: "a part of nobody knows what", bytes: 5, size: null, want: null },
];
for (const { name, bytes, size, want } of cases) {
  Deno.test(`percentDone() is ${want} for ${name}`, () => {
    assertEquals(percentDone(bytes, size), want);
  });
}
