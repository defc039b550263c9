/** The system's clock, and the one that tests turn by hand. */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type Clock, systemClock } from "../../core/base/clock.ts";
import { ManualClock } from "../support/manual_clock.ts";

const NEVER = new AbortController().signal;
/** 49.7 days: where the platform's timers begin again at 0. */
const TOO_LONG_MS = 2 ** 32;

/** What both must keep; `pass` lets so many milliseconds go by. */
const clocks: {
  name: string;
  make: () => Clock;
  pass: (clock: Clock, ms: number) => Promise<void>;
}[] = [
  { name: "systemClock", make: () => systemClock, pass: (clock, ms) => clock.sleep(ms, NEVER) },
  {
    name: "ManualClock",
    make: () => new ManualClock(),
    pass: (clock, ms) => (clock as ManualClock).advance(ms),
  },
];
for (const { name, make, pass } of clocks) {
  Deno.test(`${name}.sleep() throws the reason when the signal has aborted`, async () => {
    const reason = new Error("enough");
    const error = await assertRejects(() => make().sleep(0, AbortSignal.abort(reason)));
    assertStrictEquals<unknown>(error, reason);
  });

  Deno.test(`${name}.sleep() throws the reason and leaves no timer when the signal aborts`, async () => {
    const leave = new AbortController();
    const reason = new Error("enough");
    const sleeping = assertRejects(() => make().sleep(60_000, leave.signal));
    leave.abort(reason);
    assertStrictEquals<unknown>(await sleeping, reason);
  });

  Deno.test(`${name}.after() runs in the order of time, and of making when due together`, async () => {
    const clock = make();
    const ran: string[] = [];
    using _c = clock.after(6, () => ran.push("c"));
    using _a = clock.after(1, () => ran.push("a"));
    using _b = clock.after(1, () => ran.push("b"));
    await pass(clock, 12);
    assertEquals(ran, ["a", "b", "c"]);
  });

  Deno.test(`${name}.after() runs nothing when it was disposed before`, async () => {
    const clock = make();
    let ran = false;
    const timer = clock.after(1, () => ran = true);
    timer[Symbol.dispose]();
    timer[Symbol.dispose]();
    await pass(clock, 2);
    assertEquals(ran, false);
  });

  Deno.test(`${name}.after() waits when the time is longer than the platform's timers take`, async () => {
    const clock = make();
    let ran = false;
    using _timer = clock.after(TOO_LONG_MS, () => ran = true);
    await pass(clock, 2);
    assertEquals(ran, false);
  });
}

Deno.test("systemClock.wallTime() is the time of the day", () => {
  const before = Date.now();
  const now = systemClock.wallTime();
  assert(before <= now && now <= Date.now());
});

Deno.test("ManualClock.now() moves when reported to, and no further", async () => {
  const clock = new ManualClock(100);
  assertEquals(clock.now(), 100);
  await clock.advance(40);
  assertEquals(clock.now(), 140);
});

Deno.test("ManualClock.advance() runs each timer at its own time", async () => {
  const clock = new ManualClock(1000);
  const ran: number[] = [];
  for (const ms of [30, 10, 20, 31]) clock.after(ms, () => ran.push(clock.now()));
  await clock.advance(30);
  assertEquals(ran, [1010, 1020, 1030]);
  assertEquals(clock.pending, 1);
});

Deno.test("ManualClock.advance() wakes one sleeper again and again when its time covers it", async () => {
  const clock = new ManualClock();
  const woke: number[] = [];
  const loop = (async () => {
    for (let i = 0; i < 3; i++) {
      await clock.sleep(10, NEVER);
      // Many turns later, which are still the same moment.
      for (let turn = 0; turn < 100; turn++) await Promise.resolve();
      woke.push(clock.now());
    }
  })();
  await clock.advance(100);
  assertEquals(woke, [10, 20, 30]);
  await loop;
});

Deno.test("ManualClock.advance() sees a timer that is set just before it", async () => {
  const clock = new ManualClock();
  let woke = false;
  Promise.resolve().then(() => clock.sleep(5, NEVER)).then(() => woke = true);
  await clock.advance(5);
  assertEquals(woke, true);
});

Deno.test("ManualClock.pending counts nothing when all have left", async () => {
  const clock = new ManualClock();
  const leave = new AbortController();
  const sleeping = assertRejects(() => clock.sleep(5, leave.signal));
  const timer = clock.after(5, () => {});
  assertEquals(clock.pending, 2);
  timer[Symbol.dispose]();
  leave.abort();
  await sleeping;
  assertEquals(clock.pending, 0);
});

Deno.test("systemClock.now() does not follow a system time that is set back", () => {
  const before = systemClock.now();
  const dateNow = Date.now;
  try {
    Date.now = () => dateNow() - 3_600_000;
    const passed = systemClock.now() - before;
    assert(passed >= 0 && passed < 3_600_000, `${passed} ms passed`);
    assert(systemClock.wallTime() < dateNow(), "wall time follows the system");
  } finally {
    Date.now = dateNow;
  }
});
