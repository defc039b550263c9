import { assertEquals } from "@std/assert";
import { SeedsProgress } from "../../core/progress/seed_progress.ts";
import { DetailTracker } from "../../core/progress/task_detail.ts";
import { RunRecord } from "../../core/state/run_record.ts";
import { readTasks } from "../../core/state/task_status.ts";
import type { SeedChange, TaskEventData } from "../../core/events.ts";
import { ManualClock } from "../fakes/manual_clock.ts";
import { eventOf, failed, found, NOW, queued, state, StateFolder } from "../state/support.ts";

/** A keeper that is told what its seeds are told. */
class Keeper {
  readonly #seeds = new SeedsProgress();
  readonly #keeper = new DetailTracker(this.#seeds);

  take(news: TaskEventData, ms = 0): void {
    const event = eventOf("a", news, NOW + ms);
    this.#seeds.take(event, event.time);
    this.#keeper.take(event);
  }

  at(timeMs: number) {
    return this.#keeper.at(timeMs);
  }
}

function keeper(...news: TaskEventData[]): Keeper {
  const keeper = new Keeper();
  for (const one of news) keeper.take(one);
  return keeper;
}

const turn = (seed: string, what: SeedChange, reason = "", retryInMs?: number): TaskEventData => ({
  kind: "seed",
  seed,
  what,
  reason,
  ...retryInMs === undefined ? {} : { retryInMs },
});

Deno.test("DetailKeeper tells of each seed what it gives, and of those away why and until when", () => {
  const inside = keeper(
    { kind: "found", size: 1000, id: "ab", seeds: ["one:1", "two:2"] },
    { kind: "flight", seed: "one:1", pieces: 3 },
    { kind: "received", seed: "one:1", bytes: 600 },
    turn("two:2", "failing", "it hung up", 4000),
  ).at(NOW + 1000);
  assertEquals(inside.seeds, [
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

Deno.test("DetailKeeper takes a seed for one that gives again when bytes come from it", () => {
  const [seed] = keeper(
    turn("one:1", "failing", "it hung up", 4000),
    { kind: "received", seed: "one:1", bytes: 1 },
  ).at(NOW).seeds;
  assertEquals([seed?.standing, seed?.retryAt, seed?.failures], ["joined", null, 1]);
});

Deno.test("DetailKeeper calls a seed slow when others wait for it, and no other one", () => {
  const keeper = new Keeper();
  const take = (news: TaskEventData, at: number) => keeper.take(news, at);
  for (const seed of ["fast", "slow", "idle"]) take({ kind: "flight", seed, pieces: 1 }, 0);
  take({ kind: "flight", seed: "idle", pieces: 0 }, 100);
  for (let at = 0; at <= 6000; at += 100) {
    take({ kind: "received", seed: "fast", bytes: 1000 }, at);
    take({ kind: "received", seed: "slow", bytes: 100 }, at);
  }
  const slow = (at: number) =>
    keeper.at(NOW + at).seeds.flatMap(({ seed, slow }) => slow ? [seed] : []);
  assertEquals([slow(4900), slow(6000)], [[], ["slow"]]);
});

Deno.test("DetailKeeper shows eight seeds at most, and short reasons", () => {
  const inside = keeper(
    ...Array.from({ length: 20 }, (_, i) => turn(`s${i}`, "failing", "x".repeat(5000))),
    { kind: "received", seed: "s17", bytes: 1 },
  ).at(NOW);
  assertEquals([inside.seeds.length, inside.moreSeeds], [8, 12]);
  assertEquals(inside.seeds[0]?.seed, "s17");
  assertEquals(inside.seeds[1]?.reason?.length, 200);
});

Deno.test("DetailKeeper shows where the pieces are, those of an earlier run among them", () => {
  const pieces = keeper(
    { kind: "pieces", count: 4, cells: [1, 0, 0, 0] },
    { kind: "stored", seed: "one:1", piece: 2, bytes: 10 },
  ).at(NOW).pieces;
  assertEquals(pieces, { count: 4, cells: [1, 0, 1, 0] });
});

Deno.test("DetailKeeper tells what is in the way until bytes come again", () => {
  const full: TaskEventData = { kind: "note", level: "warn", text: "the disk is full" };
  assertEquals(keeper(full).at(NOW).trouble, "the disk is full");
  const again = keeper(full, { kind: "received", seed: "one:1", bytes: 1 });
  assertEquals(again.at(NOW).trouble, null);
});

Deno.test("DetailKeeper has nothing in flight while the task waits", () => {
  const inside = keeper(
    { kind: "flight", seed: "one:1", pieces: 3 },
    { kind: "state", state: "waiting" },
  ).at(NOW);
  assertEquals(inside.seeds[0]?.inFlight, 0);
});

Deno.test("readTasks() shows the inside of a task at work to other processes, and no old speed", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (const event of [queued("a"), state("a", "finding"), found("a", 1000)]) run.add(event);
  run.add(eventOf("a", { kind: "pieces", count: 1, cells: [0] }));
  run.add(state("a", "downloading"));
  run.add(eventOf("a", { kind: "received", seed: "one:1", bytes: 300 }));
  await clock.advance(500);
  const inside = (await readTasks(folder.path, NOW + 600))[0]?.detail;
  assertEquals([inside?.pieces?.count, inside?.seeds.length, inside?.seeds[0]?.rate], [1, 2, 300]);
  const later = (await readTasks(folder.path, NOW + 60_000))[0]?.detail;
  assertEquals(later?.seeds[0]?.rate, 0);
});

Deno.test("readTasks() shows why a seed is away though no byte comes at all", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (const event of [queued("a"), state("a", "finding")]) run.add(event);
  run.add(eventOf("a", turn("one:1", "failing", "connection refused", 2000)));
  await clock.advance(500);
  const [task] = await readTasks(folder.path, NOW + 600);
  assertEquals(task?.detail?.seeds[0]?.reason, "connection refused");
});

Deno.test("RunRecord writes the inside of 32 tasks at most, and of none that is at rest", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (let i = 0; i < 40; i++) {
    run.add(queued(`t${i}`));
    run.add(state(`t${i}`, "finding"));
  }
  run.add(failed("t0"));
  run.add(eventOf("t1", turn("one:1", "failing", "gone")));
  await clock.advance(500);
  const tasks = await readTasks(folder.path, NOW + 600);
  assertEquals(tasks.filter(({ detail }) => detail !== null).length, 32);
  assertEquals(tasks.find(({ task }) => task === "t0")?.detail, null);
});

Deno.test("readTasks() tells since when a task is in its state", async () => {
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

Deno.test("readTasks() passes over an inside that it does not understand", async () => {
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
