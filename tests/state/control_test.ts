import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../core/base/errors.ts";
import type { TaskState } from "../../core/events.ts";
import { applyControl, type ControlAction, type ControlOutcome } from "../../core/state/control.ts";
import { readTasks } from "../../core/state/read_tasks.ts";
import type { TaskStatus } from "../../core/state/task_status.ts";
import {
  type ControlRequest,
  readControlRequests,
  writeControlRequest,
} from "../../core/state/control.ts";
import { ManualClock } from "../fakes/manual_clock.ts";
import { done, eventOf, found, header, NOW, queued, state, StateFolder } from "./support.ts";

const PID = 77;

function taskIn(taskState: TaskState, pid: number | null): TaskStatus {
  return {
    task: "a",
    name: "a.iso",
    state: taskState,
    size: null,
    downloaded: 0,
    percent: null,
    rate: 0,
    etaMs: null,
    seeds: [],
    path: "/out/a~12345678.iso",
    target: "/out/a.iso",
    pid,
    verified: false,
    id: null,
    error: null,
    updatedAt: NOW,
    pausedBy: null,
    since: NOW,
    detail: null,
  };
}

function order(
  folder: StateFolder,
  task: TaskStatus,
  what: ControlAction,
): Promise<ControlOutcome> {
  return applyControl(folder.path, task, what, PID, new ManualClock(NOW + 5));
}

async function wishedOf(folder: StateFolder): Promise<ControlRequest | undefined> {
  return (await readControlRequests(folder.path)).tasks.get("a");
}

interface Case {
  readonly state: TaskState;
  readonly running: boolean;
  readonly order: ControlAction;
  /** What was wished before, if anything. */
  readonly before?: ControlRequest;
  readonly want: ControlOutcome;
  /** What is wished afterwards. */
  readonly wish: ControlRequest | undefined;
  /** Whether a run of its own says that the task is cancelled. */
  readonly cancelled?: boolean;
}

const RUNNING: readonly TaskState[] = ["waiting", "finding", "downloading", "verifying"];
const cases: Case[] = [
  ...RUNNING.flatMap((state): Case[] =>
    (["pause", "cancel", "cancel-and-delete"] as const).map((order) => ({
      state,
      running: true,
      order,
      want: "told",
      wish: order,
    }))
  ),
  ...RUNNING.map((state): Case => ({
    state,
    running: true,
    order: "resume",
    want: "already",
    wish: undefined,
  })),
  // Told and not obeyed yet: it takes the wish back.
  {
    state: "downloading",
    running: true,
    order: "resume",
    before: "pause",
    want: "already",
    wish: undefined,
  },
  {
    state: "paused",
    running: true,
    order: "resume",
    before: "pause",
    want: "told",
    wish: undefined,
  },
  { state: "paused", running: true, order: "pause", before: "pause", want: "told", wish: "pause" },
  {
    state: "paused",
    running: true,
    order: "cancel",
    before: "pause",
    want: "told",
    wish: "cancel",
  },
  { state: "paused", running: false, order: "pause", want: "kept", wish: "pause" },
  {
    state: "paused",
    running: false,
    order: "resume",
    before: "pause",
    want: "kept",
    wish: undefined,
  },
  { state: "paused", running: false, order: "resume", want: "kept", wish: undefined },
  {
    state: "paused",
    running: false,
    order: "cancel",
    before: "pause",
    want: "done",
    wish: undefined,
    cancelled: true,
  },
  {
    state: "paused",
    running: false,
    order: "cancel-and-delete",
    want: "done",
    wish: undefined,
    cancelled: true,
  },
  {
    state: "failed",
    running: false,
    order: "cancel",
    want: "already",
    wish: undefined,
  },
  // It stays failed; what was left of it is still to be deleted.
  {
    state: "failed",
    running: false,
    order: "cancel-and-delete",
    want: "done",
    wish: undefined,
  },
  { state: "cancelled", running: false, order: "cancel", want: "already", wish: undefined },
  // What was left of it is still to be deleted.
  {
    state: "cancelled",
    running: false,
    order: "cancel-and-delete",
    want: "done",
    wish: undefined,
    cancelled: true,
  },
];

for (const { state, running, order: what, before, want, wish: wished, cancelled } of cases) {
  const whose = running ? "that a process runs" : "that nobody runs";
  const been = before ? `, where ${before} was wished` : "";
  Deno.test(`giveOrder() says "${want}" to ${what} of a ${state} task ${whose}${been}`, async () => {
    using folder = new StateFolder();
    if (before) await writeControlRequest(folder.path, "a", before);
    assertEquals(await order(folder, taskIn(state, running ? 9 : null), what), want);
    assertEquals(await wishedOf(folder), wished);
    const tasks = await readTasks(folder.path, NOW + 6);
    assertEquals(tasks.map(({ state }) => state), cancelled ? ["cancelled"] : []);
  });
}

const senseless: [TaskState, ControlAction][] = [
  ["done", "pause"],
  ["done", "resume"],
  ["done", "cancel"],
  ["done", "cancel-and-delete"],
  ["failed", "pause"],
  ["failed", "resume"],
  ["cancelled", "pause"],
  ["cancelled", "resume"],
];
for (const [taskState, what] of senseless) {
  Deno.test(`giveOrder() throws UsageError to ${what} of a ${taskState} task, and changes nothing`, async () => {
    using folder = new StateFolder();
    await writeControlRequest(folder.path, "b", "pause");
    const error = await assertRejects(
      () => order(folder, taskIn(taskState, null), what),
      UsageError,
    );
    assertStringIncludes(error.message, '"a.iso"');
    assertEquals(Array.from((await readControlRequests(folder.path)).tasks), [["b", "pause"]]);
    assertEquals(folder.runs(), []);
  });
}

Deno.test("giveOrder() leaves a run that is over, and keeps what is known of a task that it cancels", async () => {
  using folder = new StateFolder();
  folder.writeRun(`${NOW}-9`, [
    header(9),
    queued("a"),
    queued("b"),
    found("a", 1000),
    state("a", "downloading"),
    eventOf("a", { kind: "target", path: "/out/a~12345678.txt" }),
    done("b", 7),
  ]);
  const [a] = (await readTasks(folder.path, NOW)).filter(({ task }) => task === "a");
  assertEquals(a?.state, "paused");
  assertEquals(await order(folder, a!, "cancel"), "done");
  const tasks = await readTasks(folder.path, NOW + 6);
  assertEquals(tasks.map(({ task, state, pid }) => [task, state, pid]), [
    ["b", "done", null],
    ["a", "cancelled", null],
  ]);
  const cancelled = tasks[1]!;
  assertEquals([cancelled.name, cancelled.path, cancelled.size], ["a.txt", a!.path, 1000]);
  assertEquals([a!.target, cancelled.target], ["/out/a.txt", "/out/a.txt"]);
  assertEquals(cancelled.updatedAt, NOW + 5);
  // Nobody holds a lock any more.
  assertEquals(folder.runs().filter((name) => name.endsWith(".lock")), []);
});

Deno.test("giveOrder() concerns no other task", async () => {
  using folder = new StateFolder();
  await writeControlRequest(folder.path, "b", "pause");
  await order(folder, taskIn("downloading", 9), "cancel");
  await order(folder, taskIn("paused", null), "resume");
  assertEquals(Array.from((await readControlRequests(folder.path)).tasks), [["b", "pause"]]);
});
