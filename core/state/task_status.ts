/** All tasks of this user, put together from the records of all runs. */
import { NotFoundError, UsageError } from "../base/errors.ts";
import { invalidNameReason } from "../base/names.ts";
import { isOver } from "../events.ts";
import { readRuns, statusesOf } from "./run_reader.ts";
import { archiveEndedRuns, TaskArchive } from "./task_archive.ts";
import type { TaskFilter, TaskStatus } from "./status.ts";
import type { Wanted } from "./wanted_lines.ts";
import { type ControlRequests, readControlRequests } from "./control_files.ts";

export type { TaskFilter, TaskStatus };

/**
 * The tasks that are known, oldest first; a later run's word counts. A task that ends meanwhile is
 * found, because records are read before the archive that they move to.
 */
export async function readTasks(
  stateDir: string,
  nowMs: number,
  archived: TaskFilter = "all",
): Promise<TaskStatus[]> {
  return (await readSome(stateDir, nowMs, archived, Infinity)).tasks;
}

/** What is not over, without the tail of a long queue. */
export interface Overview {
  readonly tasks: readonly TaskStatus[];
  /** Waiting tasks beside those. */
  readonly moreWaiting: number;
}

/** As `readTasks`, but of the tasks of a run that only wait no more than `maxWaiting`: a hundred thousand take their time. */
export async function readOverview(
  stateDir: string,
  nowMs: number,
  maxWaiting: number,
  archived: TaskFilter = "paused",
): Promise<Overview> {
  return await readSome(stateDir, nowMs, archived, maxWaiting);
}

async function readSome(
  stateDir: string,
  nowMs: number,
  archived: TaskFilter,
  maxWaiting: number,
): Promise<{ tasks: TaskStatus[]; moreWaiting: number }> {
  await archiveEndedRuns(stateDir, nowMs);
  const wishes = await readControlRequests(stateDir);
  const runs = await readRuns(stateDir, wantedBy(archived));
  using archive = TaskArchive.open(stateDir);
  const tasks = new Map(archive?.tasks(archived).map((each) => [each.status.task, each]));
  let moreWaiting = 0;
  const known = (task: string) => tasks.get(task)?.status ?? archive?.task(task)?.status;
  for (const run of runs) {
    const told = statusesOf(run, { nowMs, wishes, maxWaiting, known });
    moreWaiting += told.moreWaiting;
    for (const status of told.tasks) {
      const { task } = status;
      // It goes on in another process, and this one is archived already.
      if ((tasks.get(task)?.startedAt ?? -Infinity) > run.startedAt) continue;
      // The newest run of a task puts it last.
      tasks.delete(task);
      tasks.set(task, { status, startedAt: run.startedAt });
    }
  }
  const wantsDone = archived !== "paused" && archived !== "unfinished";
  const inOrder = Array.from(tasks.values())
    .filter(({ status }) => wantsDone || status.state !== "done")
    .sort((a, b) => a.startedAt - b.startedAt);
  return { tasks: inOrder.map(({ status }) => withWish(status, wishes)), moreWaiting };
}

function wantedBy(archived: TaskFilter): Wanted | undefined {
  if (archived === "paused" || archived === "unfinished") return "unfinished";
  if (archived === "all" || !("named" in archived)) return undefined;
  const { named } = archived;
  return (task, name) => name === named || name.endsWith(`/${named}`) || task.startsWith(named);
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
  const fault = invalidNameReason(text);
  if (fault !== undefined) {
    throw new UsageError(`Cannot find task "${text}": as a file name, ${fault}`, {
      problem: "task-unknown",
    });
  }
  throw new NotFoundError(`Cannot find task "${text}"`, { problem: "task-unknown" });
}

function several(text: string, how: "begin" | "end", words: readonly string[]): UsageError {
  const shown = words.slice(0, 5).join(", ");
  return new UsageError(`Cannot tell which task "${text}" is: several ${how} so (${shown})`, {
    problem: "task-unknown",
  });
}

/** What the user has asked of it from outside. */
function withWish(task: TaskStatus, wishes: ControlRequests): TaskStatus {
  const wish = wishes.tasks.get(task.task);
  // No process acts on a task that only waits: the request is shown as applied.
  const state = task.state !== "waiting" || wish === undefined
    ? task.state
    : wish === "pause"
    ? "paused"
    : "cancelled";
  if (state !== "paused") return state === task.state ? task : { ...task, state };
  // A process pauses a task only when the user asks for it; one that ends leaves it paused as well.
  const pausedBy = task.pid !== null || wish === "pause" ? "user" : "interrupt";
  return { ...task, state, pausedBy };
}
