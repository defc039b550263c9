/** Too many open files: the task leaves its place to those that run, and tries again. */
import type { Semaphore } from "../base/semaphore.ts";
import { OutOfDescriptorsError } from "../store/disk.ts";
import type { TaskContext } from "./task_context.ts";

const RETRY_MS = 1000;

/**
 * Runs `attempt` until it ends for another reason than a lack of descriptors. Each lack reduces the
 * number of tasks at a time to those that run without this one.
 *
 * @throws {OutOfDescriptorsError} after `giveUpMs` without a descriptor. @throws what the attempt throws.
 */
export async function waitForDescriptors<Result>(
  attempt: () => Promise<Result>,
  slots: Semaphore,
  { permit, clock, settings, emit }: Pick<TaskContext, "permit" | "clock" | "settings" | "emit">,
  signal: AbortSignal,
): Promise<Result> {
  let since: number | undefined;
  for (;;) {
    const startedAt = clock.now();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof OutOfDescriptorsError) || signal.aborted) throw error;
      const now = clock.now();
      // An attempt that ran for a while had descriptors: this is another lack.
      if (since === undefined || now - startedAt > settings.giveUpMs) since = now;
      if (now - since >= settings.giveUpMs) throw error;
      permit.release();
      slots.resize(Math.max(1, slots.size - slots.available));
      emit({
        kind: "note",
        level: "info",
        text: `${error.message}; waits until others are closed`,
      });
      emit({ kind: "state", state: "waiting" });
      await clock.sleep(RETRY_MS, signal);
      await permit.acquire(signal);
    }
  }
}
