/**
 * Limits the size of all logs together: old ones are removed, then the oldest until the rest is small
 * enough. Runs beside a download, in small steps and rarely, because looking at a hundred thousand
 * files takes seconds.
 */
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { filesIn, ignoringErrors, PRIVATE_FILE, statOf } from "./state_files.ts";
import { logsFolder } from "./task_log.ts";

const MAX_LOG_AGE_MS = 30 * 24 * 3600 * 1000;
const MAX_LOG_BYTES = 200 * 1024 * 1024;
/** Hourly is enough: logs cannot fill the disk within an hour. */
const SWEEP_INTERVAL_MS = 3600 * 1000;
/** Its modification time is that of the last sweep. */
const SWEPT_FILE = ".swept";
/** A step takes some milliseconds; other work runs between steps. */
const STEP_FILES = 500;

interface LogFile {
  readonly path: string;
  readonly bytes: number;
  readonly writtenAt: number;
}

/**
 * Removes surplus logs, except those of `running` tasks. Files that cannot be removed stay.
 *
 * @throws the signal's reason if it aborts; the next run then starts over.
 */
export async function removeOldLogs(
  stateDir: string,
  running: ReadonlySet<string>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const folder = logsFolder(stateDir);
  const swept = join(folder, SWEPT_FILE);
  const startedAt = clock.wallTime();
  const sweptAt = statOf(swept)?.mtime?.getTime() ?? -Infinity;
  if (Math.abs(startedAt - sweptAt) < SWEEP_INTERVAL_MS) return;
  const logs = await sweepByAge(folder, running, clock, signal);
  let bytes = logs.reduce((sum, log) => sum + log.bytes, 0);
  for (const [i, log] of logs.toSorted((a, b) => a.writtenAt - b.writtenAt).entries()) {
    if (bytes <= MAX_LOG_BYTES) break;
    if (i % STEP_FILES === STEP_FILES - 1) await clock.sleep(0, signal);
    if (removeUnchanged(log)) bytes -= log.bytes;
  }
  ignoringErrors(() => {
    Deno.writeTextFileSync(swept, "", { mode: PRIVATE_FILE });
    Deno.utimeSync(swept, startedAt / 1000, startedAt / 1000);
  });
}

/** Removes old logs as it finds them, so that interrupted sweeps make progress too. @returns the others. */
async function sweepByAge(
  folder: string,
  running: ReadonlySet<string>,
  clock: Clock,
  signal: AbortSignal,
): Promise<LogFile[]> {
  const logs: LogFile[] = [];
  const oldest = clock.wallTime() - MAX_LOG_AGE_MS;
  let seen = 0;
  for await (const { name } of filesIn(folder)) {
    if (++seen % STEP_FILES === 0) await clock.sleep(0, signal);
    const [task, ending] = name.split(/\.(?=jsonl(?:\.1)?$)/);
    if (ending === undefined || running.has(task!)) continue;
    const path = join(folder, name);
    const stat = statOf(path);
    if (!stat?.isFile) continue;
    const log = { path, bytes: stat.size, writtenAt: stat.mtime?.getTime() ?? 0 };
    if (log.writtenAt >= oldest || !removeUnchanged(log)) logs.push(log);
  }
  return logs;
}

/** A task may have continued its log in the meantime. @returns whether the file is gone. */
function removeUnchanged({ path, writtenAt }: LogFile): boolean {
  const stat = statOf(path);
  if (stat && stat.mtime?.getTime() !== writtenAt) return false;
  return ignoringErrors(() => Deno.removeSync(path));
}
