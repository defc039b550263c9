/** Many tasks, at most so many at a time, in the order given, one outcome each. */
import type { Semaphore } from "../base/semaphore.ts";
import { TaskGroup } from "../base/task_group.ts";

export interface QueueRunner<Item, Outcome> {
  /** Runs one item, whose slot it frees; does not throw. */
  run(item: Item, slot: Disposable, signal: AbortSignal): Promise<Outcome>;
  /** The outcome of one whose turn did not come. */
  skipped(item: Item): Outcome;
}

/** Runs every item with a slot of its own, until `signal` aborts; then the rest is skipped. */
export async function runQueue<Item, Outcome>(
  items: readonly Item[],
  slots: Semaphore,
  runner: QueueRunner<Item, Outcome>,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const outcomes = new Map<Item, Outcome>();
  await using tasks = new TaskGroup(signal);
  for (const item of items) {
    // Only the head of the queue waits for a slot; the others have not begun.
    const slot = await slots.acquire(signal).catch(() => undefined);
    if (slot === undefined) break;
    tasks.spawn(async (signal) => {
      outcomes.set(item, await runner.run(item, slot, signal));
    });
  }
  await tasks.join();
  return items.map((item) => outcomes.get(item) ?? runner.skipped(item));
}
