/** Which tasks are downloads still, as people see them. */
import { isOver } from "../events.ts";
import { type Overview, readOverview, readTasks, type TaskStatus } from "../state/task_status.ts";
import { hasPartial } from "../store/partial.ts";

/** Every task that is known, oldest first; those that are over only with `all`. */
export async function tasks(
  stateDir: string,
  nowMs: number,
  { all }: { readonly all: boolean },
): Promise<TaskStatus[]> {
  const known = await readTasks(stateDir, nowMs, { all });
  return all ? known : known.filter(isUnfinished);
}

/** As `tasks`, but of a long queue only its beginning; with `all` also what is over. */
export async function overview(
  stateDir: string,
  nowMs: number,
  mostWaiting: number,
  { all }: { readonly all: boolean },
): Promise<Overview> {
  const known = await readOverview(stateDir, nowMs, mostWaiting, { all });
  const tasks = known.tasks.filter((task) => (all && isOver(task.state)) || isUnfinished(task));
  return { ...known, tasks };
}

/** What nobody works on and has nothing to go on from is no download any more. */
function isUnfinished({ state, pid, path }: TaskStatus): boolean {
  return !isOver(state) && (pid !== null || hasPartial(path));
}
