import { assertEquals, assertLess } from "@std/assert";
import { renderWatch } from "../../commands/ui/watch/screen.ts";
import { displayWidth } from "../../commands/ui/width.ts";
import { assertGolden } from "../support/golden.ts";
import { NOON } from "./fake_environment.ts";
import { caseOf, seedOf, taskOf, tasksOf, Watching } from "./watch_support.ts";

/** A running task with a seed of each kind, a long path and missing pieces. */
const INSIDE = taskOf({
  task: "4d8f2a9c01",
  name: "写真/家族旅行の思い出.iso",
  path: "/home/somebody/with/a/long/path/to/it/写真/家族旅行の思い出.iso",
  detail: {
    seeds: [
      seedOf(),
      seedOf({ seed: "nas2:7270", rate: 300_000, slow: true, bytes: 2 ** 20 }),
      seedOf({
        seed: "[2001:db8::1234:5678]:7270",
        standing: "failing",
        rate: 0,
        inFlight: 0,
        failures: 4,
        reason: "Cannot connect to [2001:db8::1234:5678]:7270: connection refused",
        retryAt: NOON + 3200,
      }),
      seedOf({
        seed: "lab:9001",
        standing: "dissents",
        rate: 0,
        bytes: 0,
        reason: "it has other bytes",
      }),
    ],
    moreSeeds: 3,
    pieces: { count: 5120, cells: Array.from({ length: 64 }, (_, i) => i < 30 ? 80 : i % 3 * 20) },
    trouble: "disk full",
  },
});

const PAGES = {
  task: (watching: Watching) => watching.press("enter"),
  "task-below": (watching: Watching) => watching.press("enter", "end"),
  "task-why": (watching: Watching) => {
    watching.press("enter");
    watching.take({ kind: "details", theCase: caseOf(INSIDE) });
  },
  question: (watching: Watching) => watching.type("c"),
  help: (watching: Watching) => watching.type("?"),
  log: (watching: Watching) => {
    watching.type("l");
    const lines = Array.from({ length: 40 }, (_, i) => `12:00:${i + 10} info  line ${i} of 日本語`);
    watching.take({ kind: "logged", task: INSIDE.task, lines: [...lines, "x".repeat(200)] });
  },
  "log-above": (watching: Watching) => {
    PAGES.log(watching);
    watching.press("page-up");
  },
} as const;

for (const [name, open] of Object.entries(PAGES)) {
  for (const [columns, rows] of [[40, 5], [80, 24], [200, 60]] as const) {
    Deno.test(`renderWatch() draws the golden screen of ${name} on ${columns} columns and ${rows} rows`, () => {
      const watching = new Watching([INSIDE], { columns, rows });
      open(watching);
      const { lines } = renderWatch(watching.model);
      const path = `screens/watch-${name}-${columns}x${rows}.txt`;
      assertGolden(new URL(path, import.meta.url), lines.map((line) => line.trimEnd()));
    });
  }
}

for (const count of [0, 1, 30, 10_000]) {
  Deno.test(`renderWatch() of ${count} tasks fits every window`, () => {
    const watching = new Watching([...count > 0 ? [INSIDE] : [], ...tasksOf(count)]);
    for (const open of [() => {}, ...Object.values(PAGES)]) {
      watching.press("escape");
      open(watching);
      for (const columns of [1, 2, 7, 20, 39, 40, 79, 80, 81, 200]) {
        for (const rows of [1, 2, 3, 4, 5, 7, 8, 24, 60]) {
          watching.take({ kind: "resized", size: { columns, rows } });
          const { lines, picked } = renderWatch(watching.model);
          assertEquals(lines.length, rows);
          for (const line of lines) {
            assertLess(displayWidth(line), Math.max(2, columns), line);
            // deno-lint-ignore no-control-regex -- that none is there is the point
            assertEquals(/[\x00-\x1f\x7f-\x9f\u202e]/.test(line), false, line);
          }
          if (picked !== undefined) assertLess(picked, rows);
        }
      }
    }
  });
}

Deno.test("renderWatch() counts waiting tasks that cannot be picked", () => {
  const watching = new Watching([]);
  watching.look(tasksOf(9), 90_000);
  const { lines } = renderWatch(watching.model);
  assertEquals(lines[0], "3 active, 90003 waiting, 1 paused  1000 B/s");
  assertEquals(lines.at(-2), "unfinished: 1-7 of 7, and 90000 more waiting");
});

Deno.test("renderWatch() draws 10,000 tasks a hundred times in less than a second", () => {
  const watching = new Watching(tasksOf(10_000));
  const startedAt = performance.now();
  for (let i = 0; i < 100; i++) {
    watching.press("page-down");
    renderWatch(watching.model);
  }
  // It takes a tenth of that; a frame that walks the whole list exceeds it.
  assertLess(performance.now() - startedAt, 1000);
});
