/**
 * What a running task shows of its inside to those who look into it: how each
 * seed does, and where the pieces are. Bounded, since it is written twice a
 * second: some seeds, some cells, short reasons.
 */
import { cellOf } from "../base/piece_cells.ts";
import { RateMeter } from "../base/rate.ts";
import type { SeedNews, TaskEvent } from "../events.ts";

/** How one seed does for one task. */
export interface SeedNow {
  readonly seed: string;
  /** The last that was heard of it; `joined` and `back` are those who give. */
  readonly standing: SeedNews;
  /** Bytes a second. */
  readonly rate: number;
  /** Much slower than the fastest, and others wait for it. */
  readonly slow: boolean;
  /** Received from it in this run. */
  readonly bytes: number;
  /** Pieces asked of it that are not there yet. */
  readonly inFlight: number;
  /** How often it failed or sent corrupt bytes. */
  readonly failures: number;
  /** Why it does not give, or did not the last time it failed; null if nothing was amiss. */
  readonly reason: string | null;
  /** When it is asked again (ms since 1970); null unless it is waited for. */
  readonly retryAt: number | null;
}

/** Where the pieces are: see `piece_cells.ts`. */
export interface PiecesNow {
  readonly count: number;
  readonly cells: readonly number[];
}

export interface TaskDetail {
  readonly seeds: readonly SeedNow[];
  /** Seeds beside those. */
  readonly moreSeeds: number;
  /** null until the part file is open. */
  readonly pieces: PiecesNow | null;
  /** What keeps it from going on, as a full disk; null while nothing does. */
  readonly trouble: string | null;
}

/** More than fit on a screen help nobody; those that give most come first. */
const MOST_SEEDS = 8;
/** A reason is a sentence; what is longer was made long. */
const MOST_REASON = 200;

/** As much slower, for so long: then the scheduler may take its pieces back. */
const SLOW_GAIN = 4;
const SLOW_MS = 5000;
/** Over so long: under a limit of ours, seeds send by turns. */
const PACE_MS = 10_000;

/** Follows one task's events. */
export class DetailKeeper {
  readonly #seeds = new Map<string, Seed>();
  #pieces: { count: number; cells: number[] } | undefined;
  #trouble: string | null = null;

  take(event: TaskEvent): void {
    switch (event.kind) {
      case "found":
        for (const seed of event.seeds) this.#seed(seed);
        break;
      case "pieces":
        this.#pieces = { count: event.count, cells: [...event.cells] };
        break;
      case "flight":
        this.#seed(event.seed).ask(event.pieces, event.time);
        break;
      case "received":
        this.#trouble = null;
        this.#seed(event.seed).receive(event.bytes, event.time);
        break;
      case "stored":
        if (this.#pieces) this.#pieces.cells[cellOf(event.piece, this.#pieces.count)]!++;
        break;
      case "seed":
        this.#seed(event.seed).hear(event);
        break;
      case "note":
        if (event.level === "warn") this.#trouble = event.word ?? event.text.slice(0, MOST_REASON);
        break;
      case "state":
        // Whatever was asked for is given up when a task has to wait.
        if (event.state === "waiting") this.#seeds.forEach((seed) => seed.ask(0, event.time));
    }
  }

  at(timeMs: number): TaskDetail {
    const all = Array.from(this.#seeds, ([name, seed]) => seed.at(name, timeMs));
    const pace = (seed: string) => this.#seed(seed).pace(timeMs);
    const fastest = all.reduce((most, { seed }) => Math.max(most, pace(seed)), 0);
    const seeds = all.map((now) => {
      const gives = now.standing === "joined" || now.standing === "back";
      const late = timeMs - this.#seed(now.seed).askedAt >= SLOW_MS;
      return { ...now, slow: gives && late && pace(now.seed) * SLOW_GAIN < fastest };
    }).sort((a, b) => b.bytes - a.bytes);
    return {
      seeds: seeds.slice(0, MOST_SEEDS),
      moreSeeds: Math.max(0, seeds.length - MOST_SEEDS),
      pieces: this.#pieces ?? null,
      trouble: this.#trouble,
    };
  }

  #seed(name: string): Seed {
    let seed = this.#seeds.get(name);
    if (!seed) this.#seeds.set(name, seed = new Seed());
    return seed;
  }
}

class Seed {
  readonly #meter = new RateMeter();
  readonly #pace = new RateMeter(PACE_MS);
  #inFlight = 0;
  /** Since when it always had something to send; never, while it has nothing. */
  #askedAt = Infinity;
  #bytes = 0;
  #failures = 0;
  #standing: SeedNews = "joined";
  #reason: string | null = null;
  #retryAt: number | null = null;

  get askedAt(): number {
    return this.#askedAt;
  }

  /** Bytes a second over a while. */
  pace(timeMs: number): number {
    return this.#pace.at(timeMs);
  }

  ask(pieces: number, timeMs: number): void {
    if (pieces === 0) this.#askedAt = Infinity;
    else if (this.#inFlight === 0) this.#askedAt = timeMs;
    this.#inFlight = pieces;
  }

  receive(bytes: number, timeMs: number): void {
    this.#meter.add(bytes, timeMs);
    this.#pace.add(bytes, timeMs);
    this.#bytes += bytes;
    this.#retryAt = null;
    // Who sends is not away any more, whatever was said of it.
    if (this.#standing !== "dropped") this.#standing = "joined";
  }

  hear({ what, reason, retryInMs, time }: TaskEvent & { kind: "seed" }): void {
    this.#standing = what;
    this.#retryAt = retryInMs === undefined ? null : time + retryInMs;
    if (what === "joined" || what === "back") return;
    this.#reason = reason.slice(0, MOST_REASON);
    if (what === "failing" || what === "corrupt") this.#failures++;
  }

  at(seed: string, timeMs: number): SeedNow {
    return {
      seed,
      standing: this.#standing,
      rate: Math.round(this.#meter.liveAt(timeMs)),
      slow: false,
      bytes: this.#bytes,
      inFlight: this.#inFlight,
      failures: this.#failures,
      reason: this.#reason,
      retryAt: this.#retryAt,
    };
  }
}
