/** What the user orders from outside: of one task, or of all that run. */
import type { Clock } from "../base/clock.ts";
import { applyControl, type ControlAction, type ControlOutcome } from "../state/control.ts";
import { readTasks } from "../state/read_tasks.ts";
import type { TaskStatus } from "../state/task_status.ts";
import { isHeader, limitsOf } from "../state/record_shape.ts";
import { readRuns } from "../state/run_reader.ts";
import { readControlRequests, writeMax } from "../state/control.ts";
import { removePartial } from "../store/partials.ts";

/** @param pid of the process that orders. @throws {UsageError} if the task is over. */
export async function controlTask(
  stateDir: string,
  task: TaskStatus,
  order: ControlAction,
  pid: number,
  clock: Clock,
): Promise<ControlOutcome> {
  const obedience = await applyControl(stateDir, task, order, pid, clock);
  // Whoever runs it removes what is there by itself, when nothing writes to it any more.
  if (order === "cancel-and-delete" && obedience === "done") removePartial(task.path, task.target);
  return obedience;
}

/** @returns how many processes there are that do as many downloads at a time from now on. */
export async function setMax(stateDir: string, count: number, nowMs: number): Promise<number> {
  await writeMax(stateDir, count, nowMs);
  const known = await readTasks(stateDir, nowMs, "paused");
  return new Set(known.flatMap(({ pid }) => pid ?? [])).size;
}

/** How many downloads at a time one running process does. */
export interface RunningMax {
  readonly pid: number;
  readonly max: number;
}

/** One entry for each running process: its own setting, or what `setMax` said since it began. */
export async function runningMax(stateDir: string): Promise<RunningMax[]> {
  const { max: changed } = await readControlRequests(stateDir);
  const alive = (await readRuns(stateDir)).filter((run) => run.alive);
  return alive.flatMap(({ lines, startedAt }) => {
    const header = lines.find(isHeader);
    const own = limitsOf(header)?.max;
    if (header === undefined || own === undefined) return [];
    return [{ pid: header.pid, max: changed && changed.at > startedAt ? changed.value : own }];
  });
}
