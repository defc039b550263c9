import { assertEquals, assertThrows } from "@std/assert";
import { lineOptionsOf } from "../../../scripts/bench/lines/options.ts";
import { parseOptions, PARTS } from "../../../scripts/bench/options.ts";

Deno.test("parseOptions() measures everything but lines in five rounds when nothing is said", () => {
  assertEquals(parseOptions([], "p2p"), {
    quick: false,
    parts: PARTS.filter((part) => part !== "lines"),
    rounds: 5,
    out: "dist/bench",
    dir: undefined,
    program: "p2p",
    lines: lineOptionsOf({}, false),
  });
});

Deno.test("parseOptions() takes fewer rounds for a quick bench, unless they are given", () => {
  assertEquals(parseOptions(["quick"], "p2p").rounds, 3);
  assertEquals(parseOptions(["quick", "--rounds", "7"], "p2p").rounds, 7);
});

Deno.test("parseOptions() measures only the parts named, in the usual order", () => {
  assertEquals(parseOptions(["w3", "quick", "w1"], "p2p").parts, ["w1", "w3"]);
});

const mistakes = [
  { args: ["w5"], want: 'Cannot measure "w5"' },
  { args: ["--rounds", "0"], want: 'Cannot use --rounds "0"' },
  { args: ["--rounds", "1.5"], want: 'Cannot use --rounds "1.5"' },
  { args: ["--speed"], want: "--speed" },
];
for (const { args, want } of mistakes) {
  Deno.test(`parseOptions() throws for ${args.join(" ")}`, () => {
    assertThrows(() => parseOptions(args, "p2p"), Error, want);
  });
}
