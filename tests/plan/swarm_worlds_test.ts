/** Whole swarms, as a small set of what `deno task simulate swarm` runs. T is the time of one transfer. */
import { assert, assertEquals } from "@std/assert";
import { type ReceiverPlan, runSwarm, type SwarmEnd, type SwarmPlan } from "../sim/swarm_world.ts";

function run(
  count: number,
  each: (index: number) => ReceiverPlan = () => ({}),
  more: Partial<SwarmPlan> = {},
): SwarmEnd {
  const receivers = Array.from({ length: count }, (_, index) => each(index));
  const end = runSwarm({ pieces: 256, receivers, ...more });
  assertEquals(end.faults, []);
  assertEquals(end.unfinished, 0);
  return end;
}

function assertAtMost(end: SwarmEnd, times: number, copies: number): void {
  const factor = end.lastMs / end.oneMs;
  assert(factor <= times, `the last receiver needed ${factor.toFixed(2)} T`);
  assert(end.seedCopies <= copies, `the seed sent ${end.seedCopies.toFixed(2)} copies`);
}

Deno.test("A receiver alone downloads as fast as the line allows", () => {
  assertAtMost(run(1), 1.01, 1);
});

for (const dice of [1, 2, 3]) {
  Deno.test(`10 receivers need about the time of one, dice ${dice}`, () => {
    assertAtMost(run(10, undefined, { dice }), 1.15, 1.3);
  });
}

Deno.test("100 receivers need about the time of one", () => {
  assertAtMost(run(100), 1.25, 1.3);
});

Deno.test("30 % of receivers that share nothing make a swarm slower, and do not stop it", () => {
  assertAtMost(run(50, (index) => index % 10 < 3 ? { conduct: "rides" } : {}), 2.5, 2.5);
});

Deno.test("Receivers that come later find the others", () => {
  assertAtMost(run(20, (index) => ({ startMs: index * 500 })), 1.15, 2);
});

Deno.test("Receivers that leave when they are done do not stop the others", () => {
  assertAtMost(run(30, () => ({ leaves: true })), 2, 2);
});

Deno.test("Stale knowledge makes a swarm slower, and does not stop it", () => {
  assertAtMost(run(20, undefined, { staleMs: 1000 }), 2, 2);
});

Deno.test("Receivers finish from each other when the seed goes after it gave every piece", () => {
  const end = run(10, undefined, { seedDiesMs: 14_600 });
  assert(end.seedCopies < 1.1, `${end.seedCopies}`);
});

Deno.test("Receivers that are gone in the middle do not stop the others", () => {
  assertAtMost(run(20, (index) => index % 4 === 0 ? { diesMs: 3000 + index * 300 } : {}), 1.6, 2);
});
