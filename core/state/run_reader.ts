/** Reads the record of one run, and derives from it the status of its tasks. */
import { percentDone } from "../base/text.ts";
import { isOver, type TaskEvent } from "../events.ts";
import { isTimeReport, type TaskDetail, type TimeReport } from "../progress/snapshots.ts";
import { etaMs, TaskProgress } from "../progress/task_progress.ts";
import type { ControlRequests } from "./control.ts";
import {
  isHeader,
  isQueued,
  isStatusEvent,
  isTaskEvent,
  limitsOf,
  type RunLimits,
  type StoredSnapshot,
} from "./record_shape.ts";
import {
  baseOf,
  isAlive,
  linesIn,
  readRecord,
  readSnapshot,
  runsOf,
  STALE_MS,
  startOf,
} from "./run_files.ts";
import type { TaskStatus } from "./task_status.ts";
import { type Wanted, wantedLines } from "./wanted_lines.ts";

/** The files of one run as they were read. */
export interface StoredRun {
  /** The path of the record. */
  readonly path: string;
  readonly startedAt: number;
  /** Whether its process lives. */
  readonly alive: boolean;
  readonly lines: readonly object[];
  readonly snapshot: StoredSnapshot | undefined;
}

/** What one run recorded about one task, beside its status. The archive stores it as JSON. */
export interface TaskRun {
  /** null if the run was killed before it wrote a report, or the task only waits. */
  readonly account: TimeReport | null;
  readonly limits: RunLimits | null;
  /** ms since 1970. */
  readonly queuedAt: number;
  readonly events: readonly TaskEvent[];
}

/** All runs that have a record, oldest first; of a long record maybe only the lines that are wanted. */
export async function readRuns(stateDir: string, wanted?: Wanted): Promise<StoredRun[]> {
  const runs: StoredRun[] = [];
  for (const path of await runsOf(stateDir)) runs.push(await readRun(path, wanted));
  return runs;
}

/** A record that was removed meanwhile has no lines: its tasks are in the archive. */
export async function readRun(path: string, wanted?: Wanted): Promise<StoredRun> {
  const base = baseOf(path);
  // First: a run that ends while it is read has then written everything.
  const alive = await isAlive(base);
  const text = await readRecord(path);
  const lines = wanted === undefined ? linesIn(text) : wantedLines(text, wanted);
  return { path, startedAt: startOf(path), alive, lines, snapshot: await readSnapshot(base) };
}

/** Every task in `run`, or only `wanted`. */
export function taskRunsOf({ lines, snapshot }: StoredRun, wanted?: string): Map<string, TaskRun> {
  const limits = limitsOf(lines.find(isHeader)) ?? null;
  const runs = new Map<
    string,
    { -readonly [K in keyof TaskRun]: TaskRun[K] } & { events: TaskEvent[] }
  >();
  const add = (event: TaskEvent, report: unknown) => {
    let run = runs.get(event.task);
    if (!run) {
      const account = snapshot?.accounts.get(event.task) ?? null;
      runs.set(event.task, run = { account, limits, queuedAt: event.time, events: [] });
    }
    run.events.push(event);
    if (isTimeReport(report)) run.account = report;
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
  return runs;
}

export interface StatusContext {
  readonly nowMs: number;
  readonly requests: ControlRequests;
  /** Maximum number of waiting tasks. */
  readonly maxWaiting: number;
  /** The status of a task in an earlier run. */
  readonly known: (task: string) => TaskStatus | undefined;
}

/** The tasks of `run`, in the order in which it began them. */
export function statusesOf(
  run: StoredRun,
  { nowMs, requests, maxWaiting, known }: StatusContext,
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
  const isIdle = (task: string) => !begun.has(task) && !requests.tasks.has(task);
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
  // A task that was only queued by a process that is gone leaves nothing.
  const left = alive ? [...tasks.values()] : [...tasks.values()].filter(({ begun }) => begun);
  return {
    tasks: left.map((task) => {
      const status = statusOf(task, pid, run.snapshot, nowMs);
      return alive ? status : stopped(status);
    }),
    moreWaiting: alive ? Math.max(0, waiting - maxWaiting) : 0,
  };
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

/** A task whose process is gone: the next download of it continues it. */
function stopped(task: TaskStatus): TaskStatus {
  return isOver(task.state)
    ? { ...task, pid: null }
    : { ...task, state: "paused", pid: null, rate: 0, etaMs: null };
}
