/** Where a task's time went, read from the record of its last run, whether that run lives or not. */
import { isTaskEvent } from "./record_shape.ts";
import { type Account, SPANS } from "./accounting.ts";
import { isAlive, type RunHeader, type RunLimits } from "./run_record.ts";
import { baseOf, isHeader, isQueued, readLines, readNow, runsOf, STALE_MS } from "./task_status.ts";

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
  const header: RunHeader | undefined = lines.find(isHeader);
  const closing = lines.findLast((line) =>
    isTaskEvent(line) && line.task === task && "account" in line
  );
  const told = Object(closing).account ?? (await readNow(base))?.accounts?.[task];
  const account = isAccount(told) ? told : null;
  return {
    account: account && alive ? untilNow(account, nowMs) : account,
    limits: limitsOf(header),
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

/** A record may be of another version, or edited. */
function isAccount(value: unknown): value is Account {
  const { spent, now, at, hashMs, diskMs, seeds } = Object(value) as Record<string, unknown>;
  return [at, hashMs, diskMs, ...Object.values(Object(spent))].every(isNumber) &&
    (now === null || SPANS.some((span) => span === now)) && Array.isArray(seeds) &&
    seeds.every(isSeed);
}

function isSeed(value: unknown): boolean {
  const { seed, standing, reason, ...counts } = Object(value) as Record<string, unknown>;
  const { bytes, rate, failures, corrupt } = counts;
  return typeof seed === "string" && typeof standing === "string" &&
    (reason === null || typeof reason === "string") &&
    [bytes, rate, failures, corrupt].every(isNumber);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function limitsOf(header: RunHeader | undefined): RunLimits | null {
  const { max, limit, taskLimit } = Object(header?.limits) as Record<string, unknown>;
  const isLimit = (value: unknown): value is number | null => value === null || isNumber(value);
  return isNumber(max) && isLimit(limit) && isLimit(taskLimit) ? { max, limit, taskLimit } : null;
}
