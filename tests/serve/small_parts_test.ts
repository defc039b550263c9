/** The request queue and the sums of what was sent. */
import { assertEquals } from "@std/assert";
import type { ServeEvent } from "../../core/events.ts";
import { Guesses } from "../../core/serve/guesses.ts";
import { RequestQueue } from "../../core/serve/request_queue.ts";
import { ToldVersions } from "../../core/serve/told_versions.ts";
import { Transfers } from "../../core/serve/transfers.ts";
import { ManualClock, test } from "./support.ts";

test("RequestQueue.take() gives requests in order, and undefined after the end", async () => {
  const queue = new RequestQueue<number>(4);
  for (const item of [1, 2, 3]) await queue.put(item);
  queue.end();
  const got = [await queue.take(), await queue.take(), await queue.take()];
  assertEquals([...got, await queue.take()], [1, 2, 3, undefined]);
});

test("RequestQueue.put() waits while the queue is full", async () => {
  const queue = new RequestQueue<number>(1);
  await queue.put(1);
  let put = false;
  const putting = queue.put(2).then(() => put = true);
  await Promise.resolve();
  assertEquals(put, false);
  assertEquals(await queue.take(), 1);
  await putting;
  assertEquals(await queue.take(), 2);
});

test("RequestQueue.end() wakes reader and writer", async () => {
  const full = new RequestQueue<number>(1);
  await full.put(1);
  const putting = full.put(2);
  full.end();
  await putting;
  assertEquals(full.size, 1);
  const empty = new RequestQueue<number>(1);
  const taking = empty.take();
  empty.end();
  assertEquals(await taking, undefined);
});

function transfers() {
  const clock = new ManualClock(0);
  const events: ServeEvent[] = [];
  const all = new Transfers(clock, (event) => events.push(event));
  const add = (owner: unknown, name: string, bytes: number) =>
    all.add(owner, { client: "c", name, size: 10, bytes, startedAt: clock.now() });
  return { clock, events, all, add };
}

const sent = (name: string, bytes: number, elapsedMs: number): ServeEvent => ({
  kind: "sent",
  client: "c",
  name,
  size: 10,
  bytes,
  elapsedMs,
});

test("Transfers.add() tells of a file when all its bytes were sent", () => {
  const { clock, events, add } = transfers();
  add(1, "a", 5);
  clock.advance(30);
  add(1, "b", 5);
  add(1, "a", 5);
  assertEquals(events, [sent("a", 10, 30)]);
});

test("Transfers.end() tells of what its owner did not finish, once", () => {
  const { events, all, add } = transfers();
  add(1, "a", 5);
  add(2, "a", 6);
  all.end(1);
  all.end(1);
  assertEquals(events, [sent("a", 5, 0)]);
  all.endAll();
  assertEquals(events.length, 2);
});

test("Transfers.sweep() tells of what has been quiet for 5 s", () => {
  const { clock, events, all, add } = transfers();
  add(1, "a", 5);
  clock.advance(3000);
  add(1, "b", 5);
  clock.advance(2000);
  all.sweep(clock.now());
  assertEquals(events, [sent("a", 5, 0)]);
});

test("Guesses.fail() holds answers back for longer and longer, up to 2 s, for each address", () => {
  const guesses = new Guesses(new ManualClock());
  const waits = Array.from({ length: 7 }, () => guesses.fail("a"));
  assertEquals(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
  assertEquals(guesses.fail("b"), 100);
});

test("Guesses.fail() forgets after a minute", () => {
  const clock = new ManualClock();
  const guesses = new Guesses(clock);
  for (let i = 0; i < 5; i++) guesses.fail("a");
  clock.advance(59_999);
  assertEquals(guesses.fail("a"), 2000);
  clock.advance(60_000);
  assertEquals(guesses.fail("a"), 100);
});

test("Guesses.fail() forgets those who failed longest ago when there are too many", () => {
  const guesses = new Guesses(new ManualClock());
  for (let i = 0; i < 5; i++) guesses.fail("a");
  for (let i = 0; i < 1024; i++) guesses.fail(`other ${i}`);
  assertEquals(guesses.fail("other 1023"), 200);
  assertEquals(guesses.fail("a"), 100);
});

test("ToldVersions keeps what each client was told last, and forgets the oldest", () => {
  const told = new ToldVersions();
  told.tell("a", "file", "1");
  told.tell("b", "file", "1");
  told.tell("b", "file", "2");
  assertEquals([told.of("a", "file"), told.of("b", "file")], ["1", "2"]);
  assertEquals(told.of("c", "file"), undefined);
  for (let i = 0; i < 8191; i++) told.tell("c", `file ${i}`, "1");
  assertEquals([told.of("a", "file"), told.of("b", "file")], [undefined, "2"]);
});
