import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { NotFoundError, UsageError } from "../../core/base/errors.ts";
import type { TaskEvent } from "../../core/events.ts";
import { readLastRun, readOverview, readTasks } from "../../core/state/read_tasks.ts";
import { RunRecord } from "../../core/state/run_record.ts";
import { taskNamed, type TaskStatus } from "../../core/state/task_status.ts";
import { writeControlRequest } from "../../core/state/control.ts";
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

/** A process that holds the lock of a run. */
async function withLiveRun(base: string, look: () => Promise<void>): Promise<void> {
  const code = `
    const file = Deno.openSync(${JSON.stringify(`${base}.lock`)}, { write: true, create: true });
    file.lockSync(true);
    console.log("held");
    await Deno.stdin.read(new Uint8Array(1));
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", code],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = child.stdout.getReader();
  try {
    await output.read();
    await look();
  } finally {
    child.kill("SIGKILL");
    await output.cancel();
    await child.stdin.abort().catch(() => {});
    await child.status;
  }
}

Deno.test("readTasks() returns nothing when there was no run", async () => {
  using folder = new StateFolder();
  assertEquals(await readTasks(folder.path, NOW), []);
  assertEquals(await readTasks(`${folder.path}/nowhere`, NOW), []);
});

Deno.test("readTasks() shows a task as running while its process lives, and as paused when it was killed", async () => {
  using folder = new StateFolder();
  const events = [queued("a"), queued("b"), found("a", 1000), state("a", "downloading")];
  const base = folder.writeRun(`${NOW}-9`, [header(9), ...events]);
  const moving = { downloaded: 400, rate: 100, seeds: ["x"] };
  Deno.writeTextFileSync(`${base}.now`, JSON.stringify({ time: NOW, tasks: { a: moving } }));
  await withLiveRun(base, async () => {
    const [a, b] = await readTasks(folder.path, NOW + 1000);
    assertEquals([a?.state, a?.pid, a?.rate, a?.etaMs], ["downloading", 9, 100, 6000]);
    assertEquals([a?.downloaded, a?.percent, a?.seeds], [400, 40, ["x"]]);
    assertEquals([b?.state, b?.pid, b?.size, b?.percent], ["waiting", 9, null, null]);
  });
  const tasks = await readTasks(folder.path, NOW + 1000);
  // A queued task had not begun: nothing of it is left.
  assertEquals(tasks.map(({ task }) => task), ["a"]);
  const [a] = tasks;
  assertEquals([a?.state, a?.pid, a?.rate, a?.etaMs], ["paused", null, 0, null]);
  assertEquals([a?.downloaded, a?.percent], [400, 40]);
});

const ages = [
  { name: "three intervals old", ms: 1500, want: [100, 6000] },
  { name: "older", ms: 1501, want: [0, null] },
];
for (const { name, ms, want } of ages) {
  Deno.test(`readTasks() returns rate ${want[0]} when the snapshot is ${name}`, async () => {
    using folder = new StateFolder();
    const base = folder.writeRun(`${NOW}-9`, [
      header(9),
      found("a", 1000),
      state("a", "downloading"),
    ]);
    const moving = { downloaded: 400, rate: 100, seeds: [] };
    Deno.writeTextFileSync(`${base}.now`, JSON.stringify({ time: NOW, tasks: { a: moving } }));
    using lock = Deno.openSync(`${base}.lock`, { write: true, create: true });
    lock.lockSync(true);
    const [a] = await readTasks(folder.path, NOW + ms);
    assertEquals([a?.rate, a?.etaMs], want as [number, number]);
  });
}

interface Ending {
  readonly name: string;
  readonly events: TaskEvent[];
  readonly want: Partial<TaskStatus>;
}
const endings: Ending[] = [
  {
    name: "it is done",
    events: [found("a", 7), done("a", 7)],
    want: {
      state: "done",
      percent: 100,
      downloaded: 7,
      path: "/out/a~12345678.txt",
      verified: true,
    },
  },
  { name: "it was empty", events: [found("a", 0), done("a", 0)], want: { percent: 100, size: 0 } },
  { name: "it failed", events: [failed("a")], want: { state: "failed", error: "it was disk" } },
  {
    name: "it was interrupted",
    events: [failed("a", "interrupted")],
    want: { state: "paused", error: null },
  },
  { name: "it was cancelled", events: [state("a", "cancelled")], want: { state: "cancelled" } },
  { name: "it was being verified", events: [state("a", "verifying")], want: { state: "paused" } },
  { name: "seeds were being asked", events: [state("a", "finding")], want: { state: "paused" } },
  {
    name: "it was waiting for a seed after it had begun",
    events: [found("a", 8), state("a", "downloading"), state("a", "waiting")],
    want: { state: "paused", size: 8 },
  },
  {
    name: "it had resumed",
    events: [
      found("a", 8),
      state("a", "downloading"),
      eventOf("a", { kind: "resumed", bytes: 1, pieces: 1, rehashed: 0 }),
    ],
    want: { downloaded: 1, percent: 12.5, state: "paused" },
  },
];
for (const { name, events, want } of endings) {
  Deno.test(`readTasks() returns the status of a task without a process when ${name}`, async () => {
    using folder = new StateFolder();
    folder.writeRun(`${NOW}-9`, [header(9), queued("a"), ...events]);
    const [task] = await readTasks(folder.path, NOW);
    assertEquals({ ...task!, ...want, pid: null }, task!);
  });
}

Deno.test("readTasks() returns the newer of two runs of a task", async () => {
  using folder = new StateFolder();
  // By time, not by name: the second one has more digits.
  folder.writeRun("99-1", [header(1), queued("a"), failed("a"), queued("b"), failed("b")]);
  folder.writeRun("100-1", [header(1), queued("a"), done("a", 5)]);
  const tasks = await readTasks(folder.path, NOW);
  assertEquals(tasks.map(({ task, state, error }) => [task, state, error]), [
    ["b", "failed", "it was disk"],
    ["a", "done", null],
  ]);
});

Deno.test("readTasks() returns the earlier run when a later one was killed before it began the task", async () => {
  using folder = new StateFolder();
  folder.writeRun("99-1", [header(1), queued("a"), state("a", "downloading")]);
  folder.writeRun("100-1", [header(1), queued("a")]);
  assertEquals((await readTasks(folder.path, NOW)).map(({ state }) => state), ["paused"]);
});

const damages = [
  {
    name: "the last line is incomplete",
    lines: [header(9), queued("a"), failed("a")],
    tail: '{"kind":',
  },
  { name: "the header is missing", lines: [queued("a"), failed("a")], tail: "" },
  {
    name: "a line is garbage",
    lines: [header(9), queued("a"), null, 7, "x", failed("a")],
    tail: "",
  },
  { name: "zeroes follow", lines: [header(9), queued("a"), failed("a")], tail: "\0\0\0\n" },
];
for (const { name, lines, tail } of damages) {
  Deno.test(`readTasks() reads the valid lines when ${name}`, async () => {
    using folder = new StateFolder();
    folder.writeRun(`${NOW}-9`, lines, tail);
    const tasks = await readTasks(folder.path, NOW);
    assertEquals(tasks.map(({ task, name, state }) => [task, name, state]), [
      ["a", "a.txt", "failed"],
    ]);
  });
}

Deno.test("readTasks() ignores an invalid snapshot", async () => {
  using folder = new StateFolder();
  const base = folder.writeRun(`${NOW}-9`, [header(9), queued("a"), state("a", "finding")]);
  Deno.writeTextFileSync(`${base}.now`, '{"time":1,');
  assertEquals((await readTasks(folder.path, NOW)).length, 1);
});

Deno.test("readTasks() throws when the folder of runs is a file", async () => {
  using folder = new StateFolder();
  Deno.removeSync(`${folder.path}/runs`);
  Deno.writeTextFileSync(`${folder.path}/runs`, "");
  await assertRejects(() => readTasks(folder.path, NOW), Error);
});

Deno.test("readTasks() reads 100,000 queued tasks", async () => {
  using folder = new StateFolder();
  const tasks = Array.from({ length: 100_000 }, (_, n) => queued(`t${n}`));
  const base = folder.writeRun(`${NOW}-9`, [header(9), ...tasks]);
  using lock = Deno.openSync(`${base}.lock`, { write: true, create: true });
  lock.lockSync(true);
  const read = await readTasks(folder.path, NOW);
  assertEquals([read.length, read.at(-1)?.task], [100_000, "t99999"]);
});

async function someTasks(): Promise<TaskStatus[]> {
  using folder = new StateFolder();
  const names = [
    ["abc1", "x"],
    ["abd2", "y"],
    ["abd3", "x"],
    ["x", "abc1"],
    ["dir", "d/abc"],
    ["sub1", "a/b/z.bin"],
    ["sub2", "a/ab"],
    ["left", "a/same"],
    ["right", "b/same"],
  ];
  const events = names.flatMap(([task, name]) => [queued(task!, name), failed(task!)]);
  folder.writeRun(`${NOW}-9`, [header(9), ...events]);
  return await readTasks(folder.path, NOW);
}

const named = [
  { text: "abd2", why: "it is an id", want: "abd2" },
  { text: "abc", why: "it begins one id only", want: "abc1" },
  { text: "y", why: "it is a name", want: "abd2" },
  { text: "d/abc", why: "it is a name with a folder", want: "dir" },
  { text: "x", why: "it is an id and a name", want: "x" },
  { text: "abc1", why: "it is the id of one and the name of another", want: "abc1" },
  { text: "z.bin", why: "the name of a single one ends so behind its folder", want: "sub1" },
  { text: "b/z.bin", why: "it is the folder and the name of it", want: "sub1" },
  { text: "ab", why: "several ids begin so and a single name ends so", want: "sub2" },
];
for (const { text, why, want } of named) {
  Deno.test(`taskNamed() finds ${want} for "${text}" when ${why}`, async () => {
    assertEquals(taskNamed(await someTasks(), text).task, want);
  });
}

Deno.test("taskNamed() finds the newest task when several have the name", async () => {
  const tasks = (await someTasks()).filter(({ task }) => task !== "x");
  assertEquals(taskNamed(tasks, "x").task, "abd3");
});

const sameName = [
  { states: ["paused", "done"], why: "a newer one is done", want: "a0" },
  { states: ["paused", "downloading", "failed"], why: "several are not over", want: "a1" },
  { states: ["done", "failed"], why: "all are over", want: "a1" },
] as const;
for (const { states, why, want } of sameName) {
  for (const text of ["dir/x", "x"]) {
    Deno.test(`taskNamed() gives for "${text}" its newest task that is not over when ${why}`, () => {
      assertEquals(taskNamed(tasksOf(states), text).task, want);
    });
  }
}

Deno.test("taskNamed() prefers tasks that its caller calls current", () => {
  const tasks = tasksOf(["paused", "done"]);
  assertEquals(taskNamed(tasks, "x", ({ state }) => state === "done").task, "a1");
});

/** Tasks of one name in these states; a0 is the oldest. */
function tasksOf(states: readonly TaskStatus["state"][]): TaskStatus[] {
  const common = { name: "dir/x", size: null, downloaded: 0, percent: null, rate: 0 };
  const none = { etaMs: null, seeds: [], path: "", target: "", pid: null, verified: false };
  const rest = { id: null, error: null, updatedAt: NOW, pausedBy: null, since: NOW, detail: null };
  return states.map((state, i) => ({ task: `a${i}`, state, ...common, ...none, ...rest }));
}

Deno.test("readTasks() ignores invalid ids, such as names of JavaScript properties", async () => {
  using folder = new StateFolder();
  const ids = ["__proto__", "constructor", "toString", "../../..", "", "valueOf"];
  const events = ids.flatMap((id) => [queued(id, "x"), state(id, "downloading")]);
  const base = folder.writeRun(`${NOW}-9`, [header(9), ...events]);
  // One of them in a record beside a snapshot.
  Deno.writeTextFileSync(`${base}.now`, JSON.stringify({ time: NOW, tasks: {} }));
  const tasks = await readTasks(folder.path, NOW);
  assertEquals(tasks.map(({ task, downloaded }) => [task, downloaded]), [["constructor", 0]]);
  assertEquals((await readLastRun(folder.path, "constructor", NOW))?.account, null);
});

const unnamed = [
  { text: "abd", why: "several ids begin so", want: UsageError, says: "abd2, abd3" },
  { text: "same", why: "several names end so", want: UsageError, says: "a/same, b/same" },
  { text: "nope", why: "there is none", want: NotFoundError, says: '"nope"' },
  { text: "", why: "it is empty", want: UsageError, says: '""' },
  { text: "../../..", why: "it leads out of a folder", want: UsageError, says: '"../../.."' },
];
for (const { text, why, want, says } of unnamed) {
  Deno.test(`taskNamed() throws ${want.name} for "${text}" when ${why}`, async () => {
    const tasks = await someTasks();
    assertThrows<Error>(() => taskNamed(tasks, text), want, says);
  });
}

Deno.test("readOverview() omits the rest of a long queue, but no task that has begun or has a request", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  const names = Array.from({ length: 1000 }, (_, i) => `t${i}`);
  for (const name of names) run.add(queued(name));
  run.add(state("t900", "downloading"));
  await writeControlRequest(folder.path, "t950", "pause");
  const { tasks, moreWaiting } = await readOverview(folder.path, NOW, 3);
  const shown = tasks.map(({ task, state }) => `${task} ${state}`);
  assertEquals(shown, [
    "t0 waiting",
    "t1 waiting",
    "t2 waiting",
    "t900 downloading",
    "t950 paused",
  ]);
  assertEquals(moreWaiting, 995);
  assertEquals((await readTasks(folder.path, NOW)).length, 1000);
});

Deno.test("readTasks() ignores other files in the folder", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  await using run = await RunRecord.open(folder.path, 77, clock);
  run.add(queued("a"));
  run.add(state("a", "downloading"));
  const runs = `${folder.path}/runs`;
  Deno.mkdirSync(`${runs}/1600000000000-1.jsonl`);
  const lines = [
    '{"time":1,"queued":null}',
    '{"time":1,"queued":{"base":"/","tasks":[["b"],5]}}',
    "null",
  ];
  Deno.writeTextFileSync(`${runs}/1600000000001-1.jsonl`, lines.join("\n") + "\n");
  assertEquals((await readTasks(folder.path, NOW)).map(({ task }) => task), ["a"]);
});

Deno.test("readTasks() treats a cancelled task as over when only unfinished ones are read", async () => {
  using folder = new StateFolder();
  const clock = new ManualClock(NOW);
  const reported = [
    [queued("a"), found("a", 10), state("a", "paused")],
    [queued("a"), state("a", "cancelled")],
  ];
  for (const events of reported) {
    await using run = await RunRecord.open(folder.path, 77, clock);
    for (const event of events) run.add(event);
    await clock.advance(1);
  }
  const [task] = await readTasks(folder.path, NOW, "paused");
  assertEquals(task?.state, "cancelled");
});
