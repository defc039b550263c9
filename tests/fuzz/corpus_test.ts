import { assertEquals } from "@std/assert";
import { diceOf } from "../sim/dice.ts";
import { parseVector, readCorpus, vectorOf } from "./corpus.ts";
import { Coverage } from "./coverage.ts";
import { Fuzzer } from "./fuzzer.ts";
import { growthFault, PATTERNS } from "./growth.ts";
import { HTTP_TARGETS } from "./http_targets.ts";
import { READ_BUFFER_TARGET } from "./read_buffer_target.ts";
import { StateFolder, stateTargets } from "./state_targets.ts";
import type { Target } from "./target.ts";
import { TEXT_TARGETS } from "./text_targets.ts";
import { WIRE_TARGETS } from "./wire_targets.ts";

/** Enough to notice a parser that breaks often; deno task fuzz looks longer. */
const INPUTS = 300;

const PURE: readonly Target[] = [
  ...WIRE_TARGETS,
  ...HTTP_TARGETS,
  READ_BUFFER_TARGET,
  ...TEXT_TARGETS,
];

for (const target of PURE) {
  Deno.test(`the parser of ${target.name} keeps its promises for all kept and some new inputs`, async () => {
    await assertKeeps(target, INPUTS);
  });
}

Deno.test("the readers of the state folder keep their promises for all kept and some new inputs", async (t) => {
  using folder = new StateFolder();
  for (const target of stateTargets(folder)) {
    await t.step(target.name, async () => await assertKeeps(target, INPUTS / 10));
  }
});

for (const target of PURE) {
  Deno.test(`the parser of ${target.name} takes no more than linear time for long and regular inputs`, async () => {
    await assertLinear(target);
  });
}

Deno.test("the readers of the state folder take no more than linear time for long and regular inputs", async (t) => {
  using folder = new StateFolder();
  for (const target of stateTargets(folder)) {
    await t.step(target.name, async () => await assertLinear(target));
  }
});

async function assertLinear(target: Target): Promise<void> {
  const faults: string[] = [];
  for (const [name, pattern] of Object.entries(PATTERNS)) {
    const fault = await growthFault(target, pattern);
    if (fault !== undefined) faults.push(`${name}: ${fault}`);
  }
  assertEquals(faults, []);
}

async function assertKeeps(target: Target, inputs: number): Promise<void> {
  const fuzzer = new Fuzzer(target, readCorpus(target.name), diceOf(20_261_122));
  await fuzzer.begin();
  await fuzzer.run(inputs);
  const reported = fuzzer.findings.map(({ input, fault }) => `${vectorOf(input)}: ${fault}`);
  assertEquals(reported, []);
}

/** Promises never to get a text with a Q, and does. */
const BROKEN: Target = {
  name: "broken",
  seeds: [new TextEncoder().encode("abc|7")],
  run(input) {
    if (input.includes(81)) throw new Error("there is a Q");
  },
};

Deno.test("Fuzzer.run() finds what breaks a promise, and the same again with the same dice", async () => {
  const [one, other] = await Promise.all([1, 1].map(async (dice) => {
    const fuzzer = new Fuzzer(BROKEN, [], diceOf(dice));
    await fuzzer.run(5000);
    return fuzzer.findings.map(({ input }) => vectorOf(input));
  }));
  assertEquals(one!.length > 0, true);
  assertEquals(one, other);
  assertEquals(one!.every((vector) => parseVector(vector).includes(81)), true);
});

Deno.test("Fuzzer.runGuided() keeps inputs that reach code which none before had reached", async () => {
  const listing = WIRE_TARGETS.find(({ name }) => name === "listing")!;
  // With nothing but an empty listing, each kind of fault is news.
  const fuzzer = new Fuzzer({ ...listing, seeds: [new Uint8Array()] }, [], diceOf(1));
  await using coverage = await Coverage.start();
  await fuzzer.runGuided(1000, coverage);
  assertEquals(fuzzer.discoveries.length > 0, true);
  assertEquals(coverage.characters > 0, true);
});
