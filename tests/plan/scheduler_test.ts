import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { runWorld } from "../sim/world.ts";
import type { Habits } from "../sim/sim_seed.ts";
import { faultsOfWorld } from "../sim/random_world.ts";
import type { DownloadPlan } from "../sim/sim_download.ts";

const MIB = 1024 * 1024;
const SIZE = 200 * MIB;

function seed(name: string, mibPerSecond: number, more: Partial<Habits> = {}): Habits {
  return { name, rate: mibPerSecond * MIB, latencyMs: 5, ...more };
}

/** One download in a world of its own. */
function run(plan: DownloadPlan, ...seeds: Habits[]) {
  const { downloads: [end], sent } = runWorld({ downloads: [plan], seeds });
  return { ...end!, sent };
}

function msOf(...seeds: Habits[]): number {
  const end = run({ size: SIZE }, ...seeds);
  assertEquals(end.how, "complete");
  assertEquals(end.faults, []);
  return end.ms;
}

/** 1 when all have the same, 1/n when one has all (Jain, Chiu and Hawe, 1984). */
function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return sum * sum / (shares.length * squares);
}

Deno.test("Scheduler shares seeds within Jain 0.95 when four equal tasks run", () => {
  const downloads = Array.from({ length: 4 }, () => ({ size: SIZE }));
  const { downloads: ends } = runWorld({
    downloads,
    seeds: [seed("a", 20), seed("b", 20), seed("c", 5)],
  });
  assert(jain(ends.map(({ ms }) => SIZE / ms)) >= 0.95);
});

Deno.test("Scheduler goes on unharmed when another task on the same seeds is cancelled", () => {
  const downloads = [{ size: SIZE }, { size: SIZE, cancelMs: 3000 }];
  const { downloads: [kept, cancelled] } = runWorld({ downloads, seeds: [seed("a", 20)] });
  assertEquals([kept!.how, cancelled!.how], ["complete", "cancelled"]);
  assertLess(kept!.ms, msOf(seed("a", 20)) + 3000);
});

Deno.test("Scheduler needs at most 0.37 of the time when there are three equal seeds instead of one", () => {
  const one = msOf(seed("a", 20));
  const three = msOf(seed("a", 20), seed("b", 20), seed("c", 20));
  assertLessOrEqual(three / one, 0.37);
});

for (const slow of [0.001, 0.02, 0.5, 2]) {
  Deno.test(`Scheduler loses at most 5 % when a seed of ${slow} MiB/s joins two fast ones`, () => {
    const without = msOf(seed("a", 20), seed("b", 20));
    const together = msOf(seed("a", 20), seed("b", 20), seed("slow", slow));
    assertLessOrEqual(together / without, 1.05);
  });
}

const survivable: { name: string; seeds: Habits[]; withinMs: number }[] = [
  {
    name: "a seed dies half way",
    seeds: [seed("a", 20), seed("b", 20, { away: [{ fromMs: 2500, toMs: Infinity }] })],
    withinMs: 8500,
  },
  {
    name: "a seed goes silent",
    seeds: [seed("a", 20), seed("b", 20, { silentFromMs: 2500 })],
    withinMs: 13_000,
  },
  {
    name: "a seed always lies",
    seeds: [seed("a", 20), seed("b", 20, { lies: 1 })],
    withinMs: 10_500,
  },
  {
    name: "the only seed is away for a while",
    seeds: [seed("a", 20, { away: [{ fromMs: 3000, toMs: 6000 }] })],
    withinMs: 24_000,
  },
  {
    name: "every seed is busy half of the time",
    seeds: [seed("a", 20, { busy: 0.5 }), seed("b", 20, { busy: 0.5 })],
    withinMs: 200_000,
  },
];
for (const { name, seeds, withinMs } of survivable) {
  Deno.test(`Scheduler completes when ${name}`, () => assertLess(msOf(...seeds), withinMs));
}

Deno.test("Scheduler stops asking a seed after its third wrong piece", () => {
  const end = run({ size: SIZE }, seed("a", 20), seed("liar", 20, { lies: 1 }));
  // Two more may be under way when the third one is found out.
  assertLessOrEqual(end.sent["liar"]!, 5 * MIB);
});

Deno.test("Scheduler gives up when the only seed always lies", () => {
  assertEquals(run({ size: SIZE }, seed("liar", 20, { lies: 1 })).how, "give-up");
});

Deno.test("Scheduler gives up after giveUpMs when the only seed is gone for good", () => {
  const gone = seed("a", 20, { away: [{ fromMs: 1000, toMs: Infinity }] });
  const end = run({ size: SIZE, giveUpMs: 30_000 }, gone);
  assertEquals(end.how, "give-up");
  assert(end.ms >= 30_000 && end.ms < 32_000, `gave up after ${end.ms} ms`);
});

Deno.test("Scheduler asks less than 2 % twice when seeds differ tenfold", () => {
  const end = run({ size: SIZE }, seed("a", 20), seed("b", 2), seed("c", 0.2));
  assertLess(end.twice, 0.02 * SIZE + MIB);
});

Deno.test("Scheduler completes at once when nothing is missing", () => {
  assertEquals(run({ size: 0 }, seed("a", 20)).how, "complete");
});

const worlds = Number(Deno.env.get("P2P_WORLDS") ?? 1000);
Deno.test(`Scheduler keeps its rules in ${worlds} made-up worlds`, () => {
  for (let world = 0; world < worlds; world++) {
    assertEquals(faultsOfWorld(world), [], `world ${world}: deno task simulate 1 ${world}`);
  }
});
