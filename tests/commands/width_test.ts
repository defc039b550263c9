import { assertEquals } from "@std/assert";
import {
  clip,
  displayWidth,
  padStart,
  shortenEnd,
  shortenMiddle,
  wrap,
} from "../../commands/ui/width.ts";

const widths = [
  ["abc", 3],
  ["日本語", 6],
  ["ｆｕｌｌ", 8],
  ["한글", 4],
  ["e\u0301", 1],
  ["🦕", 2],
  ["👩‍👩‍👧", 2],
  ["🇩🇪", 2],
  ["☃", 1],
  ["☃\ufe0f", 2],
  ["", 0],
  ["…", 1],
  ["äöü", 3],
  ["עברית", 5],
  ["䷀", 2],
  ["㉈", 1],
] as const;
for (const [text, want] of widths) {
  Deno.test(`displayWidth() of ${JSON.stringify(text)} is ${want}`, () => {
    assertEquals(displayWidth(text), want);
  });
}

Deno.test("clip() never splits a character", () => {
  assertEquals(clip("日本語", 3), "日");
  assertEquals(clip("ae\u0301b", 2), "ae\u0301");
});

Deno.test("shortenMiddle() keeps both ends within the width", () => {
  assertEquals(shortenMiddle("data/part-000000007.parquet", 16), "data/par…parquet");
  for (let width = 1; width < 30; width++) {
    const short = shortenMiddle("日本語/とても長い名前-0001.parquet", width);
    assertEquals(displayWidth(short) <= width, true, `${width}: ${short}`);
  }
});

Deno.test("shortenEnd() keeps the beginning and marks the cut", () => {
  assertEquals(shortenEnd("waiting: refused", 16), "waiting: refused");
  assertEquals(shortenEnd("waiting: refused", 10), "waiting: …");
  assertEquals(shortenEnd("日本語", 4), "日…");
  assertEquals(shortenEnd("ab", 1), "a");
});

Deno.test("padStart() counts columns, not characters", () => {
  assertEquals(padStart("日", 4), "  日");
});

const wrapped = [
  { name: "a line that fits", text: "one two", width: 7, want: ["one two"] },
  { name: "words", text: "one two three", width: 8, want: ["one two", "three"] },
  { name: "a gap between columns", text: "one  two", width: 8, want: ["one  two"] },
  { name: "a word that is too wide", text: "a 日本語 b", width: 4, want: ["a", "日本", "語 b"] },
  { name: "nothing", text: "", width: 4, want: [""] },
  { name: "what no line has room for", text: "日", width: 1, want: [] },
];
for (const { name, text, width, want } of wrapped) {
  Deno.test(`wrap() breaks ${name} into ${want.length} lines of ${width} columns`, () => {
    assertEquals(wrap(text, width), want);
  });
}
