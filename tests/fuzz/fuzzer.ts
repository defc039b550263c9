/**
 * Tries one target with inputs made by dice: first guided, where inputs that
 * reach new code become parents of others, then blind and faster.
 */
import process from "node:process";
import type { Coverage } from "./coverage.ts";
import { Mutator } from "./mutate.ts";
import type { Target } from "./target.ts";

/** Asking the engine for its counters costs as much as a hundred inputs. */
const BATCH = 500;
/** Old parents make place, or all inputs would be children of the last discoveries. */
const MAX_PARENTS = 500;
/**
 * What a parser may take. The dearest honest input, 20 KiB of two-byte lines that are no
 * text, takes 0.015 ms a byte; what grows with the square of the length takes seconds for
 * as much. On a machine with other work a clock jumps, and collecting garbage falls to
 * whoever is running: so a slow input is measured again, by the processor's time.
 */
const SLOW_MS = 50;
const SLOW_MS_A_BYTE = 0.03;
const MEASURED_AGAIN = 5;

export interface Finding {
  readonly input: Uint8Array;
  readonly fault: string;
}

export class Fuzzer {
  readonly target: Target;
  /** Inputs that reached code which no input before them had reached. */
  readonly discoveries: Uint8Array[] = [];
  readonly findings: Finding[] = [];
  inputs = 0;
  readonly #mutator: Mutator;
  readonly #parents: Uint8Array[];

  constructor(target: Target, kept: readonly Uint8Array[], random: () => number) {
    this.target = target;
    this.#mutator = new Mutator(random);
    this.#parents = [...target.seeds, ...kept];
  }

  /** The parents themselves. */
  async begin(): Promise<void> {
    for (const input of this.#parents) await this.#try(input);
  }

  /** So many inputs, blindly. */
  async run(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#try(this.#mutator.next(this.#parents));
  }

  /** So many inputs; what reaches new code becomes a parent. */
  async runGuided(count: number, coverage: Coverage): Promise<void> {
    for (let done = 0; done < count; done += BATCH) {
      const batch = Array.from({ length: BATCH }, () => this.#mutator.next(this.#parents));
      for (const input of batch) await this.#try(input);
      if (await coverage.takeNew()) await this.#keepOf(batch, coverage);
    }
  }

  /** The counters tell that code ran, not by which input: the batch is halved until that is known. */
  async #keepOf(batch: readonly Uint8Array[], coverage: Coverage): Promise<void> {
    if (batch.length === 1) return this.#keep(batch[0]!);
    coverage.forgetNew();
    const middle = batch.length >> 1;
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      for (const input of half) await this.#try(input);
      if (await coverage.takeNew()) await this.#keepOf(half, coverage);
    }
  }

  #keep(input: Uint8Array): void {
    this.discoveries.push(input);
    this.#parents.push(input);
    if (this.#parents.length > MAX_PARENTS) this.#parents.splice(this.target.seeds.length, 1);
  }

  async #try(input: Uint8Array): Promise<void> {
    this.inputs++;
    const fault = await faultOf(this.target, input);
    if (fault !== undefined) this.findings.push({ input, fault });
  }
}

/** Why the target does not stand `input`, or undefined when it does. */
export async function faultOf(target: Target, input: Uint8Array): Promise<string | undefined> {
  try {
    const slow = SLOW_MS + input.length * SLOW_MS_A_BYTE;
    const startedAt = performance.now();
    await runOnce(target, input);
    if (performance.now() - startedAt <= slow) return undefined;
    const ms = await leastCpuMs(target, input);
    return ms > slow ? `it takes ${Math.round(ms)} ms` : undefined;
  } catch (error) {
    return error instanceof Error ? error.stack ?? String(error) : String(error);
  }
}

/** The least processor time of several runs, in ms. */
export async function leastCpuMs(target: Target, input: Uint8Array): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < MEASURED_AGAIN; i++) {
    const before = process.cpuUsage();
    await runOnce(target, input);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

export async function runOnce(target: Target, input: Uint8Array): Promise<void> {
  const running = target.run(input);
  // Most targets do not wait, and a turn for each would cost a third of the time.
  if (running) await running;
}
