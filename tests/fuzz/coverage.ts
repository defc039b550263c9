/**
 * Which code of ours has ever run, asked of the engine's own counters in this
 * process. Asking takes some milliseconds, so it is done for many inputs at a time.
 */
import { Session } from "node:inspector";

/** Ranges lie inside one another, and the innermost one counts. */
interface FunctionCoverage {
  readonly ranges: readonly {
    readonly startOffset: number;
    readonly endOffset: number;
    readonly count: number;
  }[];
}

interface ScriptCoverage {
  readonly url: string;
  readonly functions: readonly FunctionCoverage[];
}

/** The sources whose code counts. */
const OURS = /\/(?:core|commands)\/[^?]*\.ts$/;

export class Coverage implements AsyncDisposable {
  readonly #session = new Session();
  /** By source: 1 for each character of code that ran. */
  readonly #ran = new Map<string, Uint8Array>();
  /** What the last call of `takeNew` found. */
  #new: { ran: Uint8Array; at: number }[] = [];

  private constructor() {
    this.#session.connect();
  }

  static async start(): Promise<Coverage> {
    const coverage = new Coverage();
    await coverage.#post("Profiler.enable");
    await coverage.#post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    return coverage;
  }

  /** Characters of code that have run until now. */
  get characters(): number {
    return this.#ran.values().reduce((sum, ran) => sum + ran.reduce((all, one) => all + one, 0), 0);
  }

  /** Whether code ran since the last call that had never run before. */
  async takeNew(): Promise<boolean> {
    this.#new = [];
    const answer = await this.#post("Profiler.takePreciseCoverage");
    const { result } = answer as { result: ScriptCoverage[] };
    for (const { url, functions } of result) {
      if (OURS.test(url)) { for (const each of functions) this.#add(url, each); }
    }
    return this.#new.length > 0;
  }

  /** Takes back what the last call found, so that it can be found again. */
  forgetNew(): void {
    for (const { ran, at } of this.#new) ran[at] = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#post("Profiler.stopPreciseCoverage");
    this.#session.disconnect();
  }

  #add(url: string, { ranges }: FunctionCoverage): void {
    const { startOffset: start, endOffset: end } = ranges[0]!;
    const counts = new Uint8Array(end - start);
    for (const { startOffset, endOffset, count } of ranges) {
      counts.fill(count > 0 ? 1 : 0, startOffset - start, endOffset - start);
    }
    const ran = this.#ranOf(url, end);
    for (let i = 0; i < counts.length; i++) {
      const at = start + i;
      if (counts[i] === 0 || ran[at] === 1) continue;
      ran[at] = 1;
      this.#new.push({ ran, at });
    }
  }

  #ranOf(url: string, length: number): Uint8Array {
    let ran = this.#ran.get(url);
    if (ran && ran.length >= length) return ran;
    const longer = new Uint8Array(length);
    longer.set(ran ?? []);
    this.#ran.set(url, ran = longer);
    return ran;
  }

  #post(method: string, params?: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, params, (error: unknown, result: unknown) => {
        if (error) reject(new Error(`Cannot measure coverage: ${JSON.stringify(error)}`));
        else resolve(result);
      });
    });
  }
}
