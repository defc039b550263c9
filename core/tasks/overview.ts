/** Which tasks are downloads still, as people see them. */
import { isOver } from "../events.ts";
import { type Overview, readOverview, readTasks } from "../state/read_tasks.ts";
import { taskNamed, type TaskStatus } from "../state/task_status.ts";
import { hasPartial, type QuarantinedPart, quarantinedPartsIn } from "../store/partials.ts";
import { dirname } from "@std/path";

/** Every task that is known, oldest first; those that are over only with `all`. */
export async function tasks(
  stateDir: string,
  nowMs: number,
  { all }: { readonly all: boolean },
): Promise<TaskStatus[]> {
  const known = await readTasks(stateDir, nowMs, all ? "all" : "paused");
  return all ? known : known.filter(isUnfinished);
}

/** As `tasks`, but of a long queue only its beginning; with `all` also what is over. */
export async function overview(
  stateDir: string,
  nowMs: number,
  maxWaiting: number,
  { all }: { readonly all: boolean },
): Promise<Overview> {
  const known = await readOverview(stateDir, nowMs, maxWaiting, all ? "all" : "paused");
  const tasks = known.tasks.filter((task) => (all && isOver(task.state)) || isUnfinished(task));
  return { ...known, tasks };
}

/** Parts of other contents that were set aside in the folders of all known tasks. */
export async function asides(stateDir: string, nowMs: number): Promise<QuarantinedPart[]> {
  const known = await readTasks(stateDir, nowMs, "all");
  const folders = new Set(known.flatMap(({ target, path }) => [dirname(target), dirname(path)]));
  return Array.from(folders).sort().flatMap(quarantinedPartsIn);
}

/** The task that `text` means; see `taskNamed`. */
export async function findTask(stateDir: string, text: string, nowMs: number): Promise<TaskStatus> {
  return taskNamed(await readTasks(stateDir, nowMs, { named: text }), text, isUnfinished);
}

/** The tasks whose id or name begins with `text`, the newest of many; those that are over only with `all`. */
export async function tasksBeginning(
  stateDir: string,
  text: string,
  nowMs: number,
  { all }: { readonly all: boolean },
): Promise<TaskStatus[]> {
  const known = await readTasks(stateDir, nowMs, all ? { beginning: text } : "paused");
  return known.filter((each) =>
    (all || isUnfinished(each)) && (each.task.startsWith(text) || each.name.startsWith(text))
  );
}

/** A task without a process and without a part file is not a download any more. */
export function isUnfinished({ state, pid, path }: TaskStatus): boolean {
  return !isOver(state) && (pid !== null || hasPartial(path));
}
