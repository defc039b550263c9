/** What there is to say about why a task is as fast as it is; what it means is for others to say. */
import { isOver } from "../events.ts";
import type { TimeReport } from "../progress/snapshots.ts";
import { readLastRun } from "../state/read_tasks.ts";
import type { RunLimits } from "../state/record_shape.ts";
import { readTasks } from "../state/read_tasks.ts";
import { taskNamed, type TaskStatus } from "../state/task_status.ts";
import { isUnfinished } from "./overview.ts";

/** A task, where its time goes, and what else of it matters for the question what limits it. */
export interface TaskCase {
  readonly task: TaskStatus;
  /** null where it has not begun, or its run could not tell. */
  readonly account: TimeReport | null;
  /** What the user set for its run; null where the record does not tell. */
  readonly limits: RunLimits | null;
  /** When it was queued, and when this was looked up; ms since 1970. */
  readonly queuedAt: number;
  readonly now: number;
  /** Tasks of its process that run, and that wait before it. */
  readonly running: number;
  readonly ahead: number;
}

/** @param text as `taskNamed` takes it. */
export async function taskCase(stateDir: string, text: string, now: number): Promise<TaskCase> {
  const task = taskNamed(await readTasks(stateDir, now, { named: text }), text, isUnfinished);
  const run = await readLastRun(stateDir, task.task, now);
  const known = task.pid === null ? [] : await readTasks(stateDir, now, "paused");
  const siblings = known.filter(({ pid }) => pid === task.pid);
  const waiting = siblings.filter(({ state }) => state === "waiting");
  return {
    task,
    account: run?.account ?? null,
    limits: run?.limits ?? null,
    queuedAt: run?.queuedAt ?? now,
    now,
    running: siblings.filter(runs).length,
    ahead: Math.max(0, waiting.findIndex((each) => each.task === task.task)),
  };
}

function runs({ state }: TaskStatus): boolean {
  return state !== "waiting" && state !== "paused" && !isOver(state);
}
