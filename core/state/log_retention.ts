/**
 * All logs together are bounded: those that nobody wrote to for long go, and
 * then the oldest, until the rest is small enough. It is done beside a download,
 * in small steps, and seldom: to look at a hundred thousand files takes seconds.
 */
import { join } from "@std/path";
import type { Clock } from "../base/clock.ts";
import { filesIn, PRIVATE_FILE } from "./folders.ts";
import { logsFolder } from "./task_log.ts";

const MAX_LOG_AGE_MS = 30 * 24 * 3600 * 1000;
const MAX_LOG_BYTES = 200 * 1024 * 1024;
/** The bound is for a disk, which no hour fills. */
const SWEEP_INTERVAL_MS = 3600 * 1000;
/** The file whose time says when it was done last. */
const SWEPT = ".swept";
/** A step takes some milliseconds; after each, the downloads have their turn. */
const STEP_FILES = 500;

interface Log {
  readonly path: string;
  readonly bytes: number;
  readonly writtenAt: number;
}

/**
 * Removes what is too much, but for the logs of `running` tasks. What cannot be removed stays.
 *
 * @throws the signal's reason if it aborts; the next one begins anew.
 */
export async function removeOldLogs(
  stateDir: string,
  running: ReadonlySet<string>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const folder = logsFolder(stateDir);
  const startedAt = clock.wallTime();
  const sweptAt = statOf(join(folder, SWEPT))?.mtime?.getTime() ?? -Infinity;
  if (Math.abs(startedAt - sweptAt) < SWEEP_INTERVAL_MS) return;
  const logs = await youngLogs(folder, running, clock, signal);
  let bytes = logs.reduce((sum, log) => sum + log.bytes, 0);
  for (const [i, log] of logs.toSorted((a, b) => a.writtenAt - b.writtenAt).entries()) {
    if (bytes <= MAX_LOG_BYTES) break;
    if (i % STEP_FILES === STEP_FILES - 1) await clock.sleep(0, signal);
    if (removeUnchanged(log)) bytes -= log.bytes;
  }
  await Deno.writeTextFile(join(folder, SWEPT), "", { mode: PRIVATE_FILE }).catch(() => {});
  await Deno.utime(join(folder, SWEPT), startedAt / 1000, startedAt / 1000).catch(() => {});
}

/** Removes the old ones as it meets them, so that looks that are cut short come to an end together. */
async function youngLogs(
  folder: string,
  running: ReadonlySet<string>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Log[]> {
  const logs: Log[] = [];
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

/** A task may have gone on with its log since we looked. @returns whether it is gone. */
function removeUnchanged({ path, writtenAt }: Log): boolean {
  const stat = statOf(path);
  if (stat && stat.mtime?.getTime() !== writtenAt) return false;
  try {
    Deno.removeSync(path);
    return true;
  } catch {
    return false;
  }
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}
