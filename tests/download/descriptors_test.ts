import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { Semaphore } from "../../core/base/semaphore.ts";
import { OutOfDescriptorsError, toDiskError } from "../../core/store/disk.ts";
import { waitForDescriptors } from "../../core/download/supervise.ts";
import { Permit } from "../../core/download/run_queue.ts";
import { noAbort, thrownBy } from "../source/support.ts";
import { TaskFixture } from "./support.ts";
import { test } from "../support/test.ts";

/** What the platform says when no file can be opened. */
const LACK = Object.assign(new Error("Too many open files (os error 24)"), { code: "EMFILE" });

function lack(): Promise<never> {
  return Promise.reject(toDiskError('open "/out/a"', LACK));
}

/** Three tasks that run, one of which is tried here. */
async function threeTasks(giveUpMs: number) {
  const bench = new TaskFixture({}, { giveUpMs });
  const slots = new Semaphore(3);
  const others = [await slots.acquire(noAbort), await slots.acquire(noAbort)];
  const permit = new Permit(slots, await slots.acquire(noAbort));
  const run = (attempt: () => Promise<string>) =>
    waitForDescriptors(attempt, slots, { ...bench.parts, permit }, noAbort);
  return { bench, slots, others, permit, run };
}

test("waitForDescriptors() waits for the place of another task instead of failing on a lack of descriptors", async () => {
  const { bench, slots, others, permit, run } = await threeTasks(60_000);
  await using _bench = bench;
  let tries = 0;
  const running = run(() => tries++ === 0 ? lack() : Promise.resolve("done"));
  for (let second = 0; second < 3; second++) await bench.clock.advance(1000);
  assertEquals([tries, permit.held, slots.size], [1, false, 2]);
  others[0]![Symbol.dispose]();
  assertEquals(await running, "done");
  assertEquals([tries, permit.held, slots.size], [2, true, 2]);
  const states = bench.news.flatMap((one) => one.kind === "state" ? [one.state] : []);
  assertEquals(states, ["waiting"]);
});

test("waitForDescriptors() throws OutOfDescriptorsError when there is none for giveUpMs", async () => {
  const { bench, others, run } = await threeTasks(10_000);
  await using _bench = bench;
  for (const other of others) other[Symbol.dispose]();
  const { value, ms } = await bench.timed(thrownBy(run(lack)));
  assert(value instanceof OutOfDescriptorsError);
  assertEquals(value.message, 'Cannot open "/out/a": too many open files');
  assertLessOrEqual(ms, 11_000);
});
