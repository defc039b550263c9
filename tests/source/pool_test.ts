import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { BusyError, TimeoutError } from "../../core/base/errors.ts";
import { SourcePool } from "../../core/source/pool.ts";
import type { Dial } from "../../core/source/dial.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { ScriptedSeed } from "../support/scripted_seed.ts";
import { ADDRESS, noAbort, thrownBy, watch } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

function poolOf(
  seed: Pick<ScriptedSeed, "dial">,
  clock: ManualClock,
  seedConnections = 2,
): SourcePool {
  return new SourcePool({
    clock,
    dial: seed.dial,
    seedConnections,
    stallMs: 5000,
    giveUpMs: 120_000,
    token: undefined,
  });
}

test("SourcePool.source() returns the same source for the same address", async () => {
  await using seed = new ScriptedSeed();
  await using pool = poolOf(seed, new ManualClock());
  const source = pool.source(ADDRESS);
  assertStrictEquals(pool.source({ ...ADDRESS }), source);
  for (const other of [{ port: 1 }, { host: "other" }, { tls: true }]) {
    assertEquals(pool.source({ ...ADDRESS, ...other }) === source, false);
  }
});

test("SourcePool limits the connections to a seed over all tasks", async () => {
  await using seed = new ScriptedSeed({ a: bytesOf("hello") }, async () => {
    await new ManualClock().advance(0);
    return undefined;
  });
  await using pool = poolOf(seed, new ManualClock());
  const tasks = Array.from({ length: 40 }, () => pool.source(ADDRESS).size("a", noAbort));
  assertEquals(await Promise.all(tasks), Array(40).fill(5));
  assertEquals(seed.mostOpen, 2);
});

test("SourcePool closes idle connections when no socket can be opened for another seed", async () => {
  await using seed = new ScriptedSeed({ a: bytesOf("hello") });
  const lack = new BusyError("Cannot connect to other:7270: too many open files here", 1000);
  const dial: Dial = (address, signal) => {
    const full = address.host === "other" && seed.open > 0;
    return full ? Promise.reject(lack) : seed.dial(address, signal);
  };
  const clock = new ManualClock();
  await using pool = poolOf({ dial }, clock);
  const other = pool.source({ ...ADDRESS, host: "other" });
  await pool.source(ADDRESS).size("a", noAbort);
  assertEquals(await thrownBy(other.size("a", noAbort)), lack);
  await clock.advance(0);
  assertEquals(await other.size("a", noAbort), 5);
});

test("SourcePool[Symbol.asyncDispose]() closes all sources and fails their requests", async () => {
  await using seed = new ScriptedSeed({ a: bytesOf("hello") }, async (_, client) => {
    await client.untilGone();
    return "answered";
  });
  const clock = new ManualClock();
  const pool = poolOf(seed, clock);
  const others = [ADDRESS, { ...ADDRESS, host: "other" }];
  const asked = others.map((address) => watch(pool.source(address).size("a", noAbort)));
  await clock.advance(0);
  assertEquals(seed.open, 2);
  await pool[Symbol.asyncDispose]();
  await clock.advance(0);
  assertEquals(asked.map(({ ending }) => ending && "error" in ending), [true, true]);
  assertEquals([seed.open, clock.pending], [0, 0]);
});

for (
  const { giveUpMs, connectMs } of [
    { giveUpMs: 120_000, connectMs: 5000 },
    { giveUpMs: 3000, connectMs: 1500 },
    { giveUpMs: 500, connectMs: 1000 },
  ]
) {
  test(`SourcePool gives a seed ${connectMs} ms to answer when tasks give up after ${giveUpMs} ms`, async () => {
    const clock = new ManualClock();
    const dial: Dial = (_, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    const options = { clock, dial, seedConnections: 2, stallMs: 5000, token: undefined };
    await using pool = new SourcePool({ ...options, giveUpMs });
    const asked = watch(pool.source(ADDRESS).protocol(noAbort));
    await clock.advance(connectMs - 1);
    assertEquals(asked.ending, undefined);
    await clock.advance(1);
    assert(asked.ending && "error" in asked.ending && asked.ending.error instanceof TimeoutError);
  });
}
