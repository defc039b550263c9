import { assertEquals } from "@std/assert";
import type { Sample } from "../../../scripts/bench/workspace.ts";
import type { Comparison } from "../../../scripts/bench/comparison.ts";
import { rankingOf, tableOf } from "../../../scripts/bench/ranking.ts";
import type { Workload } from "../../../scripts/bench/workloads.ts";

const WORKLOAD: Workload = {
  id: "w",
  title: "W",
  files: { count: 1, size: 1024 },
  quickFiles: { count: 1, size: 1 },
  sources: 1,
  bases: ["base", "absent"],
  cases: [],
  goals: [
    { name: "p2p", base: "base", most: 0.5 },
    { name: "p2p", base: "base", most: 0.3 },
    { name: "p2p", base: "absent", most: 0.1 },
  ],
};

function samplesOf(...walls: number[]): Sample[] {
  return walls.map((wallMs, round) => ({
    wallMs,
    userMs: 10 * round,
    sysMs: 1,
    residentKiB: 1024 * (round + 1),
    serverCpuMs: round,
    serverResidentKiB: 2048,
  }));
}

const CONTEST: Comparison = {
  workload: WORKLOAD,
  files: WORKLOAD.files,
  results: [
    { name: "base", samples: samplesOf(1000, 2000, 3000) },
    { name: "p2p", samples: samplesOf(400, 1000, 900) },
  ],
};

Deno.test("standingsOf() gives the medians, the most memory, and ratios to each base that ran", () => {
  const [, p2p] = rankingOf(CONTEST);
  assertEquals(p2p, {
    name: "p2p",
    wallMs: { median: 900, min: 400, max: 1000 },
    userMs: 10,
    sysMs: 1,
    residentKiB: 3072,
    serverCpuMs: 1,
    serverResidentKiB: 2048,
    ratios: { base: { median: 0.4, min: 0.3, max: 0.5 } },
  });
});

Deno.test("tableOf() has a column for each base that ran, and a verdict for each goal that can be judged", () => {
  const table = tableOf(CONTEST, rankingOf(CONTEST));
  assertEquals(table.head.filter((cell) => cell.startsWith("to ")), ["to base"]);
  assertEquals(table.notes, [
    "goal: p2p in at most 0.5 of base: 0.40 (0.30-0.50), holds",
    "goal: p2p in at most 0.3 of base: 0.40 (0.30-0.50), MISSED",
  ]);
});

Deno.test("tableOf() judges no goal when the sizes are not the ones that goals are for", () => {
  const quick = { ...CONTEST, files: WORKLOAD.quickFiles };
  assertEquals(tableOf(quick, rankingOf(quick)).notes, []);
});
