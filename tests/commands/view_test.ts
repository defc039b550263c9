import { assertEquals, assertStringIncludes } from "@std/assert";
import { renderProgress } from "../../commands/ui/progress.ts";
import { event, NOON, resultOf, StampedView } from "./stand_in.ts";

function started(): StampedView {
  const view = new StampedView();
  view.apply(event({ kind: "queued", name: "a.iso", target: "out/a.iso" }));
  view.apply(event({ kind: "state", state: "downloading" }));
  view.apply(
    event({ kind: "found", size: 10_000, id: "ab", seeds: ["nas1", "nas2"] }),
  );
  return view;
}

Deno.test("View adds what an earlier run left to what is stored now", () => {
  const view = started();
  view.apply(event({ kind: "resumed", bytes: 4000, pieces: 4, rehashed: 0 }));
  view.apply(event({ kind: "received", seed: "nas1", bytes: 2000 }));
  view.apply(event({ kind: "stored", seed: "nas1", piece: 4, bytes: 1000 }));
  const task = view.task("t1", NOON)!;
  assertEquals([task.downloaded, task.received], [5000, 2000]);
});

Deno.test("View tells rate and time left from what comes, and neither when nothing does", () => {
  const view = started();
  for (const at of [0, 500, 1000]) {
    view.apply(event({ kind: "received", seed: "nas1", bytes: 1000 }, { at }));
  }
  const running = view.task("t1", NOON + 1000)!;
  assertEquals(running.rate, 3000);
  assertEquals(Math.round(running.etaMs!), 3333);
  const stalled = view.task("t1", NOON + 9000)!;
  assertEquals([stalled.rate, stalled.etaMs], [0, null]);
});

Deno.test("View counts the seeds that take part", () => {
  const view = started();
  const tell = (seed: string, what: "dropped" | "busy" | "failing" | "back") =>
    view.apply(event({ kind: "seed", seed, what, reason: "" }));
  const seeds = () => view.task("t1", NOON)!.seeds;
  tell("nas2", "busy");
  assertEquals(seeds(), ["nas1", "nas2"]);
  tell("nas2", "failing");
  assertEquals(seeds(), ["nas1"]);
  tell("nas2", "back");
  tell("nas1", "dropped");
  assertEquals(seeds(), ["nas2"]);
});

Deno.test("View leaves failed tasks out of what is still to come", () => {
  const view = started();
  const failure = { code: "not-found", message: "no" } as const;
  view.apply(event({ kind: "queued", name: "b", target: "b" }, { task: "t2" }));
  assertEquals(view.totals(NOON).sizeKnown, false);
  view.apply(event({ kind: "failed", failure }, { task: "t2" }));
  const totals = view.totals(NOON);
  assertEquals(
    [totals.failed, totals.active, totals.size, totals.sizeKnown],
    [1, 1, 10_000, true],
  );
});

Deno.test("View counts paused tasks apart, and waits for none of their bytes", () => {
  const view = started();
  const other = { task: "t2" };
  view.apply(event({ kind: "queued", name: "b", target: "b" }, other));
  view.apply(event({ kind: "found", size: 5000, id: null, seeds: [] }, other));
  view.apply(event({ kind: "received", seed: "nas1", bytes: 1000 }));
  const alone = view.totals(NOON);
  view.apply(event({ kind: "state", state: "paused" }, other));
  const one = view.totals(NOON);
  assertEquals([one.active, one.waiting, one.paused, one.size], [1, 0, 1, 15_000]);
  assertEquals(one.etaMs! < alone.etaMs!, true);
  view.apply(event({ kind: "state", state: "paused" }));
  const both = view.totals(NOON);
  assertEquals([both.active, both.waiting, both.paused, both.etaMs], [0, 0, 2, null]);
  assertStringIncludes(renderProgress(view, { columns: 80, rows: 24 }, NOON).at(-1)!, "2 paused");
});

Deno.test("View holds the whole file when it is done, wherever it came from", () => {
  const view = new StampedView();
  const result = resultOf({ how: "already-there", size: 77 });
  view.apply(event({ kind: "done", result }));
  const task = view.task("t1", NOON)!;
  assertEquals([task.state, task.downloaded, task.size], ["done", 77, 77]);
});
