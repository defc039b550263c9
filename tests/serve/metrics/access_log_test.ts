import { assertEquals } from "@std/assert";
import type { ServeEvent } from "../../../core/events.ts";
import { MetricsRegistry } from "../../../core/serve/metrics/metrics_registry.ts";
import { AccessLog } from "../../../core/serve/metrics/access_log.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { test } from "../../support/test.ts";

const SIZE = 10;

function logFixture() {
  const clock = new ManualClock(0);
  const metrics = new MetricsRegistry(clock);
  const events: ServeEvent[] = [];
  const log = new AccessLog(clock, (event) => events.push(event), metrics);
  const add = (
    connection: unknown,
    name: string,
    bytes: number,
    { client = "c", size = SIZE, startedAt = clock.now() } = {},
  ) => log.add(connection, { client, name, size, bytes, startedAt });
  return { clock, metrics, events, log, add };
}

function sent(
  name: string,
  bytes: number,
  { client = "c", size = SIZE, elapsedMs = 0 } = {},
): ServeEvent {
  return { kind: "sent", client, name, size, bytes, elapsedMs };
}

test("AccessLog.add() reports a file when all its bytes were sent", () => {
  const { clock, events, add } = logFixture();
  add(1, "a", 5);
  clock.tick(30);
  add(1, "b", 5);
  add(1, "a", 5);
  assertEquals(events, [sent("a", 10, { elapsedMs: 30 })]);
});

test("AccessLog.add() adds up the connections of one client, and keeps clients apart", () => {
  const { clock, events, add } = logFixture();
  clock.tick(100);
  add(1, "a", 2);
  // Began before the first one that ended.
  add(2, "a", 3, { startedAt: 40 });
  add(3, "a", 5, { client: "d" });
  add(4, "a", 5);
  assertEquals(events, [sent("a", 10, { elapsedMs: 60 })]);
});

test("AccessLog.add() begins anew when the file has another size", () => {
  const { events, add } = logFixture();
  add(1, "a", 5);
  add(1, "a", 5, { size: 20 });
  add(1, "a", 15, { size: 20 });
  assertEquals(events, [sent("a", 5), sent("a", 20, { size: 20 })]);
});

test("AccessLog.add() counts the bytes of every body", () => {
  const { metrics, add } = logFixture();
  add(1, "a", 5);
  add(undefined, "b", 10);
  assertEquals(metrics.fileBytes.samples, [{ labels: {}, value: 15 }]);
});

test("AccessLog.add() ends the oldest transfers when there are more than 4096", () => {
  const { events, add } = logFixture();
  for (let i = 0; i < 5000; i++) add(1, `f${i}`, 1);
  assertEquals(events.length, 5000 - 4096);
  assertEquals(events[0], sent("f0", 1));
});

test("AccessLog.end() reports what a client did not finish when its last connection goes", () => {
  const { events, log, add } = logFixture();
  add(1, "a", 5);
  add(2, "a", 1);
  add(2, "b", 1);
  log.end(1);
  assertEquals(events, []);
  log.end(2);
  log.end(2);
  assertEquals(events, [sent("a", 6), sent("b", 1)]);
});

test("AccessLog.end() does not end transfers without lasting connections", () => {
  const { events, log, add } = logFixture();
  add(undefined, "a", 5);
  log.end(undefined);
  assertEquals(events, []);
  log.endAll();
  assertEquals(events, [sent("a", 5)]);
});

test("AccessLog.sweep() reports what has been quiet for 5 s", () => {
  const { clock, events, log, add } = logFixture();
  add(1, "a", 5);
  clock.tick(3000);
  add(1, "b", 5);
  clock.tick(2000);
  log.sweep(clock.now());
  assertEquals(events, [sent("a", 5)]);
});
