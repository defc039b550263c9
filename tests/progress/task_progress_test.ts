import { assert, assertEquals } from "@std/assert";
import { isTimeReport } from "../../core/progress/snapshots.ts";
import { TaskProgress } from "../../core/progress/task_progress.ts";
import type { SourceChange, TaskEventData } from "../../core/events.ts";
import { done, eventOf, failed, found, NOW, state } from "../state/support.ts";

const received = (bytes: number, seed = "one:1"): TaskEventData => ({
  kind: "received",
  seed,
  bytes,
});
const changed = (
  seed: string,
  what: SourceChange,
  reason = `${seed} is ${what}`,
  retryInMs?: number,
): TaskEventData => ({
  kind: "seed",
  seed,
  what,
  reason,
  ...retryInMs === undefined ? {} : { retryInMs },
});
const inFlight = (pieces: number, seed = "one:1"): TaskEventData => ({
  kind: "flight",
  seed,
  pieces,
});
const stored = (bytes: number, piece = 0): TaskEventData => ({
  kind: "stored",
  seed: "one:1",
  piece,
  bytes,
});

function after(...events: (TaskEventData | ReturnType<typeof eventOf>)[]): TaskProgress {
  const task = new TaskProgress("a", NOW, NOW);
  for (const event of events) task.apply(eventOf("a", event), NOW);
  return task;
}

const begun = [state("a", "finding"), found("a", 1000), state("a", "downloading")];

Deno.test("TaskProgress has one rate, the sum over its seeds, for all snapshots", () => {
  const task = after(...begun, received(600), received(300, "two:2"), stored(700));
  const at = NOW + 1000;
  assertEquals(task.snapshot(at), { downloaded: 700, rate: 900, seeds: ["one:1", "two:2"] });
  assertEquals(task.detail(at)!.seeds.map(({ rate }) => rate), [600, 300]);
  const { rate, etaMs, downloaded } = task.view(at);
  assertEquals([rate, Math.round(etaMs!), downloaded], [900, 333, 700]);
});

Deno.test("TaskProgress.holders are seeds that were found or joined, and not those that were dropped", () => {
  const task = after(
    ...begun,
    changed("one:1", "dropped"),
    changed("two:2", "failing"),
    changed("three:3", "joined"),
    changed("four:4", "lacks"),
  );
  assertEquals(task.holders, ["two:2", "three:3"]);
});

Deno.test("TaskProgress.view() lists the seeds that take part", () => {
  const task = after(...begun);
  const seedsAfter = (...args: Parameters<typeof changed>) => {
    task.apply(eventOf("a", changed(...args)), NOW);
    return task.view(NOW).seeds;
  };
  assertEquals(seedsAfter("two:2", "busy"), ["one:1", "two:2"]);
  assertEquals(seedsAfter("two:2", "failing"), ["one:1"]);
  assertEquals(seedsAfter("two:2", "back"), ["one:1", "two:2"]);
  assertEquals(seedsAfter("one:1", "dropped"), ["two:2"]);
});

Deno.test("TaskProgress keeps a seed dropped when late bytes arrive from it", () => {
  const task = after(...begun, changed("one:1", "dropped"), received(5));
  assertEquals(task.detail(NOW)?.seeds[0]?.standing, "dropped");
  assertEquals(task.timeReport(NOW, NOW)?.seeds[0]?.standing, "dropped");
});

Deno.test("TaskProgress clears the problems of seeds in a new attempt, and keeps what was received", () => {
  const task = after(
    ...begun,
    received(5),
    changed("one:1", "failing"),
    state("a", "paused"),
    state("a", "finding"),
  );
  const [seed] = task.detail(NOW)!.seeds;
  assertEquals([seed?.standing, seed?.reason, seed?.bytes, seed?.failures], ["joined", null, 5, 1]);
});

Deno.test("TaskProgress.detail() is there only while the task is worked on", () => {
  assertEquals(after().detail(NOW), undefined);
  for (const end of [state("a", "paused"), failed("a"), done("a", 9)]) {
    assertEquals(after(...begun, end).detail(NOW), undefined);
  }
});

Deno.test("TaskProgress.apply() returns the time report with the event that ends the task", () => {
  for (const end of [done("a", 1000), failed("a"), failed("a", "interrupted")]) {
    const task = after(...begun);
    assertEquals(task.apply(end, NOW)?.now, null);
    assertEquals([task.apply(end, NOW), task.timeReport(NOW, NOW)], [undefined, undefined]);
  }
});

Deno.test("TaskProgress keeps the snapshot of a failed task only", () => {
  const failedTask = after(...begun, stored(400), failed("a"));
  assertEquals(failedTask.snapshot(NOW)?.downloaded, 400);
  assertEquals(after(...begun, stored(400), done("a", 1000)).snapshot(NOW), undefined);
  assertEquals(after(state("a", "finding"), failed("a")).snapshot(NOW), undefined);
});

Deno.test("TaskProgress is paused after an interruption, and failed after any other failure", () => {
  const states = (["interrupted", "disk"] as const).map((code) => {
    const { state, ended } = after(...begun, failed("a", code));
    return [state, ended];
  });
  assertEquals(states, [["paused", true], ["failed", true]]);
});

Deno.test("TaskProgress counts pieces of the chosen content that are on the disk, and no others", () => {
  const again = [state("a", "paused"), state("a", "finding")];
  const pieces = (...cells: number[]): TaskEventData => ({ kind: "pieces", count: 2, cells });
  const downloadedAfter = (...events: TaskEventData[]) =>
    after(...begun, stored(400), ...again, ...events).downloaded;
  assertEquals(downloadedAfter(found("a", 1000), pieces(1, 0)), 400);
  assertEquals(downloadedAfter(found("a", 1000), pieces(0, 0)), 0);
  assertEquals(downloadedAfter(found("a", 2000)), 0);
});

Deno.test("TaskProgress.detail() lists what each seed sends, and why and until when it is away", () => {
  const task = after(
    ...begun,
    inFlight(3),
    received(600),
    changed("two:2", "failing", "it hung up", 4000),
  );
  assertEquals(task.detail(NOW + 1000)!.seeds, [
    {
      seed: "one:1",
      standing: "joined",
      rate: 600,
      slow: false,
      bytes: 600,
      inFlight: 3,
      failures: 0,
      reason: null,
      retryAt: null,
    },
    {
      seed: "two:2",
      standing: "failing",
      rate: 0,
      slow: false,
      bytes: 0,
      inFlight: 0,
      failures: 1,
      reason: "it hung up",
      retryAt: NOW + 4000,
    },
  ]);
});

Deno.test("TaskProgress treats a failing seed as joined again when bytes arrive from it", () => {
  const task = after(...begun, changed("one:1", "failing", "it hung up", 4000), received(1));
  const [seed] = task.detail(NOW)!.seeds;
  assertEquals([seed?.standing, seed?.retryAt, seed?.failures], ["joined", null, 1]);
});

Deno.test("TaskProgress.detail() marks a seed slow only if requests to it are pending and others are faster", () => {
  const task = after(...begun, inFlight(1, "fast"), inFlight(1, "slow"), inFlight(1, "idle"));
  task.apply(eventOf("a", inFlight(0, "idle")), NOW + 100);
  for (let at = NOW; at <= NOW + 6000; at += 100) {
    task.apply(eventOf("a", received(1000, "fast")), at);
    task.apply(eventOf("a", received(100, "slow")), at);
  }
  const slow = (at: number) =>
    task.detail(NOW + at)!.seeds.flatMap(({ seed, slow }) => slow ? [seed] : []);
  assertEquals([slow(4900), slow(6000)], [[], ["slow"]]);
});

Deno.test("TaskProgress.detail() lists at most eight seeds, with short reasons", () => {
  const { seeds, moreSeeds } = after(
    state("a", "finding"),
    ...Array.from({ length: 20 }, (_, i) => changed(`s${i}`, "failing", "x".repeat(5000))),
    received(1, "s17"),
  ).detail(NOW)!;
  assertEquals([seeds.length, moreSeeds, seeds[0]?.seed], [8, 12, "s17"]);
  assertEquals(seeds[1]?.reason?.length, 200);
});

Deno.test("TaskProgress.detail() counts pieces by cell, including those of an earlier run", () => {
  const task = after(
    ...begun,
    { kind: "pieces", count: 4, cells: [1, 0, 0, 0] },
    stored(10, 2),
  );
  assertEquals(task.detail(NOW)?.pieces, { count: 4, cells: [1, 0, 1, 0] });
});

Deno.test("TaskProgress.detail() names what blocks the task until bytes arrive", () => {
  const full: TaskEventData = { kind: "note", level: "warn", text: "the disk is full" };
  assertEquals(after(...begun, full).detail(NOW)?.trouble, "the disk is full");
  assertEquals(after(...begun, full, received(1)).detail(NOW)?.trouble, null);
});

Deno.test("TaskProgress has nothing in flight while the task waits", () => {
  const task = after(...begun, inFlight(3), { kind: "state", state: "waiting" });
  assertEquals(task.detail(NOW)?.seeds[0]?.inFlight, 0);
});

Deno.test("TaskProgress.timeReport() has the network path of a seed as it was measured last", () => {
  const line = { roundTripMs: 40, connections: 4, windowBytes: 8000, goodput: 900 };
  const event = { kind: "line", seed: "one:1", ...line } as const;
  const task = after(
    ...begun,
    received(600),
    { ...event, memoryBound: true },
    { ...event, connections: 5, memoryBound: false },
  );
  const report = task.timeReport(NOW + 1000, NOW);
  const lines = Object.fromEntries(report!.seeds.map(({ seed, line }) => [seed, line]));
  assertEquals(lines["one:1"], { ...line, connections: 5, memoryBound: false });
  assert(isTimeReport(JSON.parse(JSON.stringify(report))));
  assert(!isTimeReport({ ...report, seeds: [{ ...report!.seeds[0]!, line: { roundTripMs: 1 } }] }));
});
