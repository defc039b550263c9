/** The files of all runs: where they are, what is in them, and when they go. */
import { basename, join } from "@std/path";
import { filesIn, LOCK_SUFFIX } from "./folders.ts";
import { storedNowOf, type StoredSnapshot } from "./record_shape.ts";
import { isAlive } from "./run_lock.ts";

export const RECORD_SUFFIX = ".jsonl";
/** Version 0.1.0 gave this name to a record in which every task is done. */
const OVER_SUFFIX = ".over.jsonl";
export const NOW_SUFFIX = ".now";

/** Three beats of the record: who has written nothing for longer has nothing to tell. */
export const STALE_MS = 1500;

/** Records of runs that began longer ago than this are removed, and so are their tasks in the archive. */
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

/** When the run of a record or of another file of its began, as its name says; NaN where it does not. */
export function startOf(path: string): number {
  return Number(basename(path).split("-")[0]);
}

/** The path of a record without its suffix. */
export function baseOf(path: string): string {
  const suffix = path.endsWith(OVER_SUFFIX) ? OVER_SUFFIX : RECORD_SUFFIX;
  return path.slice(0, -suffix.length);
}

/** The text of a record; "" where there is none. */
export async function readRecord(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch(() => "");
}

/** The lines that are whole; what a crash tore is passed over. */
export function linesIn(text: string): object[] {
  return text.split("\n").slice(0, -1).flatMap((line) => {
    try {
      return [Object(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

export async function readNow(base: string): Promise<StoredSnapshot | undefined> {
  try {
    return storedNowOf(JSON.parse(await Deno.readTextFile(base + NOW_SUFFIX)));
  } catch {
    return undefined;
  }
}

/** Removes what ended long ago; what cannot be removed stays. */
export async function removeOldRuns(stateDir: string, nowMs: number): Promise<void> {
  const folder = runsFolder(stateDir);
  for await (const { name } of filesIn(folder)) {
    if (!(nowMs - startOf(name) > MAX_RUN_AGE_MS)) continue;
    if (await isAlive(join(folder, name.split(".")[0]!))) continue;
    await Deno.remove(join(folder, name)).catch(() => {});
  }
}

/** Removes all files of a run that has ended. What cannot be removed stays. */
export function removeRun(path: string): void {
  const base = baseOf(path);
  for (const file of [path, base + NOW_SUFFIX, base + LOCK_SUFFIX]) {
    try {
      Deno.removeSync(file);
    } catch {
      // It is gone, or a later command tries again.
    }
  }
}

/** Whether a run was here: its lock is gone when it has ended, its record is not. */
export async function hasRecord(base: string): Promise<boolean> {
  for (const suffix of [RECORD_SUFFIX, OVER_SUFFIX]) {
    if (await Deno.lstat(base + suffix).then(() => true, () => false)) return true;
  }
  return false;
}
