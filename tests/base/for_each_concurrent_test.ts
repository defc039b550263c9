import { assertEquals, assertRejects } from "@std/assert";
import { forEachConcurrent } from "../../core/base/task_group.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { noAbort } from "../source/support.ts";
import { test } from "../support/test.ts";

for (const limit of [1, 3, 10]) {
  test(`forEachConcurrent() starts all items in order, at most ${limit} at a time`, async () => {
    const clock = new ManualClock();
    const started: number[] = [];
    let running = 0;
    let maxRunning = 0;
    const ended = forEachConcurrent([30, 10, 20, 10, 10], limit, async (ms) => {
      started.push(ms);
      maxRunning = Math.max(maxRunning, ++running);
      await clock.sleep(ms, noAbort);
      running--;
    });
    await clock.advance(100);
    await ended;
    assertEquals(started, [30, 10, 20, 10, 10]);
    assertEquals([maxRunning, running], [Math.min(limit, 5), 0]);
  });
}

test("forEachConcurrent() throws the first failure when all that were started have ended, and starts no more", async () => {
  const clock = new ManualClock();
  const ended: number[] = [];
  const running = assertRejects(
    () =>
      forEachConcurrent([30, 10, 20, 40], 2, async (ms) => {
        await clock.sleep(ms, noAbort);
        ended.push(ms);
        throw new Error(`after ${ms}`);
      }),
    Error,
    "after 10",
  );
  await clock.advance(100);
  await running;
  assertEquals(ended, [10, 30]);
});

test("forEachConcurrent() takes no more items than it can start", async () => {
  let taken = 0;
  function* endless() {
    for (;;) yield taken++;
  }
  const running = assertRejects(() =>
    forEachConcurrent(endless(), 4, async (item) => {
      await Promise.resolve();
      if (item === 7) throw new Error("enough");
    })
  );
  await running;
  assertEquals(taken <= 8 + 4, true);
});
