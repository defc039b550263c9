/** The tasks of all processes as the user sees and controls them. */
import { dirname } from "node:path";
import type { Clock } from "../base/clock.ts";
import { isOver } from "../events.ts";
import type { TimeReport } from "../progress/snapshots.ts";
import { isActive } from "../progress/task_progress.ts";
import {
  applyControl,
  type ControlAction,
  type ControlOutcome,
  readControlRequests,
  writeMax,
} from "../state/control.ts";
import { type Overview, readLastRun, readOverview, readTasks } from "../state/read_tasks.ts";
import { isHeader, limitsOf, type RunLimits } from "../state/record_shape.ts";
import { readRuns } from "../state/run_reader.ts";
import { taskNamed, type TaskStatus } from "../state/task_status.ts";
import type { QuarantinedPart } from "../store/partials.ts";

interface WithEnded {
  /** Whether tasks that are over are included. */
  readonly all: boolean;
}

/** All known tasks, oldest first. */
export async function tasks(
  stateDir: string,
  nowMs: number,
  { all }: WithEnded,
): Promise<TaskStatus[]> {
  const known = await readTasks(stateDir, nowMs, all ? "all" : "paused");
  return all ? known : known.filter(await unfinishedAmong(known));
}

/** As `tasks`, but with at most `maxWaiting` waiting tasks of each process. */
export async function overview(
  stateDir: string,
  nowMs: number,
  maxWaiting: number,
  { all }: WithEnded,
): Promise<Overview> {
  const known = await readOverview(stateDir, nowMs, maxWaiting, all ? "all" : "paused");
  const isUnfinished = await unfinishedAmong(known.tasks);
  const tasks = known.tasks.filter((task) => (all && isOver(task.state)) || isUnfinished(task));
  return { ...known, tasks };
}

/** Parts of other content in the folders of all known tasks. */
export async function quarantinedParts(
  stateDir: string,
  nowMs: number,
): Promise<QuarantinedPart[]> {
  const known = await readTasks(stateDir, nowMs, "all");
  const { quarantinedPartsIn } = await import("../store/partials.ts");
  const folders = new Set(known.flatMap(({ target, path }) => [dirname(target), dirname(path)]));
  return Array.from(folders).sort().flatMap(quarantinedPartsIn);
}

/** The task that `text` means; see `taskNamed`. */
export async function findTask(stateDir: string, text: string, nowMs: number): Promise<TaskStatus> {
  const known = await readTasks(stateDir, nowMs, { named: text });
  return taskNamed(known, text, await unfinishedAmong(known));
}

/** The tasks whose id or name begins with `text`, the newest of many. */
export async function tasksBeginning(
  stateDir: string,
  text: string,
  nowMs: number,
  { all }: WithEnded,
): Promise<TaskStatus[]> {
  const known = await readTasks(stateDir, nowMs, all ? { beginning: text } : "paused");
  const isUnfinished = await unfinishedAmong(known);
  return known.filter((each) =>
    (all || isUnfinished(each)) && (each.task.startsWith(text) || each.name.startsWith(text))
  );
}

/**
 * Tells which of `tasks` are unfinished: a task without a process and without a part file is no longer
 * a download. What finds part files is loaded only for tasks without a process.
 */
async function unfinishedAmong(
  tasks: readonly TaskStatus[],
): Promise<(task: TaskStatus) => boolean> {
  const isOpen = ({ state }: TaskStatus) => !isOver(state);
  if (!tasks.some((task) => isOpen(task) && task.pid === null)) return isOpen;
  const { hasPartial } = await import("../store/paths.ts");
  return (task) => isOpen(task) && (task.pid !== null || hasPartial(task.path));
}

/** @param pid of this process. @throws {UsageError} if the task is over. */
export async function controlTask(
  stateDir: string,
  task: TaskStatus,
  action: ControlAction,
  pid: number,
  clock: Clock,
): Promise<ControlOutcome> {
  const outcome = await applyControl(stateDir, task, action, pid, clock);
  // A process that runs the task removes its part file itself, when nothing writes to it any more.
  if (action === "cancel-and-delete" && outcome === "done") {
    const { removePartial } = await import("../store/partials.ts");
    removePartial(task.path, task.target);
  }
  return outcome;
}

/** Changes how many downloads each running process does at a time. @returns the number of processes. */
export async function setMax(stateDir: string, count: number, nowMs: number): Promise<number> {
  await writeMax(stateDir, count, nowMs);
  const known = await readTasks(stateDir, nowMs, "paused");
  return new Set(known.flatMap(({ pid }) => pid ?? [])).size;
}

/** How many downloads at a time one process runs. */
export interface RunningMax {
  /** The process. */
  readonly pid: number;
  /** Downloads at a time. */
  readonly max: number;
}

/** For each running process its own setting, or that of a later `setMax`. */
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

/** What limits the speed of a task: the facts from which a diagnosis is made. */
export interface TaskCase {
  /** The task. */
  readonly task: TaskStatus;
  /** Where its time went; null if it has not begun, or its run wrote no report. */
  readonly account: TimeReport | null;
  /** The user's limits in its last run; null if the record has none. */
  readonly limits: RunLimits | null;
  /** When it was queued (ms since 1970). */
  readonly queuedAt: number;
  /** When this was read (ms since 1970). */
  readonly now: number;
  /** Tasks of its process that run. */
  readonly running: number;
  /** Tasks of its process that wait before it. */
  readonly ahead: number;
}

/** @param text as for `taskNamed`. */
export async function taskCase(stateDir: string, text: string, now: number): Promise<TaskCase> {
  const task = await findTask(stateDir, text, now);
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
    running: siblings.filter(({ state }) => isActive(state)).length,
    ahead: Math.max(0, waiting.findIndex((each) => each.task === task.task)),
  };
}
