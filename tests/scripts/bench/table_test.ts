import { assertEquals } from "@std/assert";
import { bytes, mib, renderTable, seconds, spread } from "../../../scripts/bench/table.ts";

Deno.test("renderTable() makes columns as wide as their widest cell, figures to the right", () => {
  const table = renderTable({
    title: "Some",
    head: ["who", "wall s"],
    rows: [["a long name", "1.0"], ["b", "123.456"]],
    notes: ["one", "two"],
  });
  assertEquals(
    table,
    [
      "## Some",
      "",
      "| who         |  wall s |",
      "| ----------- | ------: |",
      "| a long name |     1.0 |",
      "| b           | 123.456 |",
      "",
      "- one",
      "- two",
      "",
    ].join("\n"),
  );
});

Deno.test("renderTable() leaves a cell empty when a row has none", () => {
  const table = renderTable({ title: "Some", head: ["who", "to one"], rows: [["a"]] });
  assertEquals(
    table.split("\n").slice(2),
    ["| who | to one |", "| --- | -----: |", "| a   |        |", ""],
  );
});

Deno.test("spread() gives the median and the range with as many digits as asked for", () => {
  assertEquals(spread({ median: 0.625, min: 0.5, max: 12 }, 1), "0.6 (0.5-12.0)");
});

Deno.test("seconds() are made of milliseconds", () => {
  assertEquals(seconds(1234), "1.234");
  assertEquals(seconds(1234, 1), "1.2");
});

Deno.test("mib() rounds KiB to whole MiB", () => assertEquals(mib(1536 + 1), "2"));

const sizes = [
  { count: 0, want: "0 B" },
  { count: 1023, want: "1023 B" },
  { count: 16 * 1024, want: "16 KiB" },
  { count: 1.5 * 2 ** 20, want: "1.5 MiB" },
  { count: 2 ** 30, want: "1 GiB" },
];
for (const { count, want } of sizes) {
  Deno.test(`bytes() gives "${want}"`, () => assertEquals(bytes(count), want));
}
