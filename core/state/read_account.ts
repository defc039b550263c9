/** Where a task's time went, read from what its last run said of it, whether that run lives or not. */
import type { TimeReport } from "../progress/snapshots.ts";
import { STALE_MS } from "./run_files.ts";
import { readRuns, type TaskRun, taskRunsOf } from "./run_reader.ts";
import { TaskArchive } from "./task_archive.ts";

/** The last run that had the task; undefined when no record tells of it. */
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
  // Looked at last: what was in no record by then has been archived.
  using archive = TaskArchive.open(stateDir);
  return archive?.taskRun(task);
}

/** While nothing happens nobody writes: what it waits for goes on. */
function untilNow(account: TimeReport, nowMs: number): TimeReport {
  const { now, at, spent } = account;
  if (now === null || nowMs <= at) return account;
  const went = nowMs - at;
  // It is written while bytes come: an old one means that none do.
  const seeds = account.seeds.map((seed) => went > STALE_MS ? { ...seed, rate: 0 } : seed);
  return { ...account, seeds, at: nowMs, spent: { ...spent, [now]: (spent[now] ?? 0) + went } };
}
