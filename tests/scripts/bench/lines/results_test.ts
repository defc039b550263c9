import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Cell } from "../../../../scripts/bench/lines/cells.ts";
import {
  type CellResult,
  type LineSample,
  summaryOf,
  tableOfJob,
  verdictOn,
} from "../../../../scripts/bench/lines/results.ts";

const CLEAN: Cell = { job: "large", rttMs: 100, lossPercent: 0, congestion: "cubic" };
const LOSSY: Cell = { ...CLEAN, lossPercent: 1 };
const SMALL: Cell = { ...CLEAN, job: "small" };

/** A number below 0 is a run that was ended after that time. */
function samplesOf(...walls: number[]): LineSample[] {
  return walls.map((wall) => ({
    wallMs: Math.abs(wall),
    unfinished: wall < 0,
    userMs: 1,
    sysMs: 1,
    residentKiB: 2048,
    traffic: { connections: 4, packets: 9, lost: 0, dropped: 0 },
  }));
}

function resultOf(cell: Cell, walls: Readonly<Record<string, readonly number[]>>): CellResult {
  const results = Object.entries(walls).map(([name, walls]) => ({
    name,
    samples: samplesOf(...walls),
  }));
  return { cell, results };
}

const verdicts = [
  {
    name: "holds at its goal",
    cell: CLEAN,
    walls: { "p2p get": [105], curl: [100] },
    want: "holds",
  },
  {
    name: "compares with the fastest",
    cell: CLEAN,
    walls: { "p2p get": [105], curl: [200], "aria2c -x1": [70], "aria2c -x16": [90] },
    want: "MISSED: 1.50 (1.50-1.50) of aria2c -x1, at most 1.05",
  },
  {
    name: "takes the median of the rounds",
    cell: CLEAN,
    walls: { "p2p get": [100, 900, 100], curl: [100, 100, 100] },
    want: "holds",
  },
  {
    name: "holds when a rival that was ended is slow enough already",
    cell: LOSSY,
    walls: { "p2p get": [30], "aria2c -x1": [-100], "aria2c -x16": [30] },
    want: "holds",
  },
  {
    name: "cannot tell when a rival was ended too early",
    cell: LOSSY,
    walls: { "p2p get": [50], "aria2c -x1": [-100], "aria2c -x16": [50] },
    want: "unknown",
  },
  {
    name: "is missed when p2p was ended and is too slow already",
    cell: LOSSY,
    walls: { "p2p get": [-100], "aria2c -x1": [-100], "aria2c -x16": [50] },
    want: "MISSED: >2.00 (2.00-2.00) of aria2c -x16, at most 1.1",
  },
  { name: "has no goal without a rival", cell: LOSSY, walls: { "p2p get": [1] }, want: "" },
  { name: "holds in time", cell: SMALL, walls: { "p2p get": [1500] }, want: "holds" },
  {
    name: "is missed in time",
    cell: SMALL,
    walls: { "p2p get": [1600] },
    want: "MISSED: 1.60 (1.60-1.60) s, at most 1.5 s",
  },
];
for (const { name, cell, walls, want } of verdicts) {
  Deno.test(`verdictOn() ${name}`, () => assertEquals(verdictOn(resultOf(cell, walls)), want));
}

Deno.test("tableOfJob() has a row for each cell of the job, and a column for each program", () => {
  const results = [
    resultOf(CLEAN, { "p2p get": [2000], curl: [1000] }),
    resultOf(LOSSY, { "p2p get": [2000], curl: [-60_000] }),
    resultOf(SMALL, { "p2p get": [1] }),
  ];
  const { head, rows } = tableOfJob("large", results, "title");
  assertEquals(head.slice(0, 4), ["line", "p2p get s", "curl s", "p2p to curl"]);
  assertEquals(rows.map((row) => row.slice(0, 4)), [
    ["100 ms, 0 %, cubic", "2.00 (2.00-2.00)", "1.00 (1.00-1.00)", "2.00 (2.00-2.00)"],
    ["100 ms, 1 %, cubic", "2.00 (2.00-2.00)", ">60.00 (60.00-60.00)", "<0.03 (0.03-0.03)"],
  ]);
});

Deno.test("summaryOf() names the cell, the times and the verdict", () => {
  const summary = summaryOf(resultOf(CLEAN, { "p2p get": [2000], curl: [1000] }));
  assertStringIncludes(summary, "large, 100 ms, 0 %, cubic: p2p get 2.00");
  assertStringIncludes(summary, "goals MISSED: 2.00 (2.00-2.00) of curl");
});
