import { assertEquals } from "@std/assert";
import { AuthThrottle } from "../../../core/serve/accept/auth_throttle.ts";
import { ManualClock, YEAR_2033 } from "../../support/manual_clock.ts";
import { test } from "../../support/test.ts";

test("AuthThrottle.fail() doubles the delay for each client, up to 2 s", () => {
  const authThrottle = new AuthThrottle(new ManualClock(YEAR_2033));
  const waits = Array.from({ length: 7 }, () => authThrottle.fail("a"));
  assertEquals(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
  assertEquals(authThrottle.fail("b"), 100);
});

test("AuthThrottle.fail() forgets a client after a minute", () => {
  const clock = new ManualClock(YEAR_2033);
  const authThrottle = new AuthThrottle(clock);
  for (let i = 0; i < 5; i++) authThrottle.fail("a");
  clock.tick(59_999);
  assertEquals(authThrottle.fail("a"), 2000);
  clock.tick(60_000);
  assertEquals(authThrottle.fail("a"), 100);
});

test("AuthThrottle.fail() forgets the clients that failed longest ago when there are too many", () => {
  const authThrottle = new AuthThrottle(new ManualClock(YEAR_2033));
  for (let i = 0; i < 5; i++) authThrottle.fail("a");
  for (let i = 0; i < 1024; i++) authThrottle.fail(`other ${i}`);
  assertEquals(authThrottle.fail("other 1023"), 200);
  assertEquals(authThrottle.fail("a"), 100);
});
