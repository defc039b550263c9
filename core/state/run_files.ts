/** The files of all runs: where they are, what is in them, and when they go. */
import { join } from "@std/path";
import { type StoredNow, storedNowOf } from "./record_shape.ts";
import { isAlive } from "./run_lock.ts";

export const RECORD_SUFFIX = ".jsonl";
/** A record in which every task is done: who looks for what is unfinished need not read it. A cancelled one must be read, or an older record would have the last word on what it left. */
export const OVER_SUFFIX = ".over.jsonl";
export const NOW_SUFFIX = ".now";

/** Three beats of the record: who has written nothing for longer has nothing to tell. */
export const STALE_MS = 1500;

/** Records of runs that ended so long ago are removed. */
const KEEP_MS = 30 * 24 * 3600 * 1000;

export function runsFolder(stateDir: string): string {
  return join(stateDir, "runs");
}

/** The paths of the runs' records, oldest first; those that are over only with `all`. */
export async function runsOf(stateDir: string, all: boolean): Promise<string[]> {
  const folder = runsFolder(stateDir);
  const names: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile && name.endsWith(RECORD_SUFFIX) && (all || !name.endsWith(OVER_SUFFIX))) {
        names.push(name);
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const startOf = (name: string) => Number(name.split("-")[0]);
  return names.sort((a, b) => startOf(a) - startOf(b)).map((name) => join(folder, name));
}

/** The path of a record without its suffix. */
export function baseOf(path: string): string {
  const suffix = path.endsWith(OVER_SUFFIX) ? OVER_SUFFIX : RECORD_SUFFIX;
  return path.slice(0, -suffix.length);
}

/** The lines that are whole; what a crash tore is passed over. */
export async function readLines(path: string): Promise<object[]> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").slice(0, -1).flatMap((line) => {
    try {
      return [Object(JSON.parse(line))];
    } catch {
      return [];
    }
  });
}

export async function readNow(base: string): Promise<StoredNow | undefined> {
  try {
    return storedNowOf(JSON.parse(await Deno.readTextFile(base + NOW_SUFFIX)));
  } catch {
    return undefined;
  }
}

/** Removes what ended long ago; what cannot be removed stays. */
export async function forgetOldRuns(stateDir: string, nowMs: number): Promise<void> {
  const folder = runsFolder(stateDir);
  for await (const { name } of Deno.readDir(folder)) {
    const startedAt = Number(name.split("-")[0]);
    if (!(nowMs - startedAt > KEEP_MS)) continue;
    if (await isAlive(join(folder, name.split(".")[0]!))) continue;
    await Deno.remove(join(folder, name)).catch(() => {});
  }
}

/** Whether a run was here: its lock is gone when it has ended, its record is not. */
export async function hasRecord(base: string): Promise<boolean> {
  for (const suffix of [RECORD_SUFFIX, OVER_SUFFIX]) {
    if (await Deno.lstat(base + suffix).then(() => true, () => false)) return true;
  }
  return false;
}
