/**
 * What the seeds say of small files whose turn is near. A small file takes two
 * round trips, and the first one, for its manifest, can be made while others
 * are busy with theirs: asked for together, many manifests cost one.
 */
import type { Clock } from "../base/clock.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { SeedSource } from "../source/seed_source.ts";
import { probe, type ProbeResult } from "./probe.ts";

/** As many as a seed takes in one go. */
const MAX_PREFETCHED_NAMES = 16;
/** What was said longer ago is asked again: the file may be another one. */
const MAX_AGE_MS = 5000;

interface Prefetched {
  readonly askedAt: number;
  /** What was said, as soon as it is there. */
  answer: ProbeResult | Promise<ProbeResult | undefined> | undefined;
}

export class Prefetch implements AsyncDisposable {
  readonly #names: readonly string[];
  readonly #turns: ReadonlyMap<string, number>;
  readonly #links: readonly SeedSource[];
  readonly #clock: Clock;
  readonly #jobs: TaskGroup;
  readonly #prefetched = new Map<string, Prefetched>();
  /** Names before this one were asked for, or their turn has come. */
  #next = 0;

  /** @param names those of small files, in the order of their turns. */
  constructor(
    names: readonly string[],
    links: readonly SeedSource[],
    clock: Clock,
    signal: AbortSignal,
  ) {
    this.#names = names;
    this.#turns = new Map(names.map((name, turn) => [name, turn]));
    this.#links = links;
    this.#clock = clock;
    this.#jobs = new TaskGroup(signal);
  }

  /** The turn of `name` has come: those behind it are asked for. */
  begin(name: string): void {
    const turn = this.#turns.get(name);
    if (turn === undefined) return;
    this.#next = Math.max(this.#next, turn + 1);
    // Several at a time, which leave and come back together.
    if (this.#next > turn + MAX_PREFETCHED_NAMES / 2) return;
    const end = Math.min(turn + 1 + MAX_PREFETCHED_NAMES, this.#names.length);
    // A seed that has not answered yet is the task's business.
    const links = this.#links.filter(({ reached, troubled }) => reached && !troubled);
    if (links.length === 0) return;
    for (; this.#next < end; this.#next++) {
      for (const link of links) this.#ask(link, this.#names[this.#next]!);
    }
  }

  /** What `seed` said, or is about to say, of `name`, once; undefined where it is to be asked. */
  take(seed: string, name: string): ProbeResult | Promise<ProbeResult | undefined> | undefined {
    const key = keyOf(seed, name);
    const prefetched = this.#prefetched.get(key);
    this.#prefetched.delete(key);
    if (!prefetched || this.#clock.now() - prefetched.askedAt > MAX_AGE_MS) return undefined;
    return prefetched.answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#jobs[Symbol.asyncDispose]();
  }

  #ask(link: SeedSource, name: string): void {
    const { promise, resolve } = Promise.withResolvers<ProbeResult | undefined>();
    const prefetched: Prefetched = { askedAt: this.#clock.now(), answer: promise };
    this.#prefetched.set(keyOf(link.name, name), prefetched);
    this.#jobs.spawn(async (signal) => {
      try {
        const inquiry = await probe(link, name, signal);
        // Whatever else it is, the task hears it at the right time, and acts on it.
        prefetched.answer = inquiry.manifest && inquiry;
      } finally {
        if (prefetched.answer === promise) prefetched.answer = undefined;
        resolve(prefetched.answer);
      }
    });
  }
}

/** Neither an address nor a name holds a line end. */
function keyOf(seed: string, name: string): string {
  return `${seed}\n${name}`;
}
