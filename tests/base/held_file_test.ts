import { assertEquals, assertRejects } from "@std/assert";
import { isHeldError, retryWhileHeld } from "../../core/base/held_file.ts";
import { DiskError } from "../../core/base/errors.ts";
import { ManualClock } from "../support/manual_clock.ts";

const never = new AbortController().signal;
const HELD = new Error("The process cannot access the file (os error 32)");

const errors = [
  { error: HELD, want: true },
  { error: new Deno.errors.PermissionDenied("Access is denied. (os error 5)"), want: true },
  { error: new DiskError("Cannot remove", { cause: HELD }), want: true },
  { error: new Deno.errors.NotFound("(os error 2)"), want: false },
  { error: new Error("(os error 332)"), want: false },
  { error: "text", want: false },
];
for (const { error, want } of errors) {
  Deno.test(`isHeldError() is ${want} for ${error}`, () => assertEquals(isHeldError(error), want));
}

/** Fails `failures` times. */
function attempts(failures: number) {
  const state = {
    count: 0,
    run: () => {
      if (state.count++ < failures) throw HELD;
      return "done";
    },
  };
  return state;
}

Deno.test("retryWhileHeld() runs again on Windows until another program has closed the file", async () => {
  const clock = new ManualClock();
  const act = attempts(3);
  const result = retryWhileHeld(act.run, { clock, platform: "windows" }, never);
  for (let i = 0; i < 3; i++) await clock.advance(100);
  assertEquals([await result, act.count, clock.pending], ["done", 4, 0]);
});

Deno.test("retryWhileHeld() throws the last error on Windows after 5 s", async () => {
  const clock = new ManualClock();
  const rejected = assertRejects(
    () => retryWhileHeld(attempts(Infinity).run, { clock, platform: "windows" }, never),
    Error,
    "cannot access",
  );
  for (let i = 0; i < 50; i++) await clock.advance(100);
  await rejected;
  assertEquals(clock.pending, 0);
});

for (const platform of ["linux", "darwin"]) {
  Deno.test(`retryWhileHeld() runs once on ${platform}`, async () => {
    const act = attempts(1);
    await assertRejects(() =>
      retryWhileHeld(act.run, { clock: new ManualClock(), platform }, never)
    );
    assertEquals(act.count, 1);
  });
}

Deno.test("retryWhileHeld() ends when its signal aborts", async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const result = retryWhileHeld(attempts(9).run, { clock, platform: "windows" }, stop.signal);
  stop.abort(new Error("enough"));
  await assertRejects(() => result, Error, "enough");
});
