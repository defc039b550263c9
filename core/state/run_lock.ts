/** The lock that tells whether the process of a run lives. */
import { join } from "@std/path";
import { LOCK_SUFFIX, PRIVATE_FILE } from "./folders.ts";

export interface RunLock {
  /** When the run began: no other one of the process has it. */
  readonly startedAt: number;
  /** The path of the run's files without their suffixes. */
  readonly base: string;
  readonly file: Deno.FsFile;
}

/** A process may begin two runs in one millisecond: the second one is taken to have begun in the next. */
export async function lockRun(
  folder: string,
  pid: number,
  startedAt: number,
): Promise<RunLock> {
  try {
    const base = join(folder, `${startedAt}-${pid}`);
    const file = await Deno.open(base + LOCK_SUFFIX, {
      createNew: true,
      write: true,
      mode: PRIVATE_FILE,
    });
    await file.lock(true);
    return { startedAt, base, file };
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return await lockRun(folder, pid, startedAt + 1);
  }
}

/** The last thing that a run does. */
export async function releaseRun({ base, file }: RunLock): Promise<void> {
  file.close();
  await Deno.remove(base + LOCK_SUFFIX).catch(() => {});
}

/** Whether the run's process holds its lock: it does as long as it lives, however it dies. */
export async function isAlive(base: string): Promise<boolean> {
  try {
    using lock = await Deno.open(base + LOCK_SUFFIX, { read: true });
    // Shared, so that two who look at the same time do not take each other for the process.
    return !lock.tryLockSync(false);
  } catch {
    return false;
  }
}
