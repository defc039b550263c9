/**
 * Probes sources for small files before their task begins. A small file takes two round trips;
 * probes for several files, sent together, share the first one.
 */
import type { Clock } from "../base/clock.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { Source } from "../source/source.ts";
import { probe, type ProbeResult } from "./probe.ts";

/** As many requests as a seed takes at a time. */
const MAX_PREFETCHED_NAMES = 16;
/** Older answers are requested again: the file may have changed. */
const MAX_AGE_MS = 5000;

interface Prefetched {
  readonly askedAt: number;
  /** A promise until it is there; undefined if it is of no use. */
  answer: ProbeResult | Promise<ProbeResult | undefined> | undefined;
}

export class Prefetch implements AsyncDisposable {
  readonly #names: readonly string[];
  readonly #positions: ReadonlyMap<string, number>;
  readonly #sources: readonly Source[];
  readonly #clock: Clock;
  readonly #jobs: TaskGroup;
  readonly #prefetched = new Map<string, Prefetched>();
  /** Names before this position were probed, or their task has begun. */
  #next = 0;

  /** @param names of small files, in the order of their tasks */
  constructor(
    names: readonly string[],
    sources: readonly Source[],
    clock: Clock,
    signal: AbortSignal,
  ) {
    this.#names = names;
    this.#positions = new Map(names.map((name, position) => [name, position]));
    this.#sources = sources;
    this.#clock = clock;
    this.#jobs = new TaskGroup(signal);
  }

  /** The task of `name` begins: probes for those behind it. */
  begin(name: string): void {
    const position = this.#positions.get(name);
    if (position === undefined) return;
    this.#next = Math.max(this.#next, position + 1);
    // Several at a time, so that they leave in one write.
    if (this.#next > position + MAX_PREFETCHED_NAMES / 2) return;
    const end = Math.min(position + 1 + MAX_PREFETCHED_NAMES, this.#names.length);
    // Only tasks handle sources that have not answered yet.
    const sources = this.#sources.filter(({ reached, troubled }) => reached && !troubled);
    if (sources.length === 0) return;
    for (; this.#next < end; this.#next++) {
      for (const source of sources) this.#probe(source, this.#names[this.#next]!);
    }
  }

  /** What a source answered, or is about to answer, once; undefined if it has to be probed. */
  take(id: string, name: string): ProbeResult | Promise<ProbeResult | undefined> | undefined {
    const key = keyOf(id, name);
    const prefetched = this.#prefetched.get(key);
    this.#prefetched.delete(key);
    if (!prefetched || this.#clock.now() - prefetched.askedAt > MAX_AGE_MS) return undefined;
    return prefetched.answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#jobs[Symbol.asyncDispose]();
  }

  #probe(source: Source, name: string): void {
    const { promise, resolve } = Promise.withResolvers<ProbeResult | undefined>();
    const prefetched: Prefetched = { askedAt: this.#clock.now(), answer: promise };
    this.#prefetched.set(keyOf(source.id, name), prefetched);
    this.#jobs.spawn(async (signal) => {
      try {
        const result = await probe(source, name, signal);
        // Any other answer has to come when the task can act on it.
        prefetched.answer = result.manifest && result;
      } finally {
        if (prefetched.answer === promise) prefetched.answer = undefined;
        resolve(prefetched.answer);
      }
    });
  }
}

/** Neither an address nor a name contains a line end. */
function keyOf(id: string, name: string): string {
  return `${id}\n${name}`;
}
