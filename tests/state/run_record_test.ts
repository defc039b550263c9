import { assert, assertEquals } from "@std/assert";
import { removeOldRuns } from "../../core/state/run_files.ts";
import type { TaskEvent } from "../../core/events.ts";
import { readLastRun, readTasks } from "../../core/state/read_tasks.ts";
import { RunRecord } from "../../core/state/run_record.ts";
import { ManualClock } from "../support/manual_clock.ts";
import {
  done,
  eventOf,
  failed,
  found,
  header,
  NOW,
  queued,
  state,
  StateFolder,
} from "./support.ts";

const DAY = 24 * 3600 * 1000;
const stored = (task: string, bytes: number, time: number) =>
  eventOf(task, { kind: "stored", seed: "one:1", piece: 0, bytes }, time);
const received = (task: string, bytes: number, time: number) =>
  eventOf(task, { kind: "received", seed: "one:1", bytes }, time);

Deno.test("RunRecord.add() shows a running task to other processes", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (const event of [queued("a"), state("a", "finding"), found("a", 1000)]) run.add(event);
  run.add(state("a", "downloading"));
  await clock.advance(50);
  const [task] = await readTasks(folder.path, NOW);
  assertEquals([task?.state, task?.pid, task?.size, task?.name], [
    "downloading",
    77,
    1000,
    "a.txt",
  ]);
  assertEquals(task?.path, "/out/a.txt");
  assertEquals(task?.seeds, ["one:1", "two:2"]);
});

Deno.test("RunRecord.add() writes a snapshot at most every 500 ms", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (const event of [queued("a"), found("a", 1000), state("a", "downloading")]) run.add(event);
  const now = () => folder.runs().filter((name) => name.endsWith(".now")).length;
  run.add(received("a", 250, NOW));
  run.add(stored("a", 250, NOW));
  run.add(stored("a", 250, NOW));
  await clock.advance(50);
  assertEquals([now(), clock.pending], [0, 1]);
  await clock.advance(450);
  assertEquals([now(), clock.pending], [1, 0]);
  const [task] = await readTasks(folder.path, NOW + 600);
  assertEquals([task?.downloaded, task?.percent, task?.updatedAt], [500, 50, NOW + 500]);
});

Deno.test("RunRecord.add() writes a line at once, and a burst of lines together", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  const states = async () => (await readTasks(folder.path, NOW)).map(({ state }) => state);
  run.add(queued("a"));
  run.add(queued("b"));
  run.add(state("a", "finding"));
  assertEquals(await states(), ["finding", "waiting"]);
  run.add(state("b", "finding"));
  run.add(done("a", 9));
  assertEquals(await states(), ["finding", "waiting"]);
  await clock.advance(50);
  assertEquals(await states(), ["done", "finding"]);
  run.add(state("b", "downloading"));
  await clock.advance(100);
  run.add(failed("b"));
  assertEquals(await states(), ["done", "failed"]);
});

for (const end of [state("a", "cancelled"), done("a", 9)]) {
  Deno.test(`RunRecord.open() keeps a run of the same millisecond that ended with ${end.kind}`, async () => {
    using folder = new StateFolder();
    for (const task of ["a", "b", "c"]) {
      await using run = await RunRecord.open(folder.path, 77, new ManualClock(NOW));
      run.add(queued(task));
      run.add({ ...end, task });
    }
    const tasks = await readTasks(folder.path, NOW);
    assertEquals(tasks.map(({ task }) => task).toSorted(), ["a", "b", "c"]);
    assertEquals(folder.runs().filter((name) => name.endsWith(".lock")), []);
  });
}

Deno.test("RunRecord counts bytes of an earlier run when the task resumes", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  run.add(queued("a"));
  run.add(found("a", 1000));
  run.add(eventOf("a", { kind: "resumed", bytes: 300, pieces: 3, rehashed: 0 }));
  run.add(stored("a", 100, NOW));
  await clock.advance(500);
  assertEquals((await readTasks(folder.path, NOW))[0]?.downloaded, 400);
});

Deno.test("RunRecord updates the seeds when some join and some are dropped", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  run.add(found("a", 1000));
  for (
    const [seed, what] of [["x", "joined"], ["y", "joined"], ["z", "busy"], ["x", "dropped"], [
      "one:1",
      "dropped",
    ]]
  ) {
    run.add(eventOf("a", { kind: "seed", seed: seed!, what: what as "joined", reason: "" }));
  }
  run.add(stored("a", 1, NOW));
  await clock.advance(500);
  assertEquals((await readTasks(folder.path, NOW))[0]?.seeds, ["two:2", "y"]);
});

Deno.test("RunRecord removes the snapshot when every task is over", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  const run = await RunRecord.open(folder.path, 77, clock);
  for (const event of [queued("a"), found("a", 10), stored("a", 10, NOW)]) run.add(event);
  await clock.advance(500);
  assertEquals(folder.runs(), [`${NOW}-77.jsonl`, `${NOW}-77.lock`, `${NOW}-77.now`]);
  run.add(done("a", 10));
  await run[Symbol.asyncDispose]();
  assertEquals([folder.runs(), clock.pending], [[`${NOW}-77.jsonl`], 0]);
});

Deno.test("RunRecord keeps the progress of an interrupted task", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  const run = await RunRecord.open(folder.path, 77, clock);
  for (const event of [queued("a"), found("a", 1000), stored("a", 250, NOW)]) run.add(event);
  run.add(failed("a", "interrupted"));
  await run[Symbol.asyncDispose]();
  const [task] = await readTasks(folder.path, NOW + DAY);
  assertEquals([task?.state, task?.pid, task?.downloaded, task?.percent, task?.rate], [
    "paused",
    null,
    250,
    25,
    0,
  ]);
  assertEquals(clock.pending, 0);
});

Deno.test("RunRecord ignores that its folder was removed", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  Deno.removeSync(`${folder.path}/runs`, { recursive: true });
  for (const event of [queued("a"), found("a", 1000), stored("a", 250, NOW)]) run.add(event);
  await clock.advance(500);
  assertEquals(await readTasks(folder.path, NOW), []);
});

Deno.test("removeOldRuns() removes only runs that are older than 30 days", async () => {
  using folder = new StateFolder();
  const name = (days: number) => `${NOW - days * DAY}-1`;
  for (const days of [31, 29]) {
    const base = folder.writeRun(name(days), [header(1)]);
    Deno.writeTextFileSync(`${base}.now`, "{}");
    Deno.writeTextFileSync(`${base}.lock`, "");
  }
  folder.writeRun("notes", []);
  await removeOldRuns(folder.path, NOW);
  const left = [
    ...["jsonl", "lock", "now"].map((suffix) => `${name(29)}.${suffix}`),
    "notes.jsonl",
  ];
  assertEquals(folder.runs(), left);
});

Deno.test("removeOldRuns() keeps an old run that is alive", async () => {
  using folder = new StateFolder();
  await using run = await RunRecord.open(folder.path, 77, new ManualClock(NOW - 31 * DAY));
  run.add(state("a", "downloading"));
  await removeOldRuns(folder.path, NOW);
  assertEquals((await readTasks(folder.path, NOW))[0]?.state, "downloading");
});

Deno.test("RunRecord.add() shows the rate before the first piece is complete", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (const event of [queued("a"), found("a", 1000), state("a", "downloading")]) run.add(event);
  for (let beat = 0; beat < 3; beat++) {
    run.add(received("a", 100, clock.now()));
    await clock.advance(500);
  }
  const [task] = await readTasks(folder.path, clock.now());
  assertEquals(task?.updatedAt, clock.now());
  assert(task!.rate > 0, `rate: ${task!.rate}`);
});

Deno.test("RunRecord.open() creates separate records in the same millisecond", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using first = await RunRecord.open(folder.path, 77, clock);
  await using second = await RunRecord.open(folder.path, 77, clock);
  await using third = await RunRecord.open(folder.path, 77, clock);
  for (const [run, task] of [[third, "c"], [first, "a"], [second, "b"]] as const) {
    run.add(queued(task));
    run.add(state(task, "finding"));
  }
  const tasks = await readTasks(folder.path, NOW);
  assertEquals(tasks.map(({ task, pid }) => [task, pid]), [["a", 77], ["b", 77], ["c", 77]]);
});

Deno.test("RunRecord.add() measures time on the monotonic clock", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  const at = (event: TaskEvent) => ({ ...event, time: clock.wallTime() });
  run.add(at(queued("a")));
  await clock.advance(1000);
  run.add(at(state("a", "finding")));
  await clock.advance(1000);
  clock.setBack(3_600_000);
  run.add(at(found("a", 1000)));
  run.add(at(state("a", "downloading")));
  await clock.advance(1000);
  run.add(at(done("a", 1000)));
  await clock.advance(100);
  const account = (await readLastRun(folder.path, "a", clock.wallTime()))?.account;
  assertEquals(account?.spent, { place: 1000, asking: 1000, bytes: 1000 });
  assertEquals(account?.at, NOW + 3000 - 3_600_000);
});
