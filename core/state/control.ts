/**
 * What the user wants of tasks, given from any terminal: one small file for each task, which the
 * process that runs the task polls. A request outlives processes: a task that is paused while it does
 * not run is paused in its next run.
 */
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import { retryWhileHeld } from "../base/held_file.ts";
import { writeFileAtomicSync } from "../base/write_file_atomic.ts";
import { isOver } from "../events.ts";
import { isTaskId } from "./record_shape.ts";
import { RunRecord } from "./run_record.ts";
import { asStateError, filesIn, PRIVATE_FOLDER } from "./state_files.ts";
import type { TaskStatus } from "./task_status.ts";

/** What a user can do with a task. */
export type ControlAction = "pause" | "resume" | "cancel" | "cancel-and-delete";
/** An action that is kept as a file until the task's process applies it; `resume` removes the file. */
export type ControlRequest = Exclude<ControlAction, "resume">;
const CONTROL_REQUESTS: readonly ControlRequest[] = ["pause", "cancel", "cancel-and-delete"];

/** What came of an action; part of the JSON output. */
export type ControlOutcome =
  /** The process that runs the task applies it within a moment. */
  | "told"
  /** The task does not run: the next run applies it. */
  | "kept"
  /** The task does not run, and nothing is left to do. */
  | "done"
  /** It was so already. */
  | "already";

export interface ControlRequests {
  /** By task. */
  readonly tasks: ReadonlyMap<string, ControlRequest>;
  /** Downloads at a time, and when that was set (ms since 1970). */
  readonly max: { readonly value: number; readonly at: number } | undefined;
}

const MAX_FILE = "max";
/** Fast enough that a person does not notice the delay. */
const POLL_INTERVAL_MS = 200;
/** A younger file may belong to a command that is still running. */
const MIN_REMOVE_AGE_MS = 60_000;

function controlFolder(stateDir: string): string {
  return join(stateDir, "wishes");
}

/** @throws {UsageError} if the task is over and the action makes no sense. */
export async function applyControl(
  stateDir: string,
  task: TaskStatus,
  action: ControlAction,
  pid: number,
  clock: Clock,
): Promise<ControlOutcome> {
  const cancels = action === "cancel" || action === "cancel-and-delete";
  if (action === "cancel" && (task.state === "cancelled" || task.state === "failed")) {
    return "already";
  }
  if (task.state === "done" || (!cancels && isOver(task.state))) {
    const end = task.state === "failed" ? "has failed" : `is ${task.state}`;
    throw new UsageError(`Cannot ${action.split("-")[0]} "${task.name}": it ${end}`, {
      problem: "task-over",
    });
  }
  const running = task.pid !== null && !isOver(task.state);
  if (running && await isCancelling(stateDir, task.task, action)) return "already";
  if (action === "resume") {
    await removeControlRequest(stateDir, task.task);
    if (task.state !== "paused") return "already";
    return running ? "told" : "kept";
  }
  if (action === "pause" || running) {
    // Another command may write the same request at this moment.
    await retryWhileHeld(
      () => writeControlRequest(stateDir, task.task, action),
      { clock },
      new AbortController().signal,
    );
    return running ? "told" : "kept";
  }
  await removeControlRequest(stateDir, task.task);
  // Keep a failed task failed: the reason of the failure is worth more.
  if (task.state !== "failed") await recordCancelled(stateDir, task, pid, clock);
  return "done";
}

/**
 * Whether a cancel is pending that `action` must not withdraw or weaken: its user was told that the
 * task is cancelled, although its process has not read the request yet.
 */
async function isCancelling(
  stateDir: string,
  task: string,
  action: ControlAction,
): Promise<boolean> {
  const pending = (await readControlRequests(stateDir)).tasks.get(task);
  if (pending === undefined || pending === "pause" || action === pending) return false;
  return action !== "cancel-and-delete";
}

/** Writes a run that only says that the task is cancelled. */
async function recordCancelled(
  stateDir: string,
  { task, name, target, path }: TaskStatus,
  pid: number,
  clock: Clock,
): Promise<void> {
  await using run = await RunRecord.open(stateDir, pid, clock);
  const time = clock.wallTime();
  run.add({ kind: "queued", task, time, name, target });
  if (path !== target) run.add({ kind: "target", task, time, path });
  run.add({ kind: "state", task, time, state: "cancelled" });
}

export async function writeControlRequest(
  stateDir: string,
  task: string,
  request: ControlRequest,
): Promise<void> {
  await write(stateDir, task, request);
}

/** Withdraws a request, if there is one. */
export async function removeControlRequest(stateDir: string, task: string): Promise<void> {
  await Deno.remove(join(controlFolder(stateDir), task)).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

export async function writeMax(stateDir: string, value: number, nowMs: number): Promise<void> {
  await write(stateDir, MAX_FILE, JSON.stringify({ value, at: nowMs }));
}

async function write(stateDir: string, name: string, text: string): Promise<void> {
  const folder = controlFolder(stateDir);
  await asStateError(stateDir, async () => {
    await Deno.mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
    writeFileAtomicSync(join(folder, name), text);
  });
}

export async function readControlRequests(stateDir: string): Promise<ControlRequests> {
  const folder = controlFolder(stateDir);
  const tasks = new Map<string, ControlRequest>();
  let max: ControlRequests["max"];
  for await (const { name, isFile } of filesIn(folder)) {
    if (!isFile || !(name === MAX_FILE || isTaskId(name))) continue;
    const text = await Deno.readTextFile(join(folder, name)).catch(() => "");
    if (name === MAX_FILE) max = parseMax(text);
    const request = CONTROL_REQUESTS.find((known) => known === text);
    if (request) tasks.set(name, request);
  }
  return { tasks, max };
}

function parseMax(text: string): ControlRequests["max"] {
  try {
    const { value, at } = JSON.parse(text);
    if (Number.isSafeInteger(value) && value >= 1 && typeof at === "number") return { value, at };
  } catch {
    // A damaged file is no request.
  }
  return undefined;
}

/** Removes requests for tasks that are not `unfinished`, and drafts of processes that were killed. */
export async function removeOldControlRequests(
  stateDir: string,
  unfinished: ReadonlySet<string>,
  nowMs: number,
): Promise<void> {
  const folder = controlFolder(stateDir);
  for await (const { name } of filesIn(folder)) {
    if (name === MAX_FILE || unfinished.has(name)) continue;
    const path = join(folder, name);
    const stat = await Deno.lstat(path).catch(() => undefined);
    const ageMs = Math.abs(nowMs - (stat?.mtime?.getTime() ?? 0));
    if (stat?.isFile && ageMs >= MIN_REMOVE_AGE_MS) await Deno.remove(path).catch(() => {});
  }
}

/** Polls the requests until `signal` aborts. A folder that cannot be read is skipped. */
export async function watchControlRequests(
  stateDir: string,
  apply: (requests: ControlRequests) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await readControlRequests(stateDir).then(apply, () => {});
    await clock.sleep(POLL_INTERVAL_MS, signal).catch(() => {});
  }
}
