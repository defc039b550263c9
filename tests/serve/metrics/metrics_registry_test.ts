import { assertEquals } from "@std/assert";
import {
  LATENCY_BOUNDS,
  MetricsRegistry,
  type RequestResult,
} from "../../../core/serve/metrics/metrics_registry.ts";
import { busyReply, ErrorReply } from "../../../core/protocol/error_replies.ts";
import { ManualClock, test } from "../support.ts";

function resultsOf(tally: MetricsRegistry): [string, RequestResult, number][] {
  return tally.requests.map(({ dialect, kind, result, count }) => [
    `${dialect} ${kind}`,
    result,
    count,
  ]);
}

test("Tally.request() counts each request by dialect, kind and result", () => {
  const tally = new MetricsRegistry(new ManualClock());
  for (let i = 0; i < 2; i++) {
    using request = tally.request("session", "DOWNLOAD");
    request.answered();
  }
  {
    using request = tally.request("session", "DOWNLOAD");
    request.refused(new ErrorReply("RANGE", "too far"));
  }
  {
    using _gone = tally.request("one-shot", "LIST");
  }
  assertEquals(resultsOf(tally), [
    ["session DOWNLOAD", "OK", 2],
    ["session DOWNLOAD", "RANGE", 1],
    ["one-shot LIST", "lost", 1],
  ]);
});

test("Tally.request() measures up to the end of the reply", () => {
  const clock = new ManualClock();
  const tally = new MetricsRegistry(clock);
  for (const ms of [0, 1, 2, 100, 30_000, 30_001]) {
    using _request = tally.request("session", "PING");
    clock.advance(ms);
  }
  const [[kind, { buckets, seconds }]] = tally.latencies as [
    [string, ReturnType<typeof tally.latencyOf>],
  ];
  const at = (bound: typeof LATENCY_BOUNDS[number]) => buckets[LATENCY_BOUNDS.indexOf(bound)];
  assertEquals(kind, "PING");
  assertEquals([at(0.001), at(0.005), at(0.1), at(30), buckets.at(-1)], [2, 1, 1, 1, 1]);
  assertEquals(buckets.reduce((sum, count) => sum + count), 6);
  assertEquals(Math.round(seconds * 1000), 60_104);
});

test("Tally.busy counts BUSY by its reason, not by its pause", () => {
  const tally = new MetricsRegistry(new ManualClock());
  for (const pause of [500, 817]) {
    using request = tally.request("session", "DOWNLOAD");
    request.refused(busyReply(pause, "too many open files"));
  }
  tally.connected("too many connections");
  assertEquals(tally.busy.entries, [["too many open files", 2], ["too many connections", 1]]);
});

test("Tally.connected() counts who is let in, and who is turned away by the reason", () => {
  const tally = new MetricsRegistry(new ManualClock());
  tally.connected();
  tally.connected("full");
  tally.connected();
  assertEquals([tally.accepted, tally.turnedAway.entries], [2, [["full", 1]]]);
});

test("Tally counts reasons beyond a few dozen as others", () => {
  const tally = new MetricsRegistry(new ManualClock());
  for (let i = 0; i < 1000; i++) tally.connected(`reason ${i}`);
  tally.connected("reason 0");
  assertEquals(tally.turnedAway.size, 33);
  assertEquals(Object.fromEntries(tally.turnedAway.entries)["reason 0"], 2);
  assertEquals(Object.fromEntries(tally.turnedAway.entries)["other"], 968);
});
