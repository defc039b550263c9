/** Carries out what the user says of a task, whether a process runs it or not. */
import { UsageError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import { isOver } from "../events.ts";
import { RunRecord } from "./run_record.ts";
import type { TaskStatus } from "./task_status.ts";
import { removeControlRequest, writeControlRequest } from "./control_files.ts";

export type ControlAction = "pause" | "resume" | "cancel" | "cancel-and-delete";

/** What came of an order. */
export type ControlOutcome =
  /** The process that runs the task does it within a moment. */
  | "told"
  /** Nobody runs it: it holds for the next run. */
  | "kept"
  /** Nobody runs it, and nothing more is to be done. */
  | "done"
  /** It was so already. */
  | "already";

/** @throws {UsageError} if the task is over and the order makes no sense any more. */
export async function applyControl(
  stateDir: string,
  task: TaskStatus,
  order: ControlAction,
  pid: number,
  clock: Clock,
): Promise<ControlOutcome> {
  const cancels = order === "cancel" || order === "cancel-and-delete";
  if (order === "cancel" && (task.state === "cancelled" || task.state === "failed")) {
    return "already";
  }
  if (task.state === "done" || (!cancels && isOver(task.state))) {
    const end = task.state === "failed" ? "has failed" : `is ${task.state}`;
    throw new UsageError(`Cannot ${order.split("-")[0]} "${task.name}": it ${end}`, {
      problem: "task-over",
    });
  }
  const running = task.pid !== null && !isOver(task.state);
  if (order === "resume") {
    await removeControlRequest(stateDir, task.task);
    if (task.state !== "paused") return "already";
    return running ? "told" : "kept";
  }
  if (order === "pause" || running) {
    await writeControlRequest(stateDir, task.task, order);
    return running ? "told" : "kept";
  }
  await removeControlRequest(stateDir, task.task);
  // A failed task stays failed: why it failed is worth more than that it is not wanted any more.
  if (task.state !== "failed") await recordCancelled(stateDir, task, pid, clock);
  return "done";
}

/** A run of its own that says nothing but that the task is cancelled. */
async function recordCancelled(
  stateDir: string,
  { task, name, path }: TaskStatus,
  pid: number,
  clock: Clock,
): Promise<void> {
  await using run = await RunRecord.open(stateDir, pid, clock);
  const time = clock.wallTime();
  run.add({ kind: "queued", task, time, name, target: path });
  run.add({ kind: "state", task, time, state: "cancelled" });
}
