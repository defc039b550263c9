import { assertEquals, assertMatch } from "@std/assert";
import type { SeedSnapshot, TaskDetail } from "../../core/mod.ts";
import { layoutRows, renderRow, type TaskRow } from "../../commands/ui/task_row.ts";
import { displayWidth } from "../../commands/ui/width.ts";
import { seedOf, taskOf } from "./watch_support.ts";

function lineOf(row: TaskRow, width = 79): string {
  return renderRow(row, layoutRows([row], width));
}

function inside(seeds: SeedSnapshot[], trouble: string | null = null): TaskDetail {
  return { seeds, moreSeeds: 0, pieces: null, trouble };
}

const gone = (seed: string) =>
  seedOf({ seed, standing: "failing", reason: `Cannot connect to ${seed}: refused`, rate: 0 });

const words: [string, Partial<Parameters<typeof taskOf>[0]>, RegExp][] = [
  ["nothing when all is well", { detail: inside([seedOf()]) }, /MiB\/s +0:21 +2 seeds$/],
  [
    "a seed that is slow",
    { detail: inside([seedOf(), seedOf({ seed: "nas2", slow: true })]) },
    / slow: nas2$/,
  ],
  ["an unreachable seed", { detail: inside([seedOf(), gone("nas2")]) }, / away: nas2$/],
  [
    "how many are unreachable",
    { detail: inside([gone("a"), gone("b"), gone("c")]) },
    / away: a \+2$/,
  ],
  ["a seed that is busy", { detail: inside([seedOf({ standing: "busy" })]) }, / busy: nas1:7270$/],
  [
    "a seed that sends corrupt data",
    { detail: inside([seedOf({ standing: "corrupt" })]) },
    / corrupt: nas1:7270$/,
  ],
  ["a full disk", { state: "waiting", detail: inside([], "disk full") }, / waiting: disk full$/],
  [
    "why nothing is received",
    { state: "waiting", detail: inside([gone("nas2")]) },
    / waiting: Cannot connect to nas2: refused$/,
  ],
  [
    "what is being done",
    { state: "verifying", detail: inside([seedOf()]) },
    / verifying +2 seeds$/,
  ],
  ["that the user paused it", { state: "paused" }, / paused +2 seeds$/],
  ["that it stopped", { state: "paused", pausedBy: "interrupt" }, / stopped +2 seeds$/],
  [
    "0 % of an empty file that does not come",
    { state: "paused", size: 0, downloaded: 0 },
    / 0% -+ /,
  ],
  ["why it failed", { state: "failed", error: "no seed has it" }, / failed: no seed has it$/],
];
for (const [name, changes, want] of words) {
  Deno.test(`renderRow() says ${name}`, () => {
    assertMatch(lineOf(taskOf(changes)), want);
  });

  Deno.test(`renderRow() says ${name} within any width`, () => {
    for (let width = 1; width < 120; width++) {
      const line = lineOf(taskOf({ ...changes, name: "写真/家族旅行の思い出.zip" }), width);
      assertEquals(displayWidth(line) <= width, true, line);
    }
  });
}

Deno.test("renderRow() escapes control characters in a seed's name and reason", () => {
  const evil = seedOf({ seed: "\x1b[2J", standing: "failing", reason: "\x1b[31m\u202e" });
  for (const state of ["downloading", "waiting"] as const) {
    const line = lineOf(taskOf({ state, detail: inside([evil]) }));
    assertEquals(line.includes("\x1b") || line.includes("\u202e"), false, line);
  }
});

Deno.test("layoutRows() has no empty column", () => {
  const waiting = taskOf({ state: "waiting", size: null, seeds: [], downloaded: 0 });
  const { cells } = layoutRows([waiting, waiting], 200);
  assertEquals([cells.has("seeds"), cells.has("part"), cells.has("word")], [false, false, false]);
});
