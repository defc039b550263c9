import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { NotFoundError } from "../../core/base/errors.ts";
import { readTasks } from "../../core/state/read_tasks.ts";
import { RunRecord } from "../../core/state/run_record.ts";
import {
  controlTask,
  findTask,
  overview,
  quarantinedParts,
  runningMax,
  setMax,
  taskCase,
  tasks,
} from "../../core/tasks/tasks.ts";
import { ManualClock } from "../support/manual_clock.ts";
import {
  done,
  eventOf,
  failed,
  header,
  NOW,
  queued,
  state,
  StateFolder,
} from "../state/support.ts";

/** Three tasks of a process that has ended: one with its part file, one without, and one that failed. */
function leftBehind(): StateFolder {
  const folder = new StateFolder();
  const target = join(folder.path, "kept.bin");
  Deno.writeTextFileSync(`${target}.p2p-part`, "");
  folder.writeRun(`${NOW}-9`, [
    header(9),
    eventOf("kept", { kind: "queued", name: "kept.bin", target }),
    state("kept", "downloading"),
    queued("gone"),
    state("gone", "downloading"),
    queued("over"),
    failed("over"),
  ]);
  return folder;
}

Deno.test("tasks() omits tasks without a process and without a part file", async () => {
  using folder = leftBehind();
  const named = async (all: boolean) =>
    (await tasks(folder.path, NOW, { all })).map(({ task, state }) => `${task} ${state}`);
  assertEquals(await named(false), ["kept paused"]);
  assertEquals(await named(true), ["kept paused", "gone paused", "over failed"]);
});

Deno.test("quarantinedParts() finds parts in the folders of all tasks", async () => {
  using folder = leftBehind();
  const path = join(folder.path, "kept.bin~01234567.p2p-part");
  Deno.writeTextFileSync(path, "");
  assertEquals((await quarantinedParts(folder.path, NOW)).map(({ path }) => path), [path]);
});

Deno.test("overview() includes tasks that are over only with `all`", async () => {
  using folder = leftBehind();
  const named = async (all: boolean) =>
    (await overview(folder.path, NOW, 3, { all })).tasks.map(({ task }) => task);
  assertEquals(await named(false), ["kept"]);
  assertEquals(await named(true), ["kept", "over"]);
});

Deno.test("findTask() prefers a task that can be continued to a newer one with the same name", async () => {
  using folder = leftBehind();
  const again = (task: string, end: (task: string) => ReturnType<typeof done>) => [
    eventOf(task, { kind: "queued", name: "kept.bin", target: `/elsewhere/${task}/kept.bin` }),
    end(task),
  ];
  folder.writeRun(`${NOW + 1}-9`, [
    header(9),
    ...again("newer", (task) => done(task, 1)),
    // Its process was killed before it had a part file.
    ...again("lost", (task) => state(task, "finding")),
  ]);
  assertEquals((await findTask(folder.path, "kept.bin", NOW)).task, "kept");
  Deno.removeSync(join(folder.path, "kept.bin.p2p-part"));
  assertEquals((await findTask(folder.path, "kept.bin", NOW)).task, "lost");
});

Deno.test("controlTask() removes the part file of a task without a process only with cancel-and-delete", async () => {
  for (const action of ["cancel", "cancel-and-delete"] as const) {
    using folder = new StateFolder();
    const target = join(folder.path, "a.bin");
    Deno.writeTextFileSync(`${target}.p2p-part`, "");
    Deno.writeTextFileSync(`${target}~01234567.p2p-part`, "");
    folder.writeRun(`${NOW}-8`, [
      header(8),
      eventOf("a", { kind: "queued", name: "a.bin", target }),
      state("a", "downloading"),
    ]);
    const [task] = await readTasks(folder.path, NOW);
    const outcome = await controlTask(folder.path, task!, action, 9, new ManualClock(NOW));
    const left = Array.from(Deno.readDirSync(folder.path), ({ name }) => name);
    assertEquals(
      [outcome, left.some((name) => name.endsWith(".p2p-part"))],
      ["done", action === "cancel"],
    );
  }
});

Deno.test("setMax() counts processes, not their downloads", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-8`, [header(8), queued("gone"), state("gone", "downloading")]);
  const clock = new ManualClock(NOW);
  await using one = await RunRecord.open(folder.path, 77, clock);
  for (const task of ["a", "b"]) one.add(queued(task));
  for (const task of ["a", "b"]) one.add(state(task, "downloading"));
  assertEquals(await setMax(folder.path, 5, NOW), 1);
});

Deno.test("runningMax() gives the own setting of each running process, or a later one", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-8`, [header(8), queued("gone")]);
  const limits = { max: 3, limit: null, taskLimit: null };
  await using _run = await RunRecord.open(folder.path, 77, new ManualClock(NOW), { limits });
  assertEquals(await runningMax(folder.path), [{ pid: 77, max: 3 }]);
  await setMax(folder.path, 5, NOW + 10);
  assertEquals(await runningMax(folder.path), [{ pid: 77, max: 5 }]);
});

Deno.test("taskCase() counts the running tasks of the same process, and those that wait before it", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-8`, [header(8), queued("other"), state("other", "downloading")]);
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  for (const task of ["a", "b", "c", "d", "e"]) run.add(queued(task));
  run.add(state("a", "downloading"));
  run.add(state("b", "paused"));
  run.add(state("c", "finding"));
  // What comes close together is written together.
  await clock.advance(1000);
  const { task, running, ahead, queuedAt, now } = await taskCase(folder.path, "e.txt", NOW + 5);
  assertEquals([task.task, running, ahead, queuedAt, now], ["e", 2, 1, NOW, NOW + 5]);
});

Deno.test("taskCase() counts no other tasks for a task without a process", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-8`, [header(8), queued("a"), state("a", "downloading")]);
  const { task, account, running, ahead } = await taskCase(folder.path, "a", NOW);
  assertEquals([task.state, account, running, ahead], ["paused", null, 0, 0]);
  await assertRejects(() => taskCase(folder.path, "b", NOW), NotFoundError);
});
