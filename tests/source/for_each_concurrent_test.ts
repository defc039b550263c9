import { assertEquals, assertRejects } from "@std/assert";
import { forEachConcurrent } from "../../core/source/for_each_concurrent.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { noAbort, test } from "./support.ts";

for (const most of [1, 3, 10]) {
  test(`forEachConcurrent() begins all items in their order, at most ${most} at a time`, async () => {
    const clock = new ManualClock();
    const begun: number[] = [];
    let running = 0;
    let mostRunning = 0;
    const ended = forEachConcurrent([30, 10, 20, 10, 10], most, async (ms) => {
      begun.push(ms);
      mostRunning = Math.max(mostRunning, ++running);
      await clock.sleep(ms, noAbort);
      running--;
    });
    await clock.advance(100);
    await ended;
    assertEquals(begun, [30, 10, 20, 10, 10]);
    assertEquals([mostRunning, running], [Math.min(most, 5), 0]);
  });
}

test("forEachConcurrent() throws the first failure when all that began have ended, and begins no more", async () => {
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

test("forEachConcurrent() takes no more of its items than it can begin", async () => {
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
