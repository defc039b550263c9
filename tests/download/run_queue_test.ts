import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { Semaphore } from "../../core/base/semaphore.ts";
import { runQueue } from "../../core/download/run_queue.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { noAbort } from "../source/support.ts";
import { test } from "../support/test.ts";

/** Tasks that take so many ms each, by the manual clock; an abort ends them as it would a download. */
class Tasks {
  readonly clock = new ManualClock();
  readonly begun: number[] = [];
  running = 0;
  mostRunning = 0;
  readonly items: { readonly index: number; readonly ms: number }[];

  constructor(...durations: number[]) {
    this.items = durations.map((ms, index) => ({ index, ms }));
  }

  queue(slots: Semaphore, signal = noAbort): Promise<string[]> {
    return runQueue(this.items, slots, {
      run: async ({ index, ms }, slot, signal) => {
        using _slot = slot;
        this.begun.push(index);
        this.mostRunning = Math.max(this.mostRunning, ++this.running);
        try {
          await this.clock.sleep(ms, signal);
          return `${index} done`;
        } catch {
          return `${index} stopped`;
        } finally {
          this.running--;
        }
      },
      skipped: ({ index }) => `${index} skipped`,
    }, signal);
  }
}

test("runQueue() gives one outcome each, in the order given, however they end", async () => {
  const tasks = new Tasks(300, 100, 200);
  const ended = tasks.queue(new Semaphore(3));
  await tasks.clock.advance(300);
  assertEquals(await ended, ["0 done", "1 done", "2 done"]);
});

test("runQueue() gives no outcome when there is nothing to run", async () => {
  assertEquals(await new Tasks().queue(new Semaphore(1)), []);
});

for (const most of [1, 2, 3, 7]) {
  test(`runQueue() runs at most ${most} at a time, and begins them in order`, async () => {
    const tasks = new Tasks(50, 10, 40, 20, 30);
    const ended = tasks.queue(new Semaphore(most));
    await tasks.clock.advance(1000);
    assertEquals(await ended, [0, 1, 2, 3, 4].map((index) => `${index} done`));
    assertEquals(tasks.begun, [0, 1, 2, 3, 4]);
    assertEquals(tasks.mostRunning, Math.min(most, 5));
  });
}

test("runQueue() begins the next one as soon as a slot is free", async () => {
  const tasks = new Tasks(100, 10, 10);
  const ended = tasks.queue(new Semaphore(2));
  await tasks.clock.advance(9);
  assertEquals(tasks.begun, [0, 1]);
  await tasks.clock.advance(1);
  assertEquals(tasks.begun, [0, 1, 2]);
  await tasks.clock.advance(100);
  await ended;
});

test("runQueue() gives one outcome each when it is aborted at any moment", async () => {
  for (let atMs = 0; atMs <= 160; atMs += 5) {
    const tasks = new Tasks(50, 10, 40, 20, 30);
    const slots = new Semaphore(2);
    const stop = new AbortController();
    const ended = tasks.queue(slots, stop.signal);
    await tasks.clock.advance(atMs);
    stop.abort();
    const outcomes = await ended;
    assertEquals(outcomes.map((outcome) => outcome.split(" ")[0]), ["0", "1", "2", "3", "4"]);
    const skipped = outcomes.filter((outcome) => outcome.endsWith("skipped")).length;
    assertEquals(skipped, 5 - tasks.begun.length);
    assertLessOrEqual(tasks.mostRunning, 2);
    assertEquals([tasks.running, tasks.clock.pending, slots.available], [0, 0, 2]);
  }
});

test("runQueue() skips everything when its signal has aborted before", async () => {
  const tasks = new Tasks(1, 1);
  assertEquals(await tasks.queue(new Semaphore(1), AbortSignal.abort()), [
    "0 skipped",
    "1 skipped",
  ]);
  assertEquals(tasks.begun, []);
});

test("runQueue() lets in more when the slots grow", async () => {
  const tasks = new Tasks(100, 100, 100);
  const slots = new Semaphore(1);
  const ended = tasks.queue(slots);
  await tasks.clock.advance(1);
  assertEquals(tasks.running, 1);
  slots.resize(3);
  await tasks.clock.advance(1);
  assertEquals(tasks.running, 3);
  await tasks.clock.advance(100);
  assert((await ended).every((outcome) => outcome.endsWith("done")));
});
