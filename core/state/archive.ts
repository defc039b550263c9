/** Access to the archive of tasks. SQLite is loaded only where there is one, or many runs have ended. */
import { baseOf, isAlive, runsOf, startOf } from "./run_files.ts";
import { readRun } from "./run_reader.ts";
import { archivePath, statOf } from "./state_files.ts";
import type { TaskArchive } from "./task_archive.ts";

/** Up to this many records stay, because a transaction takes as long as reading some of them. */
const MAX_ENDED_RUNS = 50;
const MAX_ENDED_BYTES = 1024 * 1024;
/** Limits the records that are moved in one transaction. */
const MAX_BATCH_BYTES = 8 * 1024 * 1024;

/** undefined if there is no archive that can be read. */
export async function openArchive(stateDir: string): Promise<TaskArchive | undefined> {
  if (!statOf(archivePath(stateDir))?.isFile) return undefined;
  const { TaskArchive } = await import("./task_archive.ts");
  return TaskArchive.open(stateDir);
}

/** Moves the records of runs that have ended to the archive, if there are many. Records that cannot be moved stay. */
export async function archiveEndedRuns(stateDir: string, nowMs: number): Promise<void> {
  const ended = await endedRunsOf(stateDir);
  const bytes = ended.reduce((sum, run) => sum + run.bytes, 0);
  if (ended.length <= MAX_ENDED_RUNS && bytes <= MAX_ENDED_BYTES) return;
  try {
    const { TaskArchive } = await import("./task_archive.ts");
    using archive = TaskArchive.create(stateDir);
    for (let from = 0, to = 0; from < ended.length; from = to) {
      let batchBytes = 0;
      while (to < ended.length && batchBytes < MAX_BATCH_BYTES) batchBytes += ended[to++]!.bytes;
      const runs = ended.slice(from, to).map(({ path }) => readRun(path));
      archive.add(await Promise.all(runs), nowMs);
    }
    archive.removeOld(nowMs);
  } catch {
    // The disk is full or read-only, or another process is moving them.
  }
}

/** Oldest first. Files whose names have no start time are not records of p2p. */
async function endedRunsOf(stateDir: string): Promise<{ path: string; bytes: number }[]> {
  const ended: { path: string; bytes: number }[] = [];
  for (const path of await runsOf(stateDir)) {
    if (!Number.isSafeInteger(startOf(path)) || await isAlive(baseOf(path))) continue;
    const stat = statOf(path);
    if (stat?.isFile) ended.push({ path, bytes: stat.size });
  }
  return ended;
}
