/** All tasks of this user, from the records of all runs and the archive. */
import type { TimeReport } from "../progress/snapshots.ts";
import { archiveEndedRuns, openArchive } from "./archive.ts";
import { type ControlRequests, readControlRequests } from "./control.ts";
import { STALE_MS } from "./run_files.ts";
import { readRuns, statusesOf, type TaskRun, taskRunsOf } from "./run_reader.ts";
import type { TaskFilter, TaskStatus } from "./task_status.ts";
import type { Wanted } from "./wanted_lines.ts";

/** Tasks without most of a long queue. */
export interface Overview {
  /** Oldest first. */
  readonly tasks: readonly TaskStatus[];
  /** Waiting tasks beyond those. */
  readonly moreWaiting: number;
}

/** All known tasks, oldest first; the newest run of a task counts. */
export async function readTasks(
  stateDir: string,
  nowMs: number,
  filter: TaskFilter = "all",
): Promise<TaskStatus[]> {
  return [...(await readOverview(stateDir, nowMs, Infinity, filter)).tasks];
}

/** As `readTasks`, but with at most `maxWaiting` waiting tasks of each run: a hundred thousand take time. */
export async function readOverview(
  stateDir: string,
  nowMs: number,
  maxWaiting: number,
  filter: TaskFilter = "paused",
): Promise<Overview> {
  await archiveEndedRuns(stateDir, nowMs);
  const requests = await readControlRequests(stateDir);
  // Records before the archive: a task that ends now moves from there to here and is found.
  const runs = await readRuns(stateDir, wantedBy(filter));
  using archive = await openArchive(stateDir);
  const tasks = new Map(archive?.tasks(filter).map((each) => [each.status.task, each]));
  let moreWaiting = 0;
  const known = (task: string) => tasks.get(task)?.status ?? archive?.task(task)?.status;
  for (const run of runs) {
    const statuses = statusesOf(run, { nowMs, requests, maxWaiting, known });
    moreWaiting += statuses.moreWaiting;
    for (const status of statuses.tasks) {
      const { task } = status;
      // A later run continued it, and is archived already.
      if ((tasks.get(task)?.startedAt ?? -Infinity) > run.startedAt) continue;
      // Moves it to the end.
      tasks.delete(task);
      tasks.set(task, { status, startedAt: run.startedAt });
    }
  }
  const wantsDone = filter !== "paused" && filter !== "unfinished";
  const sorted = Array.from(tasks.values())
    .filter(({ status }) => wantsDone || status.state !== "done")
    .sort((a, b) => a.startedAt - b.startedAt);
  return { tasks: sorted.map(({ status }) => withRequest(status, requests)), moreWaiting };
}

function wantedBy(filter: TaskFilter): Wanted | undefined {
  if (filter === "paused" || filter === "unfinished") return "unfinished";
  if (filter === "all" || !("named" in filter)) return undefined;
  const { named } = filter;
  return (task, name) => name === named || name.endsWith(`/${named}`) || task.startsWith(named);
}

/** Applies what the user requested from another terminal. */
function withRequest(task: TaskStatus, requests: ControlRequests): TaskStatus {
  const request = requests.tasks.get(task.task);
  // A waiting task has no process yet, so show the request as already applied.
  const state = task.state !== "waiting" || request === undefined
    ? task.state
    : request === "pause"
    ? "paused"
    : "cancelled";
  if (state !== "paused") return state === task.state ? task : { ...task, state };
  // A process pauses a task only on request; a process that ends leaves it paused as well.
  const pausedBy = task.pid !== null || request === "pause" ? "user" : "interrupt";
  return { ...task, state, pausedBy };
}

/** The last run that had the task; undefined when there is no record of it. */
export async function readLastRun(
  stateDir: string,
  task: string,
  nowMs: number,
): Promise<TaskRun | undefined> {
  const runs = await readRuns(stateDir, (each) => each === task);
  for (const run of runs.toReversed()) {
    const found = taskRunsOf(run, task).get(task);
    if (found === undefined) continue;
    const { account } = found;
    return { ...found, account: account && run.alive ? untilNow(account, nowMs) : account };
  }
  // Read last: a run that was in no record by then has been archived.
  using archive = await openArchive(stateDir);
  return archive?.taskRun(task);
}

/** Nothing is written while nothing happens: what the task waits for goes on. */
function untilNow(report: TimeReport, nowMs: number): TimeReport {
  const { now, at, spent } = report;
  if (now === null || nowMs <= at) return report;
  const elapsed = nowMs - at;
  const isStale = elapsed > STALE_MS;
  const seeds = report.seeds.map((seed) => isStale ? { ...seed, rate: 0 } : seed);
  return { ...report, seeds, at: nowMs, spent: { ...spent, [now]: (spent[now] ?? 0) + elapsed } };
}
