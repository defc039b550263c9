/** Reads the record of one run, and makes of it what is known of its tasks. */
import { percentDone } from "../base/percent.ts";
import { isOver, type TaskEvent } from "../events.ts";
import type { TaskDetail, TimeReport } from "../progress/snapshots.ts";
import { etaMs, TaskProgress } from "../progress/task_progress.ts";
import {
  isAccount,
  isHeader,
  isQueued,
  isStatusEvent,
  isTaskEvent,
  limitsOf,
  type RunLimits,
  type StoredSnapshot,
} from "./record_shape.ts";
import { baseOf, linesIn, readNow, readRecord, runsOf, STALE_MS, startOf } from "./run_files.ts";
import { isAlive } from "./run_lock.ts";
import type { TaskStatus } from "./status.ts";
import { type Wanted, wantedLines } from "./wanted_lines.ts";
import type { ControlRequests } from "./control_files.ts";

/** The files of one run as they were read. */
export interface StoredRun {
  /** The path of the record. */
  readonly path: string;
  readonly startedAt: number;
  /** Whether its process lives. */
  readonly alive: boolean;
  readonly lines: readonly object[];
  readonly now: StoredSnapshot | undefined;
}

/** What one run says of one task, beside its status. */
export interface TaskRun {
  /** null where the run ended before it could tell, or the task only waits. */
  readonly account: TimeReport | null;
  /** null where a record does not tell them. */
  readonly limits: RunLimits | null;
  /** When the task was queued, ms since 1970. */
  readonly queuedAt: number;
  readonly events: readonly TaskEvent[];
}

/** All runs whose records are in the folder, oldest first; of a long one maybe only the lines that are wanted. */
export async function readRuns(stateDir: string, wanted?: Wanted): Promise<StoredRun[]> {
  const runs: StoredRun[] = [];
  for (const path of await runsOf(stateDir)) runs.push(await readRun(path, wanted));
  return runs;
}

/** A record that was removed since it was listed has no lines: its tasks are in the archive. */
export async function readRun(path: string, wanted?: Wanted): Promise<StoredRun> {
  const base = baseOf(path);
  // Asked first: a run that ends while it is read has then written all that it will write.
  const alive = await isAlive(base);
  const text = await readRecord(path);
  const lines = wanted === undefined ? linesIn(text) : wantedLines(text, wanted);
  return { path, startedAt: startOf(path), alive, lines, now: await readNow(base) };
}

/** Each task that `run` tells of, or only `wanted`. */
export function taskRunsOf({ lines, now }: StoredRun, wanted?: string): Map<string, TaskRun> {
  const limits = limitsOf(lines.find(isHeader)) ?? null;
  const runs = new Map<string, TaskRun & { events: TaskEvent[] }>();
  const add = (event: TaskEvent, account: unknown) => {
    const run = runs.get(event.task);
    const told = isAccount(account) ? account : null;
    if (run === undefined) {
      runs.set(event.task, { account: told, limits, queuedAt: event.time, events: [event] });
      return;
    }
    run.events.push(event);
    if (told !== null) runs.set(event.task, { ...run, account: told });
  };
  for (const line of lines) {
    if (isQueued(line)) {
      const { time, queued: { base, tasks } } = line;
      for (const [task, name] of tasks) {
        if (wanted !== undefined && task !== wanted) continue;
        add({ kind: "queued", task, time, name, target: base + name }, undefined);
      }
    } else if (isTaskEvent(line) && (wanted === undefined || line.task === wanted)) {
      const { account, ...event } = line as TaskEvent & { account?: unknown };
      add(event as TaskEvent, account);
    }
  }
  for (const [task, run] of runs) {
    const account = run.account ?? now?.accounts.get(task) ?? null;
    if (account !== run.account) runs.set(task, { ...run, account });
  }
  return runs;
}

export interface StatusContext {
  readonly nowMs: number;
  readonly wishes: ControlRequests;
  /** Of the tasks that only wait no more than this. */
  readonly maxWaiting: number;
  /** What an earlier run said of a task. */
  readonly known: (task: string) => TaskStatus | undefined;
}

/** The tasks of `run`, in the order in which it began them. */
export function statusesOf(
  run: StoredRun,
  { nowMs, wishes, maxWaiting, known }: StatusContext,
): { tasks: TaskStatus[]; moreWaiting: number } {
  const { lines, alive } = run;
  const tasks = new Map<string, TaskProgress>();
  const taskOf = (task: string, time: number) => {
    let progress = tasks.get(task);
    // A task that continues in another run keeps what is known of it.
    if (!progress) tasks.set(task, progress = new TaskProgress(task, time, time, known(task)));
    return progress;
  };
  const begun = new Set(lines.filter(isTaskEvent).map(({ task }) => task));
  const isIdle = (task: string) => !begun.has(task) && !wishes.tasks.has(task);
  let waiting = 0;
  for (const line of lines) {
    if (isQueued(line)) {
      const { time, queued: { base, tasks: names } } = line;
      for (const [task, name] of names) {
        if (isIdle(task) && ++waiting > maxWaiting) continue;
        taskOf(task, time).apply({ kind: "queued", task, time, name, target: base + name }, time);
      }
    } else if (isTaskEvent(line)) {
      const task = taskOf(line.task, line.time);
      if (isStatusEvent(line)) task.apply(line, line.time);
    }
  }
  const pid = lines.find(isHeader)?.pid ?? null;
  const all = Array.from(tasks.values(), (task) => statusOf(task, pid, run.now, nowMs));
  const moreWaiting = alive ? Math.max(0, waiting - maxWaiting) : 0;
  return { tasks: alive ? all : all.flatMap(abandoned), moreWaiting };
}

/** @param snapshot what the run wrote last about its tasks at work. */
function statusOf(
  progress: TaskProgress,
  pid: number | null,
  snapshot: StoredSnapshot | undefined,
  nowMs: number,
): TaskStatus {
  const { task, name, state, path, target, size, id, result, failure, updatedAt, since } = progress;
  const moving = state === "done" ? undefined : snapshot?.tasks.get(task);
  const downloaded = moving?.downloaded ?? progress.downloaded;
  // It is replaced while bytes arrive: an old one means that none do.
  const isFresh = snapshot !== undefined && nowMs - snapshot.time <= STALE_MS;
  const rate = state === "downloading" && isFresh ? moving?.rate ?? 0 : 0;
  const detail = isOver(state) || state === "paused" ? undefined : snapshot?.details.get(task);
  return {
    task,
    name: target === "" ? "" : name,
    state,
    size,
    downloaded,
    percent: state === "done" ? 100 : percentDone(downloaded, size),
    rate,
    etaMs: size === null || rate === 0 ? null : Math.round(etaMs(size - downloaded, rate)!),
    seeds: moving?.seeds ?? progress.holders,
    path,
    target,
    pid: isOver(state) ? null : pid,
    verified: result?.verified ?? id !== null,
    id,
    error: state === "failed" ? failure?.message ?? null : null,
    updatedAt: moving === undefined ? updatedAt : snapshot!.time,
    pausedBy: null,
    since,
    detail: isFresh || detail === undefined ? detail ?? null : withoutRates(detail),
  };
}

function withoutRates(detail: TaskDetail): TaskDetail {
  return { ...detail, seeds: detail.seeds.map((seed) => ({ ...seed, rate: 0 })) };
}

/** Tasks whose process is gone: what was begun is kept, and continues with the same command. */
function abandoned(task: TaskStatus): TaskStatus[] {
  if (isOver(task.state)) return [{ ...task, pid: null }];
  return task.state === "waiting"
    ? []
    : [{ ...task, state: "paused", pid: null, rate: 0, etaMs: null }];
}
