import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { backoffMs, SEED_BACKOFF } from "../../core/base/backoff.ts";
import { property } from "./property.ts";

const ALMOST_ONE = 1 - Number.EPSILON / 2;
const limits = { firstMs: 100, maxMs: 5000 };

const cases = [
  { failures: 1, random: 0, want: 0 },
  { failures: 1, random: 0.5, want: 50 },
  { failures: 1, random: ALMOST_ONE, want: 100 },
  { failures: 2, random: ALMOST_ONE, want: 200 },
  { failures: 2, random: 0.001, want: 1 },
  { failures: 6, random: ALMOST_ONE, want: 3200 },
  { failures: 7, random: ALMOST_ONE, want: 5000 },
  { failures: 7, random: 0.5, want: 2500 },
  { failures: 1000, random: ALMOST_ONE, want: 5000 },
  { failures: 2000, random: 0, want: 0 },
];
for (const { failures, random, want } of cases) {
  Deno.test(`backoffMs() is ${want} after ${failures} failures when the dice say ${random}`, () => {
    assertEquals(backoffMs(failures, random, limits), want);
  });
}

Deno.test("backoffMs() takes the limits for seeds when none are given", () => {
  assertEquals(backoffMs(1, ALMOST_ONE), SEED_BACKOFF.firstMs);
  assertEquals(backoffMs(100, ALMOST_ONE), SEED_BACKOFF.maxMs);
});

property(
  "backoffMs() is a whole number within a window that doubles",
  fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0, max: ALMOST_ONE, noNaN: true })),
  ([failures, random]) => {
    const ms = backoffMs(failures, random);
    const window = Math.min(30_000, 500 * 2 ** (failures - 1));
    assert(Number.isInteger(ms) && ms >= 0 && ms <= window, `${ms} of ${window}`);
    assert(Math.abs(ms - window * random) <= 1);
  },
);
