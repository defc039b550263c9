import { assertEquals, assertStrictEquals } from "@std/assert";
import { SeedPool } from "../../core/net/seed_pool.ts";
import { ManualClock } from "../fakes/manual_clock.ts";
import { ScriptedSeed } from "../fakes/scripted_seed.ts";
import { ADDRESS, bytesOf, calm, test, watch } from "./support.ts";

function poolOf(seed: ScriptedSeed, clock: ManualClock, seedConnections = 2): SeedPool {
  return new SeedPool({
    clock,
    dial: seed.dial,
    seedConnections,
    stallMs: 5000,
    giveUpMs: 120_000,
    token: undefined,
  });
}

test("SeedPool.link() gives the same link to all who name the same seed", async () => {
  await using seed = new ScriptedSeed();
  await using pool = poolOf(seed, new ManualClock());
  const link = pool.link(ADDRESS);
  assertStrictEquals(pool.link({ ...ADDRESS }), link);
  for (const other of [{ port: 1 }, { host: "other" }, { tls: true }]) {
    assertEquals(pool.link({ ...ADDRESS, ...other }) === link, false);
  }
});

test("SeedPool lets all tasks together open only so many connections to a seed", async () => {
  await using seed = new ScriptedSeed({ a: bytesOf("hello") }, async () => {
    await new ManualClock().advance(0);
    return undefined;
  });
  await using pool = poolOf(seed, new ManualClock());
  const tasks = Array.from({ length: 40 }, () => pool.link(ADDRESS).fileSize("a", calm));
  assertEquals(await Promise.all(tasks), Array(40).fill(5));
  assertEquals(seed.mostOpen, 2);
});

test("SeedPool[Symbol.asyncDispose]() closes all links, and ends who still asks", async () => {
  await using seed = new ScriptedSeed({ a: bytesOf("hello") }, async (_, client) => {
    await client.untilGone();
    return "answered";
  });
  const clock = new ManualClock();
  const pool = poolOf(seed, clock);
  const others = [ADDRESS, { ...ADDRESS, host: "other" }];
  const asked = others.map((address) => watch(pool.link(address).fileSize("a", calm)));
  await clock.advance(0);
  assertEquals(seed.open, 2);
  await pool[Symbol.asyncDispose]();
  await clock.advance(0);
  assertEquals(asked.map(({ ending }) => ending && "error" in ending), [true, true]);
  assertEquals([seed.open, clock.pending], [0, 0]);
});
