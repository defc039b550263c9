import { assertEquals, assertThrows } from "@std/assert";
import { type Cell, entrantsOf, filesOf, goalsOf } from "../../../../scripts/bench/lines/cells.ts";
import { lineOptionsOf } from "../../../../scripts/bench/lines/options.ts";

const CELL: Cell = { job: "large", rttMs: 100, lossPercent: 0, congestion: "cubic" };

Deno.test("lineOptionsOf() gives every job on every line, unless cells are chosen", () => {
  assertEquals(lineOptionsOf({}, false).cells.length, 3 * 3 * 3 * 2);
  const chosen = { job: "large", rtt: "100", loss: "0, 0.1", congestion: "cubic" };
  const { cells } = lineOptionsOf(chosen, false);
  assertEquals(cells, [CELL, { ...CELL, lossPercent: 0.1 }]);
});

Deno.test("lineOptionsOf() makes a quick bench smaller, unless sizes are given", () => {
  const [full, quick] = [lineOptionsOf({}, false), lineOptionsOf({}, true)];
  assertEquals(quick.largeMiB < full.largeMiB && quick.limitMs < full.limitMs, true);
  const given = lineOptionsOf({ "large-mib": "8", limit: "5", mbit: "50" }, true);
  assertEquals([given.largeMiB, given.limitMs, given.mbit], [8, 5000, 50]);
});

const mistakes = [
  { flags: { job: "huge" }, want: '--job "huge"' },
  { flags: { rtt: "20,fast" }, want: '--rtt "fast"' },
  { flags: { loss: "-1" }, want: '--loss "-1"' },
  { flags: { loss: "51" }, want: '--loss "51"' },
  { flags: { mbit: "0" }, want: '--mbit "0"' },
  { flags: { limit: "1e3" }, want: '--limit "1e3"' },
  { flags: { programs: "wget" }, want: '--programs "wget"' },
];
for (const { flags, want } of mistakes) {
  Deno.test(`lineOptionsOf() throws for ${want}`, () => {
    assertThrows(() => lineOptionsOf(flags, false), Error, `Cannot use ${want}`);
  });
}

Deno.test("entrantsOf() chooses by name or by tool, and p2p always", () => {
  const namesOf = (programs?: string[]) => entrantsOf("large", programs).map(({ name }) => name);
  assertEquals(namesOf(), ["p2p get", "curl", "aria2c -x1", "aria2c -x16"]);
  assertEquals(namesOf(["aria2c"]), ["p2p get", "aria2c -x1", "aria2c -x16"]);
  assertEquals(namesOf(["aria2c -x16"]), ["p2p get", "aria2c -x16"]);
  assertEquals(namesOf(["p2p"]), ["p2p get"]);
});

Deno.test("entrantsOf() gives a single small file a start of each program to subtract", () => {
  const idle = entrantsOf("one", undefined).map(({ idle }) => idle !== undefined);
  assertEquals(idle, [true, true, true]);
});

Deno.test("filesOf() takes the size of the large file alone from the options", () => {
  assertEquals(filesOf("large", 2), { count: 1, size: 2 * 1024 * 1024 });
  assertEquals(filesOf("small", 2), filesOf("small", 3));
});

Deno.test("goalsOf() compares with the fastest on a clean line, and with one flow where loss limits it", () => {
  const rivalsOf = (cell: Cell) =>
    goalsOf(cell).map((goal) => goal.kind === "relative" ? goal.rivals.length : 0);
  assertEquals(rivalsOf(CELL), [3]);
  assertEquals(rivalsOf({ ...CELL, lossPercent: 1 }), [1, 1]);
  assertEquals(rivalsOf({ ...CELL, lossPercent: 1, congestion: "bbr" }), [1]);
});
