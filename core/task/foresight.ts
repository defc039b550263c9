/**
 * What the seeds say of small files whose turn is near. A small file takes two
 * round trips, and the first one, for its manifest, can be made while others
 * are busy with theirs: asked for together, many manifests cost one.
 */
import type { Clock } from "../base/clock.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { SeedLink } from "../net/seed_link.ts";
import { inquire, type Inquiry } from "./inquire.ts";

/** As many as a seed takes in one go. */
const AHEAD = 16;
/** What was said longer ago is asked again: the file may be another one. */
const FRESH_MS = 5000;

interface Foreseen {
  readonly askedAt: number;
  /** What was said, as soon as it is there. */
  answer: Inquiry | Promise<Inquiry | undefined> | undefined;
}

export class Foresight implements AsyncDisposable {
  readonly #names: readonly string[];
  readonly #turns: ReadonlyMap<string, number>;
  readonly #links: readonly SeedLink[];
  readonly #clock: Clock;
  readonly #jobs: TaskGroup;
  readonly #foreseen = new Map<string, Foreseen>();
  /** Names before this one were asked for, or their turn has come. */
  #next = 0;

  /** @param names those of small files, in the order of their turns. */
  constructor(
    names: readonly string[],
    links: readonly SeedLink[],
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
    if (this.#next > turn + AHEAD / 2) return;
    const end = Math.min(turn + 1 + AHEAD, this.#names.length);
    // A seed that has not answered yet is the task's business.
    const links = this.#links.filter(({ reached, troubled }) => reached && !troubled);
    if (links.length === 0) return;
    for (; this.#next < end; this.#next++) {
      for (const link of links) this.#ask(link, this.#names[this.#next]!);
    }
  }

  /** What `seed` said, or is about to say, of `name`, once; undefined where it is to be asked. */
  take(seed: string, name: string): Inquiry | Promise<Inquiry | undefined> | undefined {
    const key = keyOf(seed, name);
    const foreseen = this.#foreseen.get(key);
    this.#foreseen.delete(key);
    if (!foreseen || this.#clock.now() - foreseen.askedAt > FRESH_MS) return undefined;
    return foreseen.answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#jobs[Symbol.asyncDispose]();
  }

  #ask(link: SeedLink, name: string): void {
    const { promise, resolve } = Promise.withResolvers<Inquiry | undefined>();
    const foreseen: Foreseen = { askedAt: this.#clock.now(), answer: promise };
    this.#foreseen.set(keyOf(link.name, name), foreseen);
    this.#jobs.spawn(async (signal) => {
      try {
        const inquiry = await inquire(link, name, signal);
        // Whatever else it is, the task hears it at the right time, and acts on it.
        foreseen.answer = inquiry.manifest && inquiry;
      } finally {
        if (foreseen.answer === promise) foreseen.answer = undefined;
        resolve(foreseen.answer);
      }
    });
  }
}

/** Neither an address nor a name holds a line end. */
function keyOf(seed: string, name: string): string {
  return `${seed}\n${name}`;
}
