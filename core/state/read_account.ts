/** Where a task's time went, read from the record of its last run, whether that run lives or not. */
import type { Account } from "./accounting.ts";
import {
  isAccount,
  isHeader,
  isQueued,
  isTaskEvent,
  limitsOf,
  type RunLimits,
} from "./record_shape.ts";
import { baseOf, readLines, readNow, runsOf, STALE_MS } from "./run_files.ts";
import { isAlive } from "./run_lock.ts";

export interface LastRun {
  /** null where the run ended before it could tell, or the task only waits. */
  readonly account: Account | null;
  /** null where a record does not tell them. */
  readonly limits: RunLimits | null;
  /** When the task was queued, ms since 1970. */
  readonly queuedAt: number;
}

/** The last run that had the task; undefined when no record tells of it. */
export async function readLastRun(
  stateDir: string,
  task: string,
  nowMs: number,
): Promise<LastRun | undefined> {
  const paths = await runsOf(stateDir, true);
  for (const path of paths.toReversed()) {
    const run = await readRun(path, task, nowMs);
    if (run !== undefined) return run;
  }
  return undefined;
}

async function readRun(path: string, task: string, nowMs: number): Promise<LastRun | undefined> {
  const base = baseOf(path);
  const alive = await isAlive(base);
  const lines = await readLines(path);
  const first = lines.find((line) => tellsOf(line, task));
  if (first === undefined) return undefined;
  const closing = lines.findLast((line) =>
    isTaskEvent(line) && line.task === task && "account" in line
  );
  const told = Object(closing).account ?? (await readNow(base))?.accounts.get(task);
  const account = isAccount(told) ? told : null;
  return {
    account: account && alive ? untilNow(account, nowMs) : account,
    limits: limitsOf(lines.find(isHeader)) ?? null,
    queuedAt: Number(Object(first).time),
  };
}

function tellsOf(line: object, task: string): boolean {
  if (isQueued(line)) return line.queued.tasks.some(([id]) => id === task);
  return isTaskEvent(line) && line.task === task;
}

/** While nothing happens nobody writes: what it waits for goes on. */
function untilNow(account: Account, nowMs: number): Account {
  const { now, at, spent } = account;
  if (now === null || nowMs <= at) return account;
  const went = nowMs - at;
  // It is written while bytes come: an old one means that none do.
  const seeds = account.seeds.map((seed) => went > STALE_MS ? { ...seed, rate: 0 } : seed);
  return { ...account, seeds, at: nowMs, spent: { ...spent, [now]: (spent[now] ?? 0) + went } };
}
