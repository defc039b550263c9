import { assertEquals } from "@std/assert";
import { RunRecord } from "../../core/state/run_record.ts";
import { readTasks } from "../../core/state/read_tasks.ts";
import type { SourceChange, TaskEventData } from "../../core/events.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { eventOf, failed, found, NOW, queued, state, StateFolder } from "./support.ts";

const seedChange = (
  seed: string,
  what: SourceChange,
  reason: string,
  retryInMs = 0,
): TaskEventData => ({
  kind: "seed",
  seed,
  what,
  reason,
  retryInMs,
});

Deno.test("readTasks() shows the details of a task at work to other processes, and no outdated rate", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (const event of [queued("a"), state("a", "finding"), found("a", 1000)]) run.add(event);
  run.add(eventOf("a", { kind: "pieces", count: 1, cells: [0] }));
  run.add(state("a", "downloading"));
  run.add(eventOf("a", { kind: "received", seed: "one:1", bytes: 300 }));
  await clock.advance(500);
  const detail = (await readTasks(folder.path, NOW + 600))[0]?.detail;
  assertEquals([detail?.pieces?.count, detail?.seeds.length, detail?.seeds[0]?.rate], [1, 2, 300]);
  const later = (await readTasks(folder.path, NOW + 60_000))[0]?.detail;
  assertEquals(later?.seeds[0]?.rate, 0);
});

Deno.test("readTasks() shows why a seed is away before any byte arrived", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (const event of [queued("a"), state("a", "finding")]) run.add(event);
  run.add(eventOf("a", seedChange("one:1", "failing", "connection refused", 2000)));
  await clock.advance(500);
  const [task] = await readTasks(folder.path, NOW + 600);
  assertEquals(task?.detail?.seeds[0]?.reason, "connection refused");
});

Deno.test("RunRecord writes details of at most 32 tasks, and of none that is paused or has ended", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (let i = 0; i < 40; i++) {
    run.add(queued(`t${i}`));
    run.add(state(`t${i}`, "finding"));
  }
  run.add(failed("t0"));
  run.add(eventOf("t1", seedChange("one:1", "failing", "gone")));
  await clock.advance(500);
  const tasks = await readTasks(folder.path, NOW + 600);
  assertEquals(tasks.filter(({ detail }) => detail !== null).length, 32);
  assertEquals(tasks.find(({ task }) => task === "t0")?.detail, null);
});

Deno.test("readTasks() shows when the state of a task began", async () => {
  using folder = new StateFolder();
  const at = (time: number, news: TaskEventData) => eventOf("a", news, time);
  folder.writeRun(`${NOW}-1`, [
    queued("a"),
    at(NOW + 10, { kind: "state", state: "finding" }),
    at(NOW + 20, { kind: "state", state: "downloading" }),
    at(NOW + 30, { kind: "state", state: "downloading" }),
  ]);
  assertEquals((await readTasks(folder.path, NOW + 50))[0]?.since, NOW + 20);
});

Deno.test("readTasks() ignores details that are not valid", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (const event of [queued("a"), state("a", "finding")]) run.add(event);
  for (const odd of [null, 7, {}, { seeds: [], pieces: 3 }, { seeds: 5, pieces: null }]) {
    Deno.writeTextFileSync(
      `${folder.path}/runs/${NOW}-77.now`,
      JSON.stringify({ time: NOW, tasks: {}, details: { a: odd } }),
    );
    assertEquals((await readTasks(folder.path, NOW))[0]?.detail, null);
  }
});
