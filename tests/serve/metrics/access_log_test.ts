import { assertEquals } from "@std/assert";
import type { ServeEvent } from "../../../core/events.ts";
import { MetricsRegistry } from "../../../core/serve/metrics/metrics_registry.ts";
import { AccessLog } from "../../../core/serve/metrics/access_log.ts";
import { ManualClock, test } from "../support.ts";

const SIZE = 10;

function transfers() {
  const clock = new ManualClock(0);
  const tally = new MetricsRegistry(clock);
  const events: ServeEvent[] = [];
  const all = new AccessLog(clock, (event) => events.push(event), tally);
  const add = (
    connection: unknown,
    name: string,
    bytes: number,
    { client = "c", size = SIZE, startedAt = clock.now() } = {},
  ) => all.add(connection, { client, name, size, bytes, startedAt });
  return { clock, tally, events, all, add };
}

function sent(
  name: string,
  bytes: number,
  { client = "c", size = SIZE, elapsedMs = 0 } = {},
): ServeEvent {
  return { kind: "sent", client, name, size, bytes, elapsedMs };
}

test("Transfers.add() tells of a file when all its bytes were sent", () => {
  const { clock, events, add } = transfers();
  add(1, "a", 5);
  clock.advance(30);
  add(1, "b", 5);
  add(1, "a", 5);
  assertEquals(events, [sent("a", 10, { elapsedMs: 30 })]);
});

test("Transfers.add() sums up the connections of one client, and keeps clients apart", () => {
  const { clock, events, add } = transfers();
  clock.advance(100);
  add(1, "a", 2);
  // Began before the first one that ended.
  add(2, "a", 3, { startedAt: 40 });
  add(3, "a", 5, { client: "d" });
  add(4, "a", 5);
  assertEquals(events, [sent("a", 10, { elapsedMs: 60 })]);
});

test("Transfers.add() begins anew when the file has another size", () => {
  const { events, add } = transfers();
  add(1, "a", 5);
  add(1, "a", 5, { size: 20 });
  add(1, "a", 15, { size: 20 });
  assertEquals(events, [sent("a", 5), sent("a", 20, { size: 20 })]);
});

test("Transfers.add() counts the bytes of every body", () => {
  const { tally, add } = transfers();
  add(1, "a", 5);
  add(undefined, "b", 10);
  assertEquals(tally.fileBytes, 15);
});

test("Transfers.add() forgets the oldest when a client takes a little of very many files", () => {
  const { events, add } = transfers();
  for (let i = 0; i < 5000; i++) add(1, `f${i}`, 1);
  assertEquals(events.length, 5000 - 4096);
  assertEquals(events[0], sent("f0", 1));
});

test("Transfers.end() tells of what a client did not finish when its last connection goes", () => {
  const { events, all, add } = transfers();
  add(1, "a", 5);
  add(2, "a", 1);
  add(2, "b", 1);
  all.end(1);
  assertEquals(events, []);
  all.end(2);
  all.end(2);
  assertEquals(events, [sent("a", 6), sent("b", 1)]);
});

test("Transfers.end() leaves alone what comes without lasting connections", () => {
  const { events, all, add } = transfers();
  add(undefined, "a", 5);
  all.end(undefined);
  assertEquals(events, []);
  all.endAll();
  assertEquals(events, [sent("a", 5)]);
});

test("Transfers.sweep() tells of what has been quiet for 5 s", () => {
  const { clock, events, all, add } = transfers();
  add(1, "a", 5);
  clock.advance(3000);
  add(1, "b", 5);
  clock.advance(2000);
  all.sweep(clock.now());
  assertEquals(events, [sent("a", 5)]);
});
