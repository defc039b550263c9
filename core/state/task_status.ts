/** All tasks of this user, put together from the records of all runs. */
import { NotFoundError, UsageError } from "../base/errors.ts";
import { faultOfName } from "../base/names.ts";
import { percentThere } from "../base/percent.ts";
import { isOver, type TaskEvent, type TaskState } from "../events.ts";
import { isHeader, isQueued, isTaskEvent, type StoredNow } from "./record_shape.ts";
import { baseOf, readLines, readNow, runsOf, STALE_MS } from "./run_files.ts";
import { isAlive } from "./run_lock.ts";
import type { TaskDetail } from "./task_detail.ts";
import { readWishes, type Wishes } from "./wishes.ts";

/** A task as any process of this user sees it. */
export interface TaskStatus {
  readonly task: string;
  readonly name: string;
  readonly state: TaskState;
  /** null until a seed said it. */
  readonly size: number | null;
  readonly downloaded: number;
  /** 0 to 100, one decimal; null while the size is unknown. */
  readonly percent: number | null;
  /** Bytes a second. */
  readonly rate: number;
  /** null where nobody can tell. */
  readonly etaMs: number | null;
  readonly seeds: readonly string[];
  /** Where the file is, or will be. */
  readonly path: string;
  /** Where it was asked to go: `path`, unless other bytes have that name. */
  readonly target: string;
  /** The process that works on it, or null. */
  readonly pid: number | null;
  readonly verified: boolean;
  /** The content's id; null until it is known, and where no seed offers a manifest. */
  readonly id: string | null;
  /** Why it failed, or null. */
  readonly error: string | null;
  readonly updatedAt: number;
  /** When its state began (ms since 1970). */
  readonly since: number;
  /** What goes on inside; null for what nobody works on, and for most of many. */
  readonly detail: TaskDetail | null;
}

/** Every task that is known, in the order in which they were begun; a later run's word counts. */
export async function readTasks(
  stateDir: string,
  nowMs: number,
  { all }: { readonly all: boolean } = { all: true },
): Promise<TaskStatus[]> {
  return (await readSome(stateDir, nowMs, { all, mostWaiting: Infinity })).tasks;
}

/** What is not over, without the tail of a long queue. */
export interface Overview {
  readonly tasks: readonly TaskStatus[];
  /** Waiting tasks beside those. */
  readonly moreWaiting: number;
}

/** As `readTasks`, but of the tasks of a run that only wait no more than `mostWaiting`: a hundred thousand take their time. */
export async function readOverview(
  stateDir: string,
  nowMs: number,
  mostWaiting: number,
  { all }: { readonly all: boolean } = { all: false },
): Promise<Overview> {
  return await readSome(stateDir, nowMs, { all, mostWaiting });
}

async function readSome(
  stateDir: string,
  nowMs: number,
  { all, mostWaiting }: { readonly all: boolean; readonly mostWaiting: number },
): Promise<{ tasks: TaskStatus[]; moreWaiting: number }> {
  const wishes = await readWishes(stateDir);
  const tasks = new Map<string, TaskStatus>();
  let moreWaiting = 0;
  for (const path of await runsOf(stateDir, all)) {
    const run = await readRun(path, tasks, wishes, mostWaiting, nowMs);
    moreWaiting += run.moreWaiting;
    for (const task of run.tasks) {
      // The newest run of a task puts it last.
      tasks.delete(task.task);
      tasks.set(task.task, wished(task, wishes));
    }
  }
  return { tasks: Array.from(tasks.values()), moreWaiting };
}

/**
 * The task that `text` means: an id, a unique beginning of one, or a file name or the last part of
 * one. A name means its newest task that `isCurrent`; where there is none, the newest.
 *
 * @throws {NotFoundError} if there is none. @throws {UsageError} if it may be several.
 */
export function taskNamed(
  tasks: readonly TaskStatus[],
  text: string,
  isCurrent: (task: TaskStatus) => boolean = ({ state }) => !isOver(state),
): TaskStatus {
  const newest = (some: readonly TaskStatus[]) => some.findLast(isCurrent) ?? some.at(-1);
  const exact = tasks.find(({ task }) => task === text) ??
    newest(tasks.filter(({ name }) => name === text));
  if (exact) return exact;
  const begun = text === "" ? [] : tasks.filter(({ task }) => task.startsWith(text));
  if (begun.length === 1) return begun[0]!;
  const ending = text === "" ? [] : tasks.filter(({ name }) => name.endsWith(`/${text}`));
  const names = new Set(ending.map(({ name }) => name));
  if (names.size === 1) return newest(ending)!;
  if (begun.length > 0) throw several(text, "begin", begun.map(({ task }) => task));
  if (names.size > 0) throw several(text, "end", Array.from(names));
  const fault = faultOfName(text);
  if (fault !== undefined) {
    throw new UsageError(`Cannot find task "${text}": as a file name, ${fault}`, { hint: SEE_ALL });
  }
  throw new NotFoundError(`Cannot find task "${text}"`, { hint: SEE_ALL });
}

const SEE_ALL = "See all tasks with p2p status --all";

function several(text: string, how: "begin" | "end", words: readonly string[]): UsageError {
  const shown = words.slice(0, 5).join(", ");
  return new UsageError(`Cannot tell which task "${text}" is: several ${how} so (${shown})`, {
    hint: SEE_ALL,
  });
}

async function readRun(
  path: string,
  known: ReadonlyMap<string, TaskStatus>,
  wishes: Wishes,
  mostWaiting: number,
  nowMs: number,
): Promise<{ tasks: TaskStatus[]; moreWaiting: number }> {
  const base = baseOf(path);
  // Asked first: a run that ends while we read has then written all it will write.
  const alive = await isAlive(base);
  const lines = await readLines(path);
  const pid = lines.find(isHeader)?.pid ?? null;
  const tasks = new Map<string, TaskStatus>();
  const begun = new Set(lines.filter(isTaskEvent).map(({ task }) => task));
  const idle = (task: string) => !begun.has(task) && !wishes.tasks.has(task);
  let waiting = 0;
  for (const line of lines) {
    if (isQueued(line)) {
      const { time, queued: { base, tasks: names } } = line;
      for (const [task, name] of names) {
        if (idle(task) && ++waiting > mostWaiting) continue;
        const target = base + name;
        tasks.set(task, { ...begin(task, time, pid, known), name, path: target, target });
      }
    } else if (isTaskEvent(line)) {
      const before = tasks.get(line.task) ?? begin(line.task, line.time, pid, known);
      tasks.set(line.task, fold(before, line));
    }
  }
  const now = await readNow(base);
  const all = Array.from(tasks.values(), (task) => withNow(task, now, nowMs));
  const moreWaiting = alive ? Math.max(0, waiting - mostWaiting) : 0;
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
        percent: percentThere(event.bytes, updated.size),
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
  known: ReadonlyMap<string, TaskStatus>,
): TaskStatus {
  const before = known.get(task);
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
    since: time,
    detail: null,
  };
}

const NO_SEEDS: readonly string[] = [];

function withNow(task: TaskStatus, now: StoredNow | undefined, nowMs: number): TaskStatus {
  // Most only wait, and a copy of each would be the most expensive thing here.
  const moving = now?.tasks.get(task.task);
  if (task.state === "waiting" && moving === undefined) return task;
  const inside = withDetail(task, now, nowMs);
  return withMovement(inside, now, nowMs);
}

/** Of a task that somebody works on; an old file tells no speed any more. */
function withDetail(task: TaskStatus, now: StoredNow | undefined, nowMs: number): TaskStatus {
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

function withMovement(task: TaskStatus, now: StoredNow | undefined, nowMs: number): TaskStatus {
  const moving = now?.tasks.get(task.task);
  const pid = isOver(task.state) ? null : task.pid;
  if (now === undefined || moving === undefined || task.state === "done") return { ...task, pid };
  // The file is replaced while bytes come: an old one means that none do.
  const rate = task.state !== "downloading" || nowMs - now.time > STALE_MS ? 0 : moving.rate;
  const { downloaded, seeds } = moving;
  const missing = (task.size ?? 0) - downloaded;
  const etaMs = rate > 0 && task.size !== null ? Math.round(missing / rate * 1000) : null;
  const percent = percentThere(downloaded, task.size);
  return { ...task, pid, downloaded, rate, seeds, percent, etaMs, updatedAt: now.time };
}

/** What waits has nobody yet who would obey: the wish is as good as the deed. */
function wished(task: TaskStatus, wishes: Wishes): TaskStatus {
  if (task.state !== "waiting") return task;
  const wish = wishes.tasks.get(task.task);
  return wish === undefined ? task : { ...task, state: wish === "pause" ? "paused" : "cancelled" };
}

/** What became of a task whose process is gone: what was begun is kept and goes on with the same command. */
function abandoned(task: TaskStatus): TaskStatus[] {
  if (isOver(task.state)) return [{ ...task, pid: null }];
  return task.state === "waiting"
    ? []
    : [{ ...task, state: "paused", pid: null, rate: 0, etaMs: null }];
}
