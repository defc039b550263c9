/**
 * Tries every parser with made-up inputs: `deno task fuzz [amount] [dice] [target] [--keep]`,
 * the amount in seconds (`60s`) or inputs (`1000000`). The same amount of inputs with the same
 * dice is the same run. A part of it is guided by which code the inputs reach; with `--keep`,
 * what reached new code is added to tests/fuzz/corpus/. Exit code 1 if a parser broke a promise.
 */
import { addToCorpus, readCorpus, vectorOf } from "../tests/fuzz/corpus.ts";
import { Coverage } from "../tests/fuzz/coverage.ts";
import { faultOf, Fuzzer } from "../tests/fuzz/fuzzer.ts";
import { growthFault, PATTERNS } from "../tests/fuzz/growth.ts";
import { READ_BUFFER_TARGET } from "../tests/fuzz/read_buffer_target.ts";
import { StateFolder, stateTargets } from "../tests/fuzz/state_targets.ts";
import type { Target } from "../tests/fuzz/target.ts";
import { TEXT_TARGETS } from "../tests/fuzz/text_targets.ts";
import { HTTP_TARGETS } from "../tests/fuzz/http_targets.ts";
import { WIRE_TARGETS } from "../tests/fuzz/wire_targets.ts";
import { diceOf } from "../tests/sim/dice.ts";

/** One turn of a target; so all of them have had some when the time is up. */
const TURN = 10_000;
/** Files are written for each input: those targets take so many times longer. */
const STATE_SHARE = 0.02;
/** Guided inputs find new code early or not at all. */
const GUIDED_TURNS = 3;
/** A broken parser breaks often, and the same way. */
const MAX_SHOWN = 5;
/** What is too slow would be too slow to make smaller. */
const SLOW = /^it takes /;

const keeps = Deno.args.includes("--keep");
const [amount = "30s", dice = "1", only] = Deno.args.filter((arg) => !arg.startsWith("--"));
const seconds = amount.endsWith("s") ? Number(amount.slice(0, -1)) : Infinity;
const count = amount.endsWith("s") ? Infinity : Number(amount);
if (Number.isNaN(seconds) || Number.isNaN(count)) throw new Error(`Cannot use amount "${amount}"`);

using folder = new StateFolder();
const state = stateTargets(folder);
const targets = [...WIRE_TARGETS, ...HTTP_TARGETS, READ_BUFFER_TARGET, ...TEXT_TARGETS, ...state]
  .filter(({ name }) => only === undefined || name === only);
if (targets.length === 0) throw new Error(`Cannot find target "${only}"`);
const fuzzers = targets.map((target) =>
  new Fuzzer(target, readCorpus(target.name), diceOf(Number(dice)))
);
const slow = await growthFaults();
const startedAt = performance.now();
await fuzzAll();
Deno.exitCode = await report() && slow.length === 0 ? 0 : 1;

/** The long and regular inputs that take more than linear time. */
async function growthFaults(): Promise<string[]> {
  const faults: string[] = [];
  for (const target of targets) {
    for (const [name, pattern] of Object.entries(PATTERNS)) {
      const fault = await growthFault(target, pattern);
      if (fault !== undefined) faults.push(`${target.name}, ${name}: ${fault}`);
    }
  }
  for (const fault of faults) console.log(fault);
  return faults;
}

async function fuzzAll(): Promise<void> {
  {
    await using coverage = await Coverage.start();
    for (const fuzzer of fuzzers) await fuzzer.begin();
    // What good inputs reach is no news.
    await coverage.takeNew();
    for (let turn = 0; turn < GUIDED_TURNS; turn++) {
      await eachInTurn((fuzzer, inputs) => fuzzer.runGuided(inputs, coverage));
    }
    console.log(`${coverage.characters} characters of code reached in the guided part`);
  }
  while (!isOver()) await eachInTurn((fuzzer, inputs) => fuzzer.run(inputs));
}

async function eachInTurn(run: (fuzzer: Fuzzer, inputs: number) => Promise<void>): Promise<void> {
  for (const fuzzer of fuzzers) {
    if (isOver()) return;
    await run(fuzzer, TURN * (state.includes(fuzzer.target) ? STATE_SHARE : 1));
  }
}

function isOver(): boolean {
  return total() >= count || performance.now() - startedAt >= seconds * 1000;
}

function total(): number {
  return fuzzers.reduce((sum, { inputs }) => sum + inputs, 0);
}

/** True when all is well. */
async function report(): Promise<boolean> {
  for (const { target, inputs, discoveries, findings } of fuzzers) {
    const line = [target.name.padEnd(18), String(inputs).padStart(10), "inputs,"];
    console.log(
      ...line,
      `${discoveries.length} reached new code, ${findings.length} broke a promise`,
    );
    for (const { input, fault } of findings.slice(0, MAX_SHOWN)) {
      const shown = SLOW.test(fault) ? input : await smallest(target, input);
      console.log(`  input: ${vectorOf(shown)}\n  ${fault}`);
    }
    if (keeps && discoveries.length > 0) addToCorpus(target.name, discoveries);
  }
  const broken = fuzzers.reduce((sum, { findings }) => sum + findings.length, 0);
  const took = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${total()} inputs in ${took} s with dice ${dice}: ${broken} broke a promise`);
  return broken === 0;
}

/** `input` without what is not needed to break the promise. */
async function smallest(target: Target, input: Uint8Array): Promise<Uint8Array> {
  for (let length = input.length >> 1; length >= 1; length >>= 1) {
    for (let at = 0; at < input.length;) {
      const rest = Uint8Array.from([...input.subarray(0, at), ...input.subarray(at + length)]);
      if (await faultOf(target, rest) === undefined) at += length;
      else input = rest;
    }
  }
  return input;
}
