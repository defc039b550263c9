import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { readLastRun, readTasks } from "../../core/state/read_tasks.ts";
import { readLog } from "../../core/state/task_log.ts";
import { RunRecord } from "../../core/state/run_record.ts";
import { readRun, readRuns } from "../../core/state/run_reader.ts";
import { archiveEndedRuns } from "../../core/state/archive.ts";
import { TaskArchive } from "../../core/state/task_archive.ts";
import { type TaskFilter, taskNamed, type TaskStatus } from "../../core/state/task_status.ts";
import { writeControlRequest } from "../../core/state/control.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { diceOf } from "../sim/dice.ts";
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
const ON_UNIX = { ignore: Deno.build.os === "windows" };

/** Enough ended runs for readTasks() to archive them all. */
function writeManyRuns(folder: StateFolder, from = NOW - DAY): void {
  for (let i = 0; i < 60; i++) {
    const task = `many${i}`;
    folder.writeRun(`${from + i}-1`, [header(1), queued(task), done(task, 1)]);
  }
}

function recordsIn(folder: StateFolder): string[] {
  return folder.runs().filter((name) => name.endsWith(".jsonl"));
}

async function storyOf(folder: StateFolder, task: string): Promise<string[]> {
  const { signal } = new AbortController();
  const lines = readLog(folder.path, task, { follow: false }, new ManualClock(NOW), signal);
  return (await Array.fromAsync(lines)).flat().map(({ event }) => event.kind);
}

Deno.test("readTasks() returns the same tasks before and after they are archived", async () => {
  using folder = new StateFolder();
  const account = { spent: { bytes: 5 }, now: null, at: 6, hashMs: 1, diskMs: 2, seeds: [] };
  const limits = { max: 2, limit: 5, taskLimit: null };
  const base = folder.writeRun(`${NOW}-9`, [
    { ...header(9), limits },
    ...["a", "b", "c", "d", "e"].map((task) => queued(task)),
    ...[found("a", 10), { ...done("a", 10), account }],
    ...[found("b", 1000), state("b", "downloading")],
    ...[state("c", "finding"), failed("c")],
    state("d", "cancelled"),
  ]);
  const moving = { downloaded: 400, rate: 100, seeds: ["x"] };
  Deno.writeTextFileSync(`${base}.now`, JSON.stringify({ time: NOW, tasks: { b: moving } }));
  // Another run continues the failed task.
  folder.writeRun(`${NOW + 1}-9`, [header(9), queued("c"), found("c", 5), state("c", "verifying")]);
  const look = async () => ({
    tasks: await readTasks(folder.path, NOW + 5),
    runs: await Promise.all(["a", "b", "c"].map((each) => readLastRun(folder.path, each, NOW + 5))),
    story: await storyOf(folder, "c"),
  });
  const before = await look();
  assertEquals(before.tasks.map(({ task, state }) => [task, state]), [
    ["a", "done"],
    ["b", "paused"],
    ["d", "cancelled"],
    ["c", "paused"],
  ]);
  assertEquals(before.runs[0]?.limits, limits);
  writeManyRuns(folder);
  await readTasks(folder.path, NOW + 5);
  assertEquals(folder.runs(), []);
  const after = await look();
  assertEquals(after.tasks.filter(({ task }) => !task.startsWith("many")), before.tasks);
  assertEquals(after.tasks.length, 64);
  const withoutEvents = ({ runs }: typeof before) => runs.map((run) => ({ ...run, events: [] }));
  assertEquals(withoutEvents(after), withoutEvents(before));
  assertEquals(after.story, before.story);
});

Deno.test("readTasks() does not archive a run that is alive, and prefers it to the archive", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW - 5}-8`, [header(8), queued("a"), found("a", 1000), failed("a")]);
  writeManyRuns(folder);
  await using run = await RunRecord.open(folder.path, 77, new ManualClock(NOW));
  run.add(queued("a"));
  run.add(state("a", "finding"));
  const [a] = await readTasks(folder.path, NOW, { named: "a" });
  assertEquals([a?.state, a?.pid, a?.size], ["finding", 77, 1000]);
  assertEquals(recordsIn(folder), [`${NOW}-77.jsonl`]);
});

/** Calls `act` once, after the folder of runs was listed for the `nth` time. */
function afterListing(nth: number, act: () => Promise<void>): Disposable {
  const { readDir } = Deno;
  let count = 0;
  Deno.readDir = (path) => ({
    async *[Symbol.asyncIterator]() {
      yield* readDir(path);
      if (String(path).endsWith("runs") && ++count === nth) await act();
    },
  });
  return {
    [Symbol.dispose]() {
      Deno.readDir = readDir;
    },
  };
}

for (const nth of [1, 2]) {
  Deno.test(`readTasks() finds a task that ends and is archived after listing ${nth}, not an older one of its name`, async () => {
    using folder = new StateFolder();
    folder.writeRun(`${NOW - 5}-8`, [header(8), queued("a1", "x.bin"), state("a1", "downloading")]);
    const clock = new ManualClock(NOW);
    const run = await RunRecord.open(folder.path, 77, clock);
    for (const event of [queued("a2", "x.bin"), state("a2", "downloading")]) run.add(event);
    let moved = false;
    using _listing = afterListing(nth, async () => {
      run.add(done("a2", 7));
      await run[Symbol.asyncDispose]();
      using archive = TaskArchive.create(folder.path);
      archive.add(await readRuns(folder.path), NOW);
      moved = true;
    });
    const tasks = await readTasks(folder.path, NOW, { named: "x.bin" });
    assert(moved);
    assertEquals(tasks.map(({ task, state }) => [task, state]), [["a1", "paused"], ["a2", "done"]]);
  });
}

Deno.test("archiveEndedRuns() adds each run once when several processes do it, or one was killed before it removed the files", async () => {
  using folder = new StateFolder();
  const lines = [header(1), queued("a"), state("a", "finding"), done("a", 1)];
  const base = folder.writeRun(`${NOW}-1`, lines);
  {
    using archive = TaskArchive.create(folder.path);
    archive.add([await readRun(`${base}.jsonl`)], NOW);
  }
  writeManyRuns(folder);
  await Promise.all([1, 2, 3].map(() => archiveEndedRuns(folder.path, NOW)));
  const story = await storyOf(folder, "a");
  assertEquals(story, ["queued", "state", "done"]);
  assertEquals((await readTasks(folder.path, NOW)).length, 61);
  // The process was killed between the transaction and the removal.
  killedBeforeRemoval(folder, `${NOW + 1}-1`);
  assertEquals((await readTasks(folder.path, NOW)).length, 62);
  writeManyRuns(folder, NOW - 2 * DAY);
  await archiveEndedRuns(folder.path, NOW);
  assertEquals([await storyOf(folder, "b"), folder.runs()], [["queued", "failed"], []]);
});

/** Removes nothing, like a killed process. */
function killedBeforeRemoval(folder: StateFolder, name: string): void {
  const base = folder.writeRun(name, [header(1), queued("b"), failed("b")]);
  const { removeSync } = Deno;
  Deno.removeSync = () => {
    throw new Deno.errors.PermissionDenied();
  };
  try {
    using archive = TaskArchive.create(folder.path);
    const lines = [queued("b"), failed("b")];
    const run = {
      path: `${base}.jsonl`,
      startedAt: NOW + 1,
      alive: false,
      lines,
      snapshot: undefined,
    };
    archive.add([run], NOW);
  } finally {
    Deno.removeSync = removeSync;
  }
}

Deno.test("readTasks() starts another archive when the file is damaged, and keeps the damaged one", async () => {
  using folder = new StateFolder();
  const path = join(folder.path, "tasks.db");
  for (const damage of ["no database at all ".repeat(500), ""]) {
    Deno.writeTextFileSync(path, damage);
    folder.writeRun(`${NOW}-1`, [header(1), queued("a"), done("a", 1)]);
    assertEquals((await readTasks(folder.path, NOW, { named: "a" })).length, 1);
    writeManyRuns(folder);
    assertEquals((await readTasks(folder.path, NOW, { named: "a" })).length, 1);
    assertEquals(recordsIn(folder), []);
  }
  assert(Deno.statSync(`${path}.damaged`).isFile);
});

Deno.test("readTasks() reads the records when the archive cannot be written", async () => {
  using folder = new StateFolder();
  // A folder is in its place.
  Deno.mkdirSync(join(folder.path, "tasks.db"));
  writeManyRuns(folder);
  assertEquals((await readTasks(folder.path, NOW)).length, 60);
  assertEquals(recordsIn(folder).length, 60);
});

Deno.test("archiveEndedRuns() makes the archive readable for the user only", ON_UNIX, async () => {
  using folder = new StateFolder();
  writeManyRuns(folder);
  await archiveEndedRuns(folder.path, NOW);
  assertEquals(Deno.statSync(join(folder.path, "tasks.db")).mode! & 0o777, 0o600);
});

Deno.test("archiveEndedRuns() removes tasks of runs that are older than 30 days", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW - 31 * DAY}-1`, [header(1), queued("a"), done("a", 1)]);
  folder.writeRun(`${NOW - 29 * DAY}-1`, [header(1), queued("b"), done("b", 1)]);
  writeManyRuns(folder);
  const tasks = (await readTasks(folder.path, NOW)).map(({ task }) => task);
  assertEquals([tasks.includes("a"), tasks.includes("b")], [false, true]);
});

Deno.test("TaskArchive.tasks() returns only the tasks that a text can mean", async () => {
  using folder = new StateFolder();
  const names = Array.from(
    { length: 3000 },
    (_, i) => [`c${i}c`, i % 2 ? "same.bin" : `d/${i}.bin`],
  );
  const events = names.flatMap(([task, name]) => [queued(task!, name), done(task!, 1)]);
  folder.writeRun(`${NOW}-1`, [header(1), ...events]);
  writeManyRuns(folder);
  await archiveEndedRuns(folder.path, NOW);
  using archive = TaskArchive.open(folder.path)!;
  const count = (which: TaskFilter) => archive.tasks(which).length;
  assertEquals(["same.bin", "2998.bin", "nope", "paused"].map((named) => count({ named })), [
    1,
    1,
    0,
    0,
  ]);
  assertEquals([count("paused"), count({ named: "c" }) < 10], [0, true]);
  assertEquals([count({ beginning: "d/299" }), count({ beginning: "" })], [5, 2000]);
});

Deno.test("taskNamed() chooses the same task among those read for a text as among all", async () => {
  const dice = diceOf(20_261_128);
  const pick = <T>(values: readonly T[]) => values[Math.floor(dice() * values.length)]!;
  const names = ["x", "y", "d/x", "e/x", "d/e/x", "a1", "d/a1", "x%", "d/x_", "ä/x"];
  const ends = [
    (task: string) => done(task, 1),
    (task: string) => failed(task),
    (task: string) => state(task, "downloading"),
    (task: string) => state(task, "cancelled"),
  ];
  for (let world = 0; world < 30; world++) {
    using folder = new StateFolder();
    const count = 1 + Math.floor(dice() * 8);
    for (let i = 0; i < count; i++) {
      const task = pick(["a1", "a12", "b1", "b", "x", `c${i}`]);
      const lines = [queued(task, pick(names)), pick(ends)(task)];
      folder.writeRun(`${NOW + i}-1`, [header(1), ...lines]);
    }
    if (world % 2) writeManyRuns(folder);
    for (const text of [...names, "a", "b", "c", "e/x", "/x", "%", "_", "nope"]) {
      const all = meantBy(await readTasks(folder.path, NOW), text);
      assertEquals(meantBy(await readTasks(folder.path, NOW, { named: text }), text), all, text);
    }
  }
});

function meantBy(tasks: readonly TaskStatus[], text: string): string {
  try {
    const { task, name, state } = taskNamed(tasks, text);
    return `${task} ${name} ${state}`;
  } catch (error) {
    return (error as Error).message;
  }
}

Deno.test("readTasks() distinguishes a pause by the user from the end of the process", async () => {
  using folder = new StateFolder();
  const events = ["a", "b"].flatMap((task) => [queued(task), state(task, "paused")]);
  folder.writeRun(`${NOW}-9`, [header(9), ...events, failed("a", "interrupted"), failed("b")]);
  folder.writeRun(`${NOW + 1}-9`, [header(9), queued("c"), state("c", "downloading")]);
  await writeControlRequest(folder.path, "a", "pause");
  const look = async () =>
    (await readTasks(folder.path, NOW))
      .filter(({ task }) => !task.startsWith("many"))
      .map(({ task, state, pausedBy }) => [task, state, pausedBy]);
  const want = [["a", "paused", "user"], ["b", "failed", null], ["c", "paused", "interrupt"]];
  assertEquals(await look(), want);
  writeManyRuns(folder);
  assertEquals(await look(), want);
  await using run = await RunRecord.open(folder.path, 77, new ManualClock(NOW + 2));
  for (const event of [queued("d"), eventOf("d", { kind: "state", state: "paused" })]) {
    run.add(event);
  }
  assertEquals((await look()).at(-1), ["d", "paused", "user"]);
});
