import { assertEquals } from "@std/assert";
import { busyReply, ErrorReply } from "../../../core/protocol/error_replies.ts";
import type { Metric } from "../../../core/serve/metrics/metrics.ts";
import { MetricsRegistry } from "../../../core/serve/metrics/metrics_registry.ts";
import { ManualClock, YEAR_2033 } from "../../support/manual_clock.ts";
import { test } from "../../support/test.ts";

/** Label values and value of each sample. */
function samplesOf({ samples }: Metric): [...string[], number][] {
  return Array.from(samples, ({ labels = {}, value }) => [...Object.values(labels), value]);
}

test("MetricsRegistry.request() counts each request by dialect, kind and result", () => {
  const registry = new MetricsRegistry(new ManualClock(YEAR_2033));
  for (let i = 0; i < 2; i++) {
    using request = registry.request("session", "DOWNLOAD");
    request.answered();
  }
  {
    using request = registry.request("session", "DOWNLOAD");
    request.refused(new ErrorReply("RANGE", "too far"));
  }
  {
    using _lost = registry.request("one-shot", "LIST");
  }
  assertEquals(samplesOf(registry.requests), [
    ["session", "DOWNLOAD", "OK", 2],
    ["session", "DOWNLOAD", "RANGE", 1],
    ["one-shot", "LIST", "lost", 1],
  ]);
});

test("MetricsRegistry.request() measures the time until the end of the reply", () => {
  const clock = new ManualClock(YEAR_2033);
  const registry = new MetricsRegistry(clock);
  for (const ms of [0, 1, 2, 100, 30_000, 30_001]) {
    using _request = registry.request("session", "PING");
    clock.tick(ms);
  }
  const samples = samplesOf(registry.durations);
  const upTo = (bound: string) => samples.find(([, le]) => le === bound)?.at(-1);
  assertEquals(["0.001", "0.005", "0.1", "10", "30", "+Inf"].map(upTo), [2, 3, 4, 4, 5, 6]);
  assertEquals(Math.round(Number(samples.at(-2)?.at(-1)) * 1000), 60_104);
});

test("MetricsRegistry counts BUSY by its reason, not by its delay", () => {
  const registry = new MetricsRegistry(new ManualClock(YEAR_2033));
  for (const delay of [500, 817]) {
    using request = registry.request("session", "DOWNLOAD");
    request.refused(busyReply(delay, "too many open files"));
  }
  registry.connected("too many connections");
  const want: [string, number][] = [["too many open files", 2], ["too many connections", 1]];
  assertEquals(samplesOf(registry.busy), want);
});

test("MetricsRegistry.connected() counts accepted connections, and refused ones by the reason", () => {
  const registry = new MetricsRegistry(new ManualClock(YEAR_2033));
  registry.connected();
  registry.connected("full");
  registry.connected();
  assertEquals([registry.accepted, registry.refused].map(samplesOf), [[[2]], [["full", 1]]]);
});

test("MetricsRegistry counts reasons beyond the first 32 as others", () => {
  const registry = new MetricsRegistry(new ManualClock(YEAR_2033));
  for (let i = 0; i < 1000; i++) registry.connected(`reason ${i}`);
  registry.connected("reason 0");
  const samples = samplesOf(registry.refused);
  assertEquals(samples.length, 33);
  assertEquals([samples[0], samples.at(-1)], [["reason 0", 2], ["other", 968]]);
});
