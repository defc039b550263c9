/** Reads the record of one run, and makes of it what is known of its tasks. */
import { percentDone } from "../base/percent.ts";
import { isOver, type TaskEvent } from "../events.ts";
import type { TimeReport } from "../progress/time_account.ts";
import {
  isAccount,
  isHeader,
  isQueued,
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

/** How the tasks of `run` stand, in the order in which it began them. */
export function statusesOf(
  { lines, alive, now }: StoredRun,
  { nowMs, wishes, maxWaiting, known }: StatusContext,
): { tasks: TaskStatus[]; moreWaiting: number } {
  const pid = lines.find(isHeader)?.pid ?? null;
  const tasks = new Map<string, TaskStatus>();
  const begun = new Set(lines.filter(isTaskEvent).map(({ task }) => task));
  const idle = (task: string) => !begun.has(task) && !wishes.tasks.has(task);
  let waiting = 0;
  for (const line of lines) {
    if (isQueued(line)) {
      const { time, queued: { base, tasks: names } } = line;
      for (const [task, name] of names) {
        if (idle(task) && ++waiting > maxWaiting) continue;
        const target = base + name;
        tasks.set(task, { ...begin(task, time, pid, known), name, path: target, target });
      }
    } else if (isTaskEvent(line)) {
      const before = tasks.get(line.task) ?? begin(line.task, line.time, pid, known);
      tasks.set(line.task, fold(before, line));
    }
  }
  const all = Array.from(tasks.values(), (task) => withNow(task, now, nowMs));
  const moreWaiting = alive ? Math.max(0, waiting - maxWaiting) : 0;
  return { tasks: alive ? all : all.flatMap(abandoned), moreWaiting };
}

function fold(before: TaskStatus, event: TaskEvent): TaskStatus {
  const updated = { ...before, updatedAt: event.time };
  switch (event.kind) {
    case "queued":
      return { ...updated, name: event.name, path: event.target, target: event.target };
    case "state":
      if (event.state === updated.state) return updated;
      return { ...updated, state: event.state, since: event.time };
    case "target":
      return { ...updated, path: event.path };
    case "found":
      return {
        ...updated,
        size: event.size,
        id: event.id,
        seeds: event.seeds,
        verified: event.id !== null,
      };
    case "resumed":
      return {
        ...updated,
        downloaded: event.bytes,
        percent: percentDone(event.bytes, updated.size),
      };
    case "done": {
      const { path, size, verified } = event.result;
      return {
        ...updated,
        state: "done",
        since: event.time,
        path,
        size,
        downloaded: size,
        percent: 100,
        verified,
      };
    }
    case "failed":
      if (event.failure.code === "interrupted") {
        return { ...updated, state: "paused", since: event.time };
      }
      return { ...updated, state: "failed", since: event.time, error: event.failure.message };
    default:
      return updated;
  }
}

/** A task that goes on in another run keeps what is known of it. */
function begin(
  task: string,
  time: number,
  pid: number | null,
  known: StatusContext["known"],
): TaskStatus {
  const before = known(task);
  return {
    task,
    name: "",
    state: "waiting",
    size: before?.size ?? null,
    downloaded: before?.downloaded ?? 0,
    percent: before?.percent ?? null,
    rate: 0,
    etaMs: null,
    seeds: NO_SEEDS,
    path: "",
    target: "",
    pid,
    verified: false,
    id: before?.id ?? null,
    error: null,
    updatedAt: time,
    pausedBy: null,
    since: time,
    detail: null,
  };
}

const NO_SEEDS: readonly string[] = [];

function withNow(task: TaskStatus, now: StoredSnapshot | undefined, nowMs: number): TaskStatus {
  // Most only wait, and a copy of each would be the most expensive thing here.
  const moving = now?.tasks.get(task.task);
  if (task.state === "waiting" && moving === undefined) return task;
  const inside = withDetail(task, now, nowMs);
  return withMovement(inside, now, nowMs);
}

/** Of a task that somebody works on; an old file tells no speed any more. */
function withDetail(task: TaskStatus, now: StoredSnapshot | undefined, nowMs: number): TaskStatus {
  const detail = now?.details.get(task.task);
  if (!now || isOver(task.state) || task.state === "paused" || detail === undefined) {
    return task;
  }
  if (nowMs - now.time <= STALE_MS) return { ...task, detail };
  return {
    ...task,
    detail: { ...detail, seeds: detail.seeds.map((seed) => ({ ...seed, rate: 0 })) },
  };
}

function withMovement(
  task: TaskStatus,
  now: StoredSnapshot | undefined,
  nowMs: number,
): TaskStatus {
  const moving = now?.tasks.get(task.task);
  const pid = isOver(task.state) ? null : task.pid;
  if (now === undefined || moving === undefined || task.state === "done") return { ...task, pid };
  // The file is replaced while bytes come: an old one means that none do.
  const rate = task.state !== "downloading" || nowMs - now.time > STALE_MS ? 0 : moving.rate;
  const { downloaded, seeds } = moving;
  const missing = (task.size ?? 0) - downloaded;
  const etaMs = rate > 0 && task.size !== null ? Math.round(missing / rate * 1000) : null;
  const percent = percentDone(downloaded, task.size);
  return { ...task, pid, downloaded, rate, seeds, percent, etaMs, updatedAt: now.time };
}

/** What became of a task whose process is gone: what was begun is kept and goes on with the same command. */
function abandoned(task: TaskStatus): TaskStatus[] {
  if (isOver(task.state)) return [{ ...task, pid: null }];
  return task.state === "waiting"
    ? []
    : [{ ...task, state: "paused", pid: null, rate: 0, etaMs: null }];
}
