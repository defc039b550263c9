import { assert, assertEquals, assertFalse } from "@std/assert";
import { SupplyRate } from "../../core/download/supply_rate.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** How many files of 16 KiB are requested at this time. */
function filesRequested(rate: SupplyRate, atMs: number, hasOthers = false): number {
  let count = 0;
  for (; rate.hasRoom(16 * KIB, hasOthers); count++) rate.requested(16 * KIB, atMs);
  return count;
}

Deno.test("SupplyRate always has room for one file", () => {
  const rate = new SupplyRate();
  assert(rate.hasRoom(100 * MIB, false));
  rate.requested(100 * MIB, 0);
  assertFalse(rate.hasRoom(1, false));
});

Deno.test("SupplyRate begins with 256 KiB, and with less where others can send the same", () => {
  assertEquals(filesRequested(new SupplyRate(), 0), 16);
  assertEquals(filesRequested(new SupplyRate(), 0, true), 4);
});

Deno.test("SupplyRate grows with what comes, also while the first rates are low", () => {
  const rate = new SupplyRate();
  assertEquals(filesRequested(rate, 0), 16);
  for (let file = 0; file < 8; file++) rate.answered(16 * KIB, 16 * KIB, 100);
  assertEquals(filesRequested(rate, 100), 16);
  // A second sample that is lower than what slow start reaches in the next round trip.
  for (let file = 0; file < 8; file++) rate.answered(16 * KIB, 16 * KIB, 300);
  assert(filesRequested(rate, 300) >= 8);
});

Deno.test("SupplyRate allows what the source sends in a second and a half", () => {
  const rate = new SupplyRate();
  rate.requested(4 * MIB, 0);
  rate.answered(4 * MIB, 4 * MIB, 2000);
  assertEquals(filesRequested(rate, 2000), 192);
});

Deno.test("SupplyRate gives a slow source little, and says how long it would take", () => {
  const rate = new SupplyRate();
  rate.requested(16 * KIB, 0);
  rate.answered(16 * KIB, 16 * KIB, 1600);
  assertEquals(Math.round(rate.msFor(16 * KIB)), 1600);
  assertEquals(filesRequested(rate, 1600, true), 4);
});

Deno.test("SupplyRate does not count the time without requests", () => {
  const rate = new SupplyRate();
  rate.requested(MIB, 0);
  rate.answered(MIB, MIB, 100);
  rate.requested(MIB, 60_000);
  rate.answered(MIB, MIB, 60_500);
  assertEquals(Math.round(rate.msFor(MIB)), 500);
});
