import { assertEquals } from "@std/assert";
import { Guesses } from "../../core/serve/guesses.ts";
import { ManualClock, test } from "./support.ts";

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
