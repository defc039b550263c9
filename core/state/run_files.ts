/** The files of all runs: record, snapshot and lock of each; where they are and when they are removed. */
import { basename, join } from "node:path";
import { filesIn, ignoringErrors, PRIVATE_FILE } from "./state_files.ts";
import { type StoredSnapshot, storedSnapshotOf } from "./record_shape.ts";

export const RECORD_SUFFIX = ".jsonl";
/** Version 0.1.0 gave this name to a record in which every task is done. */
const OVER_SUFFIX = ".over.jsonl";
export const SNAPSHOT_SUFFIX = ".now";
const LOCK_SUFFIX = ".lock";

/** Three snapshot intervals: rates in an older snapshot are outdated. */
export const STALE_MS = 1500;
/** Records of runs that began earlier are removed, and so are their tasks in the archive. */
export const MAX_RUN_AGE_MS = 30 * 24 * 3600 * 1000;

export function runsFolder(stateDir: string): string {
  return join(stateDir, "runs");
}

/** The paths of the runs' records, oldest first. */
export async function runsOf(stateDir: string): Promise<string[]> {
  const folder = runsFolder(stateDir);
  const paths: string[] = [];
  for await (const { name, isFile } of filesIn(folder)) {
    if (isFile && name.endsWith(RECORD_SUFFIX)) paths.push(join(folder, name));
  }
  return paths.sort((a, b) => startOf(a) - startOf(b));
}

/** When the run of a file began, as its name says; NaN if it does not. */
export function startOf(path: string): number {
  return Number(basename(path).split("-")[0]);
}

/** The path of a record without its suffix. */
export function baseOf(path: string): string {
  return path.slice(0, -(path.endsWith(OVER_SUFFIX) ? OVER_SUFFIX : RECORD_SUFFIX).length);
}

/** The text of a record; "" where there is none. */
export async function readRecord(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch(() => "");
}

/** The complete lines; those that a crash left incomplete or damaged are skipped. */
export function linesIn(text: string): object[] {
  return text.split("\n").slice(0, -1).flatMap((line) => {
    try {
      return [Object(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

export async function readSnapshot(base: string): Promise<StoredSnapshot | undefined> {
  try {
    return storedSnapshotOf(JSON.parse(await Deno.readTextFile(base + SNAPSHOT_SUFFIX)));
  } catch {
    return undefined;
  }
}

/** Removes the files of runs that ended long ago. Files that cannot be removed stay. */
export async function removeOldRuns(stateDir: string, nowMs: number): Promise<void> {
  const folder = runsFolder(stateDir);
  for await (const { name } of filesIn(folder)) {
    if (!(nowMs - startOf(name) > MAX_RUN_AGE_MS)) continue;
    if (await isAlive(join(folder, name.split(".")[0]!))) continue;
    await Deno.remove(join(folder, name)).catch(() => {});
  }
}

/** Removes all files of a run that has ended. Files that cannot be removed stay. */
export function removeRun(path: string): void {
  const base = baseOf(path);
  for (const file of [path, base + SNAPSHOT_SUFFIX, base + LOCK_SUFFIX]) {
    ignoringErrors(() => Deno.removeSync(file));
  }
}

/** Held by the process of a run as long as it lives. */
export interface RunLock {
  /** Unique among the runs of the process. */
  readonly startedAt: number;
  /** The path of the run's files without their suffixes. */
  readonly base: string;
  readonly file: Deno.FsFile;
}

/**
 * Creates the lock of a new run. A process may begin several runs in one millisecond, and earlier ones
 * may have ended: then the start of the new run is moved to the next free millisecond.
 */
export async function lockRun(folder: string, pid: number, startedAt: number): Promise<RunLock> {
  for (;; startedAt++) {
    const base = join(folder, `${startedAt}-${pid}`);
    try {
      const options = { createNew: true, write: true, mode: PRIVATE_FILE };
      const file = await Deno.open(base + LOCK_SUFFIX, options);
      await file.lock(true);
      const lock = { startedAt, base, file };
      if (!await hasRecord(base)) return lock;
      await releaseRun(lock);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/** The last step of a run. */
export async function releaseRun({ base, file }: RunLock): Promise<void> {
  file.close();
  await Deno.remove(base + LOCK_SUFFIX).catch(() => {});
}

/** Whether the process of a run holds its lock: it does until it ends, even if it is killed. */
export async function isAlive(base: string): Promise<boolean> {
  try {
    using lock = await Deno.open(base + LOCK_SUFFIX, { read: true });
    // Shared, so that two readers do not take each other for the process.
    return !lock.tryLockSync(false);
  } catch {
    return false;
  }
}

async function hasRecord(base: string): Promise<boolean> {
  for (const suffix of [RECORD_SUFFIX, OVER_SUFFIX]) {
    if (await Deno.lstat(base + suffix).then(() => true, () => false)) return true;
  }
  return false;
}
