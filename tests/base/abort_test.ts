import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import { deadline, linkedAbort, onAbort } from "../../core/base/abort.ts";
import { TimeoutError } from "../../core/base/errors.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("onAbort() runs its function once when the signal aborts", () => {
  const parent = new AbortController();
  let stops = 0;
  using _stop = onAbort(parent.signal, () => stops++);
  assertEquals(stops, 0);
  parent.abort();
  parent.abort();
  assertEquals(stops, 1);
});

Deno.test("onAbort() runs nothing when it was disposed before", () => {
  const parent = new AbortController();
  let stops = 0;
  onAbort(parent.signal, () => stops++)[Symbol.dispose]();
  parent.abort();
  assertEquals(stops, 0);
});

Deno.test("onAbort() throws the reason and runs nothing when the signal has aborted", () => {
  const reason = new Error("enough");
  let stops = 0;
  const error = assertThrows(() => onAbort(AbortSignal.abort(reason), () => stops++));
  assertStrictEquals<unknown>(error, reason);
  assertEquals(stops, 0);
});

Deno.test("linkedAbort() is aborted from the start when the parent is", () => {
  const reason = new Error("enough");
  using linked = linkedAbort(AbortSignal.abort(reason));
  assertStrictEquals(linked.signal.reason, reason);
});

Deno.test("linkedAbort() aborts with the parent's reason, or by itself and leaves the parent alone", () => {
  const parent = new AbortController();
  using first = linkedAbort(parent.signal);
  using second = linkedAbort(parent.signal);
  const [own, reason] = [new Error("own"), new Error("enough")];
  first.abort(own);
  assertEquals([first.signal.reason, second.signal.aborted], [own, false]);
  assertFalse(parent.signal.aborted);
  parent.abort(reason);
  assertEquals([first.signal.reason, second.signal.reason], [own, reason]);
});

Deno.test("linkedAbort() is tied to the parent no longer when it was disposed", () => {
  const parent = new AbortController();
  const linked = linkedAbort(parent.signal);
  linked[Symbol.dispose]();
  parent.abort();
  assertFalse(linked.signal.aborted);
});

Deno.test("deadline() aborts with its reason when the time is over", async () => {
  const clock = new ManualClock();
  const parent = new AbortController();
  using limit = deadline(parent.signal, clock, 500, () => new TimeoutError(`at ${clock.now()}`));
  await clock.advance(499);
  assertFalse(limit.signal.aborted);
  await clock.advance(1);
  assertThrows(() => limit.signal.throwIfAborted(), TimeoutError, "at 500");
  assertFalse(parent.signal.aborted);
});

Deno.test("deadline() aborts with the parent's reason when the parent does", async () => {
  const clock = new ManualClock();
  const parent = new AbortController();
  const reason = new Error("enough");
  {
    using limit = deadline(parent.signal, clock, 500, () => new TimeoutError("late"));
    parent.abort(reason);
    assertStrictEquals(limit.signal.reason, reason);
    await clock.advance(1000);
    assertStrictEquals(limit.signal.reason, reason);
  }
  assertEquals(clock.pending, 0);
});

Deno.test("deadline() leaves no timer when it is disposed in time", async () => {
  const clock = new ManualClock();
  const parent = new AbortController();
  const limit = deadline(parent.signal, clock, 500, () => new TimeoutError("late"));
  assertEquals(clock.pending, 1);
  limit[Symbol.dispose]();
  assertEquals(clock.pending, 0);
  await clock.advance(1000);
  parent.abort();
  assertFalse(limit.signal.aborted);
});

Deno.test("deadline() throws the reason and leaves no timer when the parent has aborted", () => {
  const clock = new ManualClock();
  const reason = new Error("enough");
  const error = assertThrows(() =>
    deadline(AbortSignal.abort(reason), clock, 500, () => new TimeoutError("late"))
  );
  assertStrictEquals<unknown>(error, reason);
  assertEquals(clock.pending, 0);
  assert(clock.now() === 0);
});

Deno.test("deadline() waits again when the process was stopped, because nothing could arrive meanwhile", async () => {
  const clock = new ManualClock();
  const late = new TimeoutError("late");
  using limit = deadline(new AbortController().signal, clock, 5000, () => late);
  await clock.oversleep(185_000);
  assertFalse(limit.signal.aborted);
  await clock.advance(4999);
  assertFalse(limit.signal.aborted);
  await clock.advance(1);
  assertStrictEquals(limit.signal.reason, late);
});
