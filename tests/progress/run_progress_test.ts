import { assertEquals, assertStringIncludes } from "@std/assert";
import { renderProgress } from "../../commands/ui/progress_block.ts";
import { event, NOON, resultOf, StampedProgress } from "../commands/fake_environment.ts";

function started(): StampedProgress {
  const progress = new StampedProgress();
  progress.apply(event({ kind: "queued", name: "a.iso", target: "out/a.iso" }));
  progress.apply(event({ kind: "state", state: "downloading" }));
  progress.apply(
    event({ kind: "found", size: 10_000, id: "ab", seeds: ["nas1", "nas2"] }),
  );
  return progress;
}

Deno.test("RunProgress adds stored bytes to those of an earlier run", () => {
  const progress = started();
  progress.apply(event({ kind: "resumed", bytes: 4000, pieces: 4, rehashed: 0 }));
  progress.apply(event({ kind: "received", seed: "nas1", bytes: 2000 }));
  progress.apply(event({ kind: "stored", seed: "nas1", piece: 4, bytes: 1000 }));
  assertEquals([progress.task("t1")!.downloaded, progress.received], [5000, 2000]);
});

Deno.test("RunProgress has a rate and an ETA while bytes arrive, and neither when none do", () => {
  const progress = started();
  for (const at of [0, 500, 1000]) {
    progress.apply(event({ kind: "received", seed: "nas1", bytes: 1000 }, { at }));
  }
  const running = progress.task("t1")!.view(NOON + 1000);
  assertEquals(running.rate, 3000);
  assertEquals(Math.round(running.etaMs!), 3333);
  const stalled = progress.task("t1")!.view(NOON + 9000);
  assertEquals([stalled.rate, stalled.etaMs], [0, null]);
});

Deno.test("RunProgress excludes failed tasks from the total size", () => {
  const progress = started();
  const failure = { code: "not-found", message: "no" } as const;
  progress.apply(event({ kind: "queued", name: "b", target: "b" }, { task: "t2" }));
  assertEquals(progress.totals(NOON).sizeKnown, false);
  progress.apply(event({ kind: "failed", failure }, { task: "t2" }));
  const totals = progress.totals(NOON);
  assertEquals(
    [totals.failed, totals.active, totals.size, totals.sizeKnown],
    [1, 1, 10_000, true],
  );
});

Deno.test("RunProgress counts paused tasks separately and excludes them from the ETA", () => {
  const progress = started();
  const other = { task: "t2" };
  progress.apply(event({ kind: "queued", name: "b", target: "b" }, other));
  progress.apply(event({ kind: "found", size: 5000, id: null, seeds: [] }, other));
  progress.apply(event({ kind: "received", seed: "nas1", bytes: 1000 }));
  const alone = progress.totals(NOON);
  progress.apply(event({ kind: "state", state: "paused" }, other));
  const one = progress.totals(NOON);
  assertEquals([one.active, one.waiting, one.paused, one.size], [1, 0, 1, 15_000]);
  assertEquals(one.etaMs! < alone.etaMs!, true);
  progress.apply(event({ kind: "state", state: "paused" }));
  const both = progress.totals(NOON);
  assertEquals([both.active, both.waiting, both.paused, both.etaMs], [0, 0, 2, null]);
  assertStringIncludes(
    renderProgress(progress, { columns: 80, rows: 24 }, NOON).at(-1)!,
    "2 paused",
  );
});

Deno.test("RunProgress counts all bytes of a file that was there already", () => {
  const progress = new StampedProgress();
  const result = resultOf({ how: "already-there", size: 77 });
  progress.apply(event({ kind: "done", result }));
  const task = progress.task("t1")!.view(NOON);
  assertEquals([task.state, task.downloaded, task.size], ["done", 77, 77]);
});
