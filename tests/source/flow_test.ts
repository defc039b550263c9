import { assertEquals, assertGreater, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { Flow } from "../../core/source/flow.ts";
import { MinFilter } from "../../core/base/min_filter.ts";

const KIB = 1024;
const ROUND_TRIP_MS = 100;

/** A flow that brought so many bytes a round trip for a while. */
function flowOf(bytes: number): Flow {
  const flow = new Flow();
  flow.requested(100 * bytes, 0);
  for (let round = 1; round <= 10; round++) flow.received(bytes, ROUND_TRIP_MS, 100 * round);
  return flow;
}

Deno.test("Flow.partBytes() is at most 256 KiB on a long line, and less over a slow flow", () => {
  assertEquals(new Flow().partBytes(ROUND_TRIP_MS), 256 * KIB);
  assertEquals(flowOf(1000).partBytes(ROUND_TRIP_MS), 32 * KIB);
  assertEquals(flowOf(40 * KIB).partBytes(ROUND_TRIP_MS), 80 * KIB);
  assertEquals(flowOf(500 * KIB).partBytes(ROUND_TRIP_MS), 256 * KIB);
});

Deno.test("Flow.partBytes() is at most a piece over a flow that brings several in a round trip", () => {
  assertEquals(flowOf(100 * 1024 * KIB).partBytes(ROUND_TRIP_MS), 1024 * KIB);
});

Deno.test("Flow.partBytes() is a whole number, whatever the rate", () => {
  for (let bytes = 1; bytes < 1e8; bytes = Math.ceil(bytes * 1.37)) {
    const part = flowOf(bytes).partBytes(ROUND_TRIP_MS);
    assertEquals(part, Math.floor(part));
  }
});

Deno.test("Flow divides nothing on a short line", () => {
  assertEquals(new Flow().partBytes(1), Infinity);
});

Deno.test("Flow.maxBytes() keeps a flow busy that doubles its rate each round trip", () => {
  const flow = new Flow();
  let now = 0;
  // Ten packets at first. What is requested at the beginning of a round trip comes in it.
  for (let bytes = 14 * KIB; bytes < 8 * 1024 * KIB; bytes *= 2) {
    flow.requested(flow.maxBytes(ROUND_TRIP_MS) - flow.pending, now);
    assertGreaterOrEqual(flow.pending, bytes);
    now += ROUND_TRIP_MS;
    flow.received(bytes, ROUND_TRIP_MS, now);
  }
});

Deno.test("Flow.maxBytes() lets a slow flow hold what it brings within a few round trips", () => {
  const bytes = 40 * KIB;
  assertLessOrEqual(flowOf(bytes).maxBytes(ROUND_TRIP_MS), 8 * bytes);
});

Deno.test("Flow.rate falls slowly when a flow becomes slower", () => {
  const flow = flowOf(100 * KIB);
  const before = flow.rate;
  flow.received(KIB, ROUND_TRIP_MS, 1100);
  assertGreater(flow.rate, before / 2);
  for (let round = 12; round < 40; round++) flow.received(KIB, ROUND_TRIP_MS, 100 * round);
  assertLessOrEqual(flow.rate, before / 50);
});

Deno.test("MinFilter has the least sample of its window, and the last ones when there is no newer", () => {
  const filter = new MinFilter(100);
  assertEquals(filter.value, undefined);
  filter.add(5, 0);
  filter.add(9, 10);
  assertEquals(filter.value, 5);
  filter.add(7, 60);
  assertEquals(filter.value, 5);
  filter.add(8, 120);
  assertEquals(filter.value, 7);
  filter.add(20, 1000);
  assertEquals(filter.value, 20);
});
