/** Many tasks, at most so many at a time, in the order given, one outcome each. */
import type { Slots } from "../base/slots.ts";
import { TaskGroup } from "../base/task_group.ts";

/**
 * Runs `run` for every item, taking a slot for each. `run` does not throw: what
 * it returns is the item's outcome, and `skipped` is that of one whose turn did
 * not come before `signal` aborted.
 */
export async function runQueue<Item, Outcome>(
  items: readonly Item[],
  slots: Slots,
  run: (item: Item, signal: AbortSignal) => Promise<Outcome>,
  skipped: (item: Item) => Outcome,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const outcomes = new Map<Item, Outcome>();
  await using tasks = new TaskGroup(signal);
  for (const item of items) {
    // One waits at the head of the queue; the others have not begun.
    const slot = await slots.take(signal).catch(() => undefined);
    if (slot === undefined) break;
    tasks.spawn(async (signal) => {
      using _slot = slot;
      outcomes.set(item, await run(item, signal));
    });
  }
  await tasks.join();
  return items.map((item) => outcomes.get(item) ?? skipped(item));
}
