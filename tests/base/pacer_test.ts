import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import type { Clock } from "../../core/base/clock.ts";
import { Pacer } from "../../core/base/pacer.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { asyncProperty } from "./property.ts";

const NEVER = new AbortController().signal;

/** Asks one after the other, without waiting, and notes when each may go. */
function askAll(bucket: Pacer, clock: ManualClock, asks: readonly number[]): number[] {
  const turns: number[] = [];
  for (const bytes of asks) bucket.wait(bytes, NEVER).then(() => void turns.push(clock.now()));
  return turns;
}

Deno.test("Pacer.wait() lets the first go at once and the others at the rate", async () => {
  const clock = new ManualClock(5000);
  const bucket = new Pacer(clock, 1000);
  const turns = askAll(bucket, clock, [100, 200, 50, 1]);
  await clock.advance(0);
  assertEquals(turns, [5000]);
  await clock.advance(1000);
  assertEquals(turns, [5000, 5100, 5300, 5350]);
  assertEquals(clock.pending, 0);
});

Deno.test("Pacer.wait() saves nothing up when nobody asks for a while", async () => {
  const clock = new ManualClock();
  const bucket = new Pacer(clock, 1000);
  await bucket.wait(100, NEVER);
  await clock.advance(60_000);
  const turns = askAll(bucket, clock, [100, 100, 100]);
  await clock.advance(1000);
  assertEquals(turns, [60_000, 60_100, 60_200]);
});

Deno.test("Pacer.wait() throws the reason when the signal has aborted, and takes nothing", async () => {
  const clock = new ManualClock();
  const bucket = new Pacer(clock, 1000);
  const reason = new Error("enough");
  const error = await assertRejects(() => bucket.wait(5000, AbortSignal.abort(reason)));
  assertStrictEquals<unknown>(error, reason);
  const turns = askAll(bucket, clock, [100]);
  await clock.advance(0);
  assertEquals(turns, [0]);
});

Deno.test("Pacer.wait() throws the reason and leaves no timer when the signal aborts while it waits", async () => {
  const clock = new ManualClock();
  const bucket = new Pacer(clock, 1000);
  const leave = new AbortController();
  const reason = new Error("enough");
  await bucket.wait(100, NEVER);
  const waiting = assertRejects(() => bucket.wait(100, leave.signal));
  leave.abort(reason);
  assertStrictEquals<unknown>(await waiting, reason);
  assertEquals(clock.pending, 0);
});

Deno.test("Pacer.wait() moves up those behind when somebody in the line leaves", async () => {
  const clock = new ManualClock();
  const bucket = new Pacer(clock, 1000);
  const leave = new AbortController();
  await bucket.wait(100, NEVER);
  const left = assertRejects(() => bucket.wait(10_000, leave.signal));
  const behind = askAll(bucket, clock, [100, 100]);
  await clock.advance(50);
  leave.abort();
  await left;
  const last = askAll(bucket, clock, [100]);
  await clock.advance(500);
  assertEquals([...behind, ...last], [100, 200, 300]);
});

Deno.test("Pacer.wait() keeps the rate when timers are late", async () => {
  const clock = new ManualClock();
  const bucket = new Pacer(lateBy(150, clock), 1000);
  const turns = askAll(bucket, clock, [100, 100, 100, 100]);
  await clock.advance(1000);
  assertEquals(turns, [0, 250, 250, 450]);
});

function lateBy(ms: number, clock: ManualClock): Clock {
  return {
    now: () => clock.now(),
    wallTime: () => clock.wallTime(),
    sleep: (asked, signal) => clock.sleep(asked + ms, signal),
    after: (asked, run) => clock.after(asked + ms, run),
  };
}

Deno.test("Pacer.wait() gives back the time of those who left while they waited", async () => {
  const clock = new ManualClock();
  const bucket = new Pacer(clock, 1000);
  const leave = new AbortController();
  await bucket.wait(100, NEVER);
  const left = [1, 2, 3].map(() => assertRejects(() => bucket.wait(1000, leave.signal)));
  leave.abort();
  await Promise.all(left);
  const turns = askAll(bucket, clock, [100]);
  await clock.advance(5000);
  assertEquals(turns, [100]);
});

const sizes = [
  { bytesPerSecond: 1, want: 1024 },
  { bytesPerSecond: 5120, want: 1024 },
  { bytesPerSecond: 5121, want: 1025 },
  { bytesPerSecond: 1_000_000, want: 200_000 },
];
for (const { bytesPerSecond, want } of sizes) {
  Deno.test(`Pacer.maxBytes is ${want} when the rate is ${bytesPerSecond} bytes a second`, () => {
    assertEquals(new Pacer(new ManualClock(), bytesPerSecond).maxBytes, want);
  });
}

const asks = fc.array(
  fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), pauseMs: fc.nat(3000) }),
  { minLength: 1, maxLength: 12 },
);
asyncProperty(
  "Pacer.wait() keeps the order and the rate, whoever asks when",
  asks,
  async (asks) => {
    const clock = new ManualClock(1000);
    const bucket = new Pacer(clock, 1000);
    const order: number[] = [];
    let freeAt = 0;
    for (const [i, { bytes, pauseMs }] of asks.entries()) {
      const askedAt = clock.now();
      bucket.wait(bytes, NEVER).then(() => {
        order.push(i);
        const turn = clock.now();
        assert(turn >= askedAt && Math.abs(turn - Math.max(askedAt, freeAt)) < 0.001);
        freeAt = turn + bytes;
      });
      await clock.advance(pauseMs);
    }
    await clock.advance(60_001);
    assertEquals(order, asks.map((_, i) => i));
  },
  100,
);
