/** Runs tasks in their order, as many at a time as there are permits. */
import type { Semaphore } from "../base/semaphore.ts";
import { TaskGroup } from "../base/task_group.ts";

/** The right of a task to run: released while it has nothing to do, taken again ahead of tasks that have not begun. */
export class Permit implements Disposable {
  readonly #slots: Semaphore;
  #slot: Disposable | undefined;
  #acquiring: Promise<void> | undefined;

  constructor(slots: Semaphore, slot?: Disposable) {
    this.#slots = slots;
    this.#slot = slot;
  }

  get held(): boolean {
    return this.#slot !== undefined;
  }

  /** Lets the next task run. */
  release(): void {
    this.#slot?.[Symbol.dispose]();
    this.#slot = undefined;
  }

  /** Waits at the front of the queue, unless the permit is held. @throws the signal's reason if it aborts. */
  async acquire(signal: AbortSignal): Promise<void> {
    if (this.held) return;
    this.#acquiring ??= this.#slots.acquire(signal, "front")
      .then((slot) => void (this.#slot = slot))
      .finally(() => this.#acquiring = undefined);
    await this.#acquiring;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

export interface QueueRunner<Item, Outcome> {
  /** Runs one item and frees its slot; does not throw. */
  run(item: Item, slot: Disposable, signal: AbortSignal): Promise<Outcome>;
  /** The outcome of an item that was not run. */
  skipped(item: Item): Outcome;
}

/** Runs every item with a slot of its own, until `signal` aborts; the rest is skipped. */
export async function runQueue<Item, Outcome>(
  items: readonly Item[],
  slots: Semaphore,
  runner: QueueRunner<Item, Outcome>,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const outcomes = new Map<Item, Outcome>();
  await using tasks = new TaskGroup(signal);
  for (const item of items) {
    // Only the first item waits for a slot; the others have not begun.
    const slot = await slots.acquire(signal).catch(() => undefined);
    if (slot === undefined) break;
    tasks.spawn(async (signal) => {
      outcomes.set(item, await runner.run(item, slot, signal));
    });
  }
  await tasks.join();
  return items.map((item) => outcomes.get(item) ?? runner.skipped(item));
}
