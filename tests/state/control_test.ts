import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UsageError } from "../../core/base/errors.ts";
import type { TaskState } from "../../core/events.ts";
import {
  applyControl,
  type ControlAction,
  type ControlOutcome,
  type ControlRequest,
  readControlRequests,
  writeControlRequest,
} from "../../core/state/control.ts";
import { readTasks } from "../../core/state/read_tasks.ts";
import type { TaskStatus } from "../../core/state/task_status.ts";
import { ManualClock } from "../support/manual_clock.ts";
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

function apply(
  folder: StateFolder,
  task: TaskStatus,
  action: ControlAction,
): Promise<ControlOutcome> {
  return applyControl(folder.path, task, action, PID, new ManualClock(NOW + 5));
}

async function requestOf(folder: StateFolder): Promise<ControlRequest | undefined> {
  return (await readControlRequests(folder.path)).tasks.get("a");
}

interface Case {
  readonly state: TaskState;
  readonly running: boolean;
  readonly action: ControlAction;
  /** An earlier request. */
  readonly before?: ControlRequest;
  readonly want: ControlOutcome;
  /** The request afterwards. */
  readonly request: ControlRequest | undefined;
  /** Whether a run was written that says that the task is cancelled. */
  readonly cancelled?: boolean;
}

const RUNNING: readonly TaskState[] = ["waiting", "finding", "downloading", "verifying"];
const cases: Case[] = [
  ...RUNNING.flatMap((state): Case[] =>
    (["pause", "cancel", "cancel-and-delete"] as const).map((action) => ({
      state,
      running: true,
      action,
      want: "told",
      request: action,
    }))
  ),
  ...RUNNING.map((state): Case => ({
    state,
    running: true,
    action: "resume",
    want: "already",
    request: undefined,
  })),
  // Requested and not applied yet: withdraws the request.
  {
    state: "downloading",
    running: true,
    action: "resume",
    before: "pause",
    want: "already",
    request: undefined,
  },
  {
    state: "paused",
    running: true,
    action: "resume",
    before: "pause",
    want: "told",
    request: undefined,
  },
  {
    state: "paused",
    running: true,
    action: "pause",
    before: "pause",
    want: "told",
    request: "pause",
  },
  {
    state: "paused",
    running: true,
    action: "cancel",
    before: "pause",
    want: "told",
    request: "cancel",
  },
  // The process has not read the cancel yet: it is neither withdrawn nor weakened.
  ...(["resume", "pause"] as const).flatMap((action): Case[] =>
    (["cancel", "cancel-and-delete"] as const).map((before) => ({
      state: "downloading",
      running: true,
      action,
      before,
      want: "already",
      request: before,
    }))
  ),
  {
    state: "downloading",
    running: true,
    action: "cancel",
    before: "cancel-and-delete",
    want: "already",
    request: "cancel-and-delete",
  },
  {
    state: "downloading",
    running: true,
    action: "cancel-and-delete",
    before: "cancel",
    want: "told",
    request: "cancel-and-delete",
  },
  { state: "paused", running: false, action: "pause", want: "kept", request: "pause" },
  {
    state: "paused",
    running: false,
    action: "resume",
    before: "pause",
    want: "kept",
    request: undefined,
  },
  { state: "paused", running: false, action: "resume", want: "kept", request: undefined },
  {
    state: "paused",
    running: false,
    action: "cancel",
    before: "pause",
    want: "done",
    request: undefined,
    cancelled: true,
  },
  {
    state: "paused",
    running: false,
    action: "cancel-and-delete",
    want: "done",
    request: undefined,
    cancelled: true,
  },
  {
    state: "failed",
    running: false,
    action: "cancel",
    want: "already",
    request: undefined,
  },
  // It stays failed; its part file has to be deleted.
  {
    state: "failed",
    running: false,
    action: "cancel-and-delete",
    want: "done",
    request: undefined,
  },
  { state: "cancelled", running: false, action: "cancel", want: "already", request: undefined },
  // Its part file has to be deleted.
  {
    state: "cancelled",
    running: false,
    action: "cancel-and-delete",
    want: "done",
    request: undefined,
    cancelled: true,
  },
];

for (const { state, running, action, before, want, request, cancelled } of cases) {
  const process = running ? "with a process" : "without a process";
  const requested = before ? `, after a request to ${before}` : "";
  Deno.test(`applyControl() returns "${want}" for ${action} of a ${state} task ${process}${requested}`, async () => {
    using folder = new StateFolder();
    if (before) await writeControlRequest(folder.path, "a", before);
    assertEquals(await apply(folder, taskIn(state, running ? 9 : null), action), want);
    assertEquals(await requestOf(folder), request);
    const tasks = await readTasks(folder.path, NOW + 6);
    assertEquals(tasks.map(({ state }) => state), cancelled ? ["cancelled"] : []);
  });
}

const invalid: [TaskState, ControlAction][] = [
  ["done", "pause"],
  ["done", "resume"],
  ["done", "cancel"],
  ["done", "cancel-and-delete"],
  ["failed", "pause"],
  ["failed", "resume"],
  ["cancelled", "pause"],
  ["cancelled", "resume"],
];
for (const [taskState, action] of invalid) {
  Deno.test(`applyControl() throws UsageError for ${action} of a ${taskState} task, and changes nothing`, async () => {
    using folder = new StateFolder();
    await writeControlRequest(folder.path, "b", "pause");
    const error = await assertRejects(
      () => apply(folder, taskIn(taskState, null), action),
      UsageError,
    );
    assertStringIncludes(error.message, '"a.iso"');
    assertEquals(Array.from((await readControlRequests(folder.path)).tasks), [["b", "pause"]]);
    assertEquals(folder.runs(), []);
  });
}

Deno.test("applyControl() writes a run that is over, and keeps what is known of a cancelled task", async () => {
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
  assertEquals(await apply(folder, a!, "cancel"), "done");
  const tasks = await readTasks(folder.path, NOW + 6);
  assertEquals(tasks.map(({ task, state, pid }) => [task, state, pid]), [
    ["b", "done", null],
    ["a", "cancelled", null],
  ]);
  const cancelled = tasks[1]!;
  assertEquals([cancelled.name, cancelled.path, cancelled.size], ["a.txt", a!.path, 1000]);
  assertEquals([a!.target, cancelled.target], ["/out/a.txt", "/out/a.txt"]);
  assertEquals(cancelled.updatedAt, NOW + 5);
  // No lock is held.
  assertEquals(folder.runs().filter((name) => name.endsWith(".lock")), []);
});

Deno.test("applyControl() does not change other tasks", async () => {
  using folder = new StateFolder();
  await writeControlRequest(folder.path, "b", "pause");
  await apply(folder, taskIn("downloading", 9), "cancel");
  await apply(folder, taskIn("paused", null), "resume");
  assertEquals(Array.from((await readControlRequests(folder.path)).tasks), [["b", "pause"]]);
});
