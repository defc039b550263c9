import { assert, assertEquals, assertFalse } from "@std/assert";
import { SupplyRate } from "../../core/download/supply_rate.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

Deno.test("SupplyRate always has room for one file", () => {
  const rate = new SupplyRate();
  assert(rate.hasRoom(100 * MIB, 1));
  rate.requested(100 * MIB, 0);
  assertFalse(rate.hasRoom(1, 1));
});

Deno.test("SupplyRate begins with half a MiB, shared by all sources", () => {
  for (const [sources, files] of [[1, 32], [4, 8], [100, 4]] as const) {
    const rate = new SupplyRate();
    let count = 0;
    for (; rate.hasRoom(16 * KIB, sources); count++) rate.requested(16 * KIB, 0);
    assertEquals(count, files);
  }
});

Deno.test("SupplyRate allows twice as much each round trip until the rate is known", () => {
  const rate = new SupplyRate();
  for (let file = 0; file < 32; file++) rate.requested(16 * KIB, 0);
  for (let file = 0; file < 32; file++) rate.answered(16 * KIB, 16 * KIB, 100);
  let count = 0;
  for (; rate.hasRoom(16 * KIB, 1); count++) rate.requested(16 * KIB, 100);
  assertEquals(count, 64);
});

Deno.test("SupplyRate allows what the source sends in a second and a half", () => {
  const rate = new SupplyRate();
  rate.requested(MIB, 0);
  rate.answered(MIB, MIB, 500);
  let bytes = 0;
  for (; rate.hasRoom(16 * KIB, 1); bytes += 16 * KIB) rate.requested(16 * KIB, 500);
  assertEquals(bytes, 3 * MIB);
});

Deno.test("SupplyRate gives a slow source little, and says how long it would take", () => {
  const rate = new SupplyRate();
  rate.requested(16 * KIB, 0);
  rate.answered(16 * KIB, 16 * KIB, 1600);
  assertEquals(Math.round(rate.msFor(16 * KIB)), 1600);
  let count = 0;
  for (; rate.hasRoom(16 * KIB, 1); count++) rate.requested(16 * KIB, 1600);
  assertEquals(count, 4);
});

Deno.test("SupplyRate does not count the time without requests", () => {
  const rate = new SupplyRate();
  rate.requested(MIB, 0);
  rate.answered(MIB, MIB, 100);
  rate.requested(MIB, 60_000);
  rate.answered(MIB, MIB, 60_500);
  assertEquals(Math.round(rate.msFor(MIB)), 500);
});
