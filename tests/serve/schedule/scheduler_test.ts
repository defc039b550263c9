import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import type { Clock } from "../../../core/base/clock.ts";
import { busyReply } from "../../../core/protocol/error_replies.ts";
import { Scheduler } from "../../../core/serve/schedule/scheduler.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { watch } from "../../source/support.ts";
import { assertNear } from "../support.ts";
import { test } from "../../support/test.ts";

const NEVER = new AbortController().signal;
const STEP = 262_144;

class SchedulerFixture {
  readonly clock = new ManualClock(5000);
  readonly scheduler: Scheduler;

  constructor(slots = 1, clientLimit?: number) {
    this.scheduler = new Scheduler({ slots, limit: undefined, clientLimit }, this.clock);
  }

  open(client: string, signal: AbortSignal = NEVER) {
    return this.scheduler.open(client, signal);
  }
}

/** The order in which these clients' requests start when they arrive at once. */
async function orderOf(clients: string): Promise<string> {
  const { scheduler } = new SchedulerFixture();
  let order = "";
  await Promise.all(Array.from(clients, async (client) => {
    await scheduler.startRequest(client);
    order += client;
  }));
  return order;
}

test("Scheduler.startRequest() starts no second request of a client before the first one of all others", async () => {
  assertEquals(await orderOf("aaaabcb"), "abcabaa");
});

test("Scheduler.startRequest() starts a client's first request in a round at once", async () => {
  const { scheduler } = new SchedulerFixture();
  const order: string[] = [];
  const round = new Promise<void>((resolve) =>
    setImmediate(() => (order.push("round"), resolve()))
  );
  const starts = ["a", "b"].map((it) => scheduler.startRequest(it).then(() => order.push(it)));
  await Promise.all([round, ...starts]);
  assertEquals(order, ["a", "b", "round"]);
});

test("Scheduler.startRequest() starts a newcomer's request while others wait", async () => {
  const { scheduler } = new SchedulerFixture();
  let started = 0;
  const flood = Array.from(
    { length: 100 },
    () => scheduler.startRequest("a").then(() => started++),
  );
  for (let i = 0; i < 10; i++) await scheduler.startRequest("b");
  assert(started <= 12, `${started} requests of the flood started while the other client had 10`);
  await Promise.all(flood);
});

test("Upload.next() grants all bytes at once where there is no limit, and keeps its slot", async () => {
  const fixture = new SchedulerFixture();
  using upload = fixture.open("a");
  assertEquals(await upload.next(0), 0);
  for (let step = 0; step < 3; step++) {
    assertEquals(await upload.next(STEP), STEP);
    assertEquals(fixture.scheduler.taken, 1);
  }
});

test("Upload.end() keeps the slot for a request that has arrived, and frees it otherwise", async () => {
  const fixture = new SchedulerFixture();
  using upload = fixture.open("a");
  for (const more of [true, true, false]) {
    await upload.next(STEP);
    upload.end(more);
    assertEquals(fixture.scheduler.taken, more ? 1 : 0);
  }
  upload.end(false);
  assertEquals(fixture.scheduler.taken, 0);
});

test("Upload.next() waits while its slot is lent to another client, and goes on afterwards", async () => {
  const fixture = new SchedulerFixture();
  using slow = fixture.open("a");
  using other = fixture.open("b");
  await slow.next(STEP);
  const waiting = watch(other.next(STEP));
  await fixture.clock.advance(300);
  assertEquals(waiting.ending, { value: STEP });
  const next = watch(slow.next(STEP));
  await fixture.clock.advance(1);
  assertEquals([next.ending, fixture.scheduler.taken], [undefined, 1]);
  other.end(false);
  await fixture.clock.advance(0);
  assertEquals(next.ending, { value: STEP });
});

test("Upload.next() holds no slot while it waits for a limit", async () => {
  const fixture = new SchedulerFixture(1, 10_000);
  using limited = fixture.open("a");
  const bytes = await limited.next(STEP);
  assert(bytes > 0 && bytes <= 1000, `${bytes}`);
  const next = watch(limited.next(STEP));
  await fixture.clock.advance(1);
  assertEquals([next.ending, fixture.scheduler.taken], [undefined, 0]);
  using other = fixture.open("b");
  const waiting = watch(other.next(STEP));
  await fixture.clock.advance(0);
  assert(waiting.ending !== undefined);
  other.end(false);
  await fixture.clock.advance(1000);
  assert(next.ending !== undefined);
});

test("Upload.next() keeps its limit when timers are late", async () => {
  const clock = new ManualClock(5000);
  const late: Clock = {
    now: () => clock.now(),
    wallTime: () => clock.now(),
    sleep: (ms, signal) => clock.sleep(ms + 5, signal),
    after: (ms, run) => clock.after(ms + 5, run),
  };
  const scheduler = new Scheduler({ slots: 1, limit: 10_000_000, clientLimit: undefined }, late);
  const stop = new AbortController();
  using upload = scheduler.open("a", stop.signal);
  let sent = 0;
  const sending = (async () => {
    for (;;) sent += await upload.next(65_536);
  })().catch(() => {});
  await clock.advance(10_000);
  assertNear(sent / 100_000_000, 1, 0.05);
  stop.abort();
  await sending;
  assertEquals(clock.pending, 0);
});

test("Scheduler.close() refuses bodies that have not begun, now and later, and lets others go on", async () => {
  const fixture = new SchedulerFixture();
  const reply = busyReply(100, "the seed stops");
  using begun = fixture.open("a");
  using other = fixture.open("b");
  await begun.next(STEP);
  const waiting = watch(other.next(STEP));
  fixture.scheduler.close(reply);
  await fixture.clock.advance(0);
  assertEquals(waiting.ending, { error: reply });
  assertEquals(await begun.next(STEP), STEP);
  begun.end(false);
  assertStrictEquals<unknown>(await assertRejects(() => begun.next(STEP)), reply);
  assertStrictEquals<unknown>(await assertRejects(() => other.next(0)), reply);
});

for (const clientLimit of [undefined, 1000]) {
  const waitsFor = clientLimit ? "a limit" : "a slot";
  test(`Upload.next() throws the signal's reason and leaves nothing behind when it aborts while it waits for ${waitsFor}`, async () => {
    const fixture = new SchedulerFixture(1, clientLimit);
    const stop = new AbortController();
    using first = fixture.open("a");
    await first.next(STEP);
    using upload = fixture.open("a", stop.signal);
    const waiting = watch(upload.next(STEP));
    await fixture.clock.advance(1);
    assertEquals(waiting.ending, undefined);
    const reason = new Error("enough");
    stop.abort(reason);
    await fixture.clock.advance(0);
    assertEquals(waiting.ending, { error: reason });
    assertEquals([fixture.scheduler.waiting, fixture.scheduler.taken], [0, 1]);
    assertEquals(fixture.clock.pending, 0);
    await assertRejects(() => upload.next(STEP), Error, "enough");
  });
}

test("Upload gives its slot back once when it is disposed twice", async () => {
  const fixture = new SchedulerFixture(2);
  const upload = fixture.open("a");
  using other = fixture.open("a");
  for (const each of [upload, other]) await each.next(STEP);
  upload[Symbol.dispose]();
  upload[Symbol.dispose]();
  assertEquals(fixture.scheduler.taken, 1);
});
