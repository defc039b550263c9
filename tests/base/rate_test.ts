import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { BusyTime, RateMeter } from "../../core/base/rate.ts";
import { property } from "./property.ts";

Deno.test("RateMeter.rateAt() is 0 when nothing has come yet", () => {
  assertEquals(new RateMeter().rateAt(1_000_000), 0);
});

Deno.test("RateMeter.rateAt() is the same after a suspension as before", () => {
  const rate = new RateMeter(2000);
  for (let at = 0; at <= 2000; at += 100) rate.add(1000, at);
  const before = rate.rateAt(2000);
  rate.suspended(3_600_000);
  assertEquals(rate.rateAt(3_602_000), before);
});

Deno.test("RateMeter.rateAt() is finite when the first bytes have just come", () => {
  const rate = new RateMeter(2000);
  rate.add(500, 10);
  // A floor of a twentieth of the window: 500 bytes in 100 ms.
  assertEquals(rate.rateAt(10), 5000);
});

Deno.test("RateMeter.rateAt() looks at the time since the first byte when that is shorter than the window", () => {
  const rate = new RateMeter(2000);
  rate.add(500, 0);
  rate.add(500, 1000);
  assertEquals(rate.rateAt(1000), 1000);
});

Deno.test("RateMeter.rateAt() looks at the window only when more time has gone by", () => {
  const rate = new RateMeter(2000);
  rate.add(1_000_000, 0);
  rate.add(4000, 2500);
  assertEquals(rate.rateAt(3000), 2000);
});

Deno.test("RateMeter.rateAt() keeps bytes as long as the window when nothing comes", () => {
  const rate = new RateMeter(2000);
  rate.add(4000, 0);
  assertEquals(rate.rateAt(2000), 2000);
  assertEquals(rate.rateAt(2001), 0);
  assertEquals(rate.rateAt(1_000_000), 0);
});

Deno.test("RateMeter.rateAt() falls step by step when a steady stream ends", () => {
  const rate = new RateMeter(2000);
  for (let at = 0; at <= 4000; at += 100) rate.add(100, at);
  const falling = [4000, 4500, 5000, 5500, 6000, 6001].map((at) => rate.rateAt(at));
  assertEquals(falling, [1050, 800, 550, 300, 50, 0]);
});

Deno.test("RateMeter.rateAt() counts bytes that come at one time together", () => {
  const rate = new RateMeter(2000);
  for (let i = 0; i < 10; i++) rate.add(100, 500);
  assertEquals(rate.rateAt(1500), 1000);
});

Deno.test("RateMeter.rateAt() rises again when bytes come after a pause", () => {
  const rate = new RateMeter(2000);
  rate.add(2000, 0);
  assertEquals(rate.rateAt(10_000), 0);
  rate.add(2000, 10_000);
  assertEquals(rate.rateAt(10_000), 1000);
});

property(
  "RateMeter.rateAt() reports the rate of a steady stream to a tenth, and 0 a window after it",
  fc.tuple(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 10_000_000 }), fc.nat()),
  ([everyMs, bytes, startMs]) => {
    const rate = new RateMeter();
    let at = startMs;
    for (; at < startMs + 5000; at += everyMs) rate.add(bytes, at);
    const last = at - everyMs;
    const ratio = rate.rateAt(last) / (bytes * 1000 / everyMs);
    assert(ratio > 0.9 && ratio < 1.1, `${ratio}`);
    assertEquals(rate.rateAt(last + 3001), 0);
  },
  100,
);

Deno.test("RateMeter.liveAt() is 0 a second after the last byte, where at() still remembers", () => {
  const meter = new RateMeter();
  for (let at = 0; at <= 3000; at += 100) meter.add(100, at);
  assertEquals(meter.displayRateAt(3500) > 700, true);
  assertEquals(meter.displayRateAt(4001), 0);
  assertEquals(meter.rateAt(4001) > 0, true);
});

Deno.test("RateMeter.liveAt() knows the pauses of a slow line from silence", () => {
  const meter = new RateMeter();
  for (const at of [0, 1400, 2800]) meter.add(1000, at);
  assertEquals(meter.displayRateAt(4100) > 0, true);
  assertEquals(meter.displayRateAt(7100), 0);
});

Deno.test("RateMeter.liveAt() is 0 before the first byte", () => {
  assertEquals(new RateMeter().displayRateAt(1000), 0);
});

Deno.test("BusyTime.end() reports a time once when two run beside each other", () => {
  const busy = new BusyTime();
  busy.begin(100);
  busy.begin(130);
  assertEquals([busy.end(150), busy.end(180)], [50, 30]);
});

Deno.test("BusyTime.end() leaves out the pauses in which nothing runs", () => {
  const busy = new BusyTime();
  busy.begin(0);
  assertEquals(busy.end(10), 10);
  busy.begin(500);
  assertEquals(busy.end(501), 1);
});
