import { assertEquals } from "@std/assert";
import { renderProgress } from "../../commands/ui/progress_block.ts";
import { displayWidth } from "../../commands/ui/width.ts";
import { assertGolden } from "../support/golden.ts";
import { event, NOON, resultOf, StampedProgress } from "./fake_environment.ts";

const MIB = 2 ** 20;

/** Tasks that download, verify, find, wait and are done. */
function busyView(): StampedProgress {
  const view = new StampedProgress();
  const queue = (task: string, name: string) =>
    view.apply(event({ kind: "queued", name, target: name }, { task }));
  const state = (
    task: string,
    state: "finding" | "downloading" | "verifying",
  ) => view.apply(event({ kind: "state", state }, { task }));
  const found = (task: string, size: number, seeds: string[]) =>
    view.apply(event({ kind: "found", size, id: null, seeds }, { task }));

  queue("t1", "ubuntu-24.04-desktop-amd64-with-a-long-name.iso");
  state("t1", "downloading");
  found("t1", 5000 * MIB, ["nas1", "nas2", "lab"]);
  view.apply(event({ kind: "resumed", bytes: 3000 * MIB, pieces: 3000, rehashed: 0 }));
  for (let i = 0; i < 20; i++) {
    view.apply(event({ kind: "received", seed: "nas1", bytes: 10 * MIB }, { at: i * 100 }));
    view.apply(event({ kind: "stored", seed: "nas1", piece: i, bytes: 10 * MIB }));
  }
  queue("t2", "写真/家族旅行の思い出.zip");
  state("t2", "verifying");
  found("t2", 256 * MIB, ["nas1"]);
  view.apply(
    event({ kind: "resumed", bytes: 256 * MIB, pieces: 256, rehashed: 0 }, { task: "t2" }),
  );
  queue("t3", "evil\x1b[2J\u202egpj.exe");
  state("t3", "finding");
  queue("t4", "later.bin");
  queue("t5", "ready.bin");
  view.apply(event({ kind: "done", result: resultOf({ size: MIB }) }, { task: "t5" }));
  return view;
}

for (const columns of [40, 80, 200]) {
  Deno.test(`renderProgress() draws the golden screen of ${columns} columns`, () => {
    const lines = renderProgress(busyView(), { columns, rows: 24 }, NOON + 2000);
    assertGolden(new URL(`screens/get-${columns}.txt`, import.meta.url), lines);
  });
}

for (const columns of [1, 2, 5, 10, 20, 39, 40, 60, 79, 80, 81, 120, 200, 500]) {
  Deno.test(`renderProgress() stays within ${columns} columns and escapes control characters`, () => {
    const lines = renderProgress(busyView(), { columns, rows: 24 }, NOON + 2000);
    for (const line of lines) {
      assertEquals(displayWidth(line) < Math.max(columns, 2), true, line);
      // deno-lint-ignore no-control-regex -- that none is there is the point
      assertEquals(/[\x00-\x1f\x7f-\x9f\u202e]/.test(line), false, line);
    }
  });
}

for (const [rows, want] of [[1, 1], [3, 1], [4, 2], [12, 10], [24, 10], [60, 10]] as const) {
  Deno.test(`renderProgress() of 50 active tasks has ${want} lines on ${rows} rows`, () => {
    const view = new StampedProgress();
    for (let i = 0; i < 50; i++) {
      const task = `t${i}`;
      view.apply(event({ kind: "queued", name: task, target: task }, { task }));
      view.apply(event({ kind: "state", state: "downloading" }, { task }));
    }
    const lines = renderProgress(view, { columns: 80, rows }, NOON);
    assertEquals(lines.length, want);
    assertEquals(lines.at(-1), "0 done, 50 active  0 B/s");
  });
}

Deno.test("renderProgress() counts cancelled and failed downloads separately", () => {
  const view = busyView();
  view.apply(event({ kind: "state", state: "cancelled" }, { task: "t4" }));
  const total = renderProgress(view, { columns: 200, rows: 24 }, NOON + 2000).at(-1)!;
  assertEquals(total.match(/\d+ (failed|cancelled)/g), ["1 cancelled"]);
});
