/**
 * What a running task shows of its inside to those who look into it: how each
 * seed does, and where the pieces are. Bounded, since it is written twice a
 * second: some seeds, some cells, short reasons.
 */
import { cellOf } from "../base/piece_cells.ts";
import type { SeedChange, TaskEvent } from "../events.ts";
import type { SeedProgress, SeedsProgress } from "./seed_progress.ts";

/** How one seed does for one task. */
export interface SeedSnapshot {
  readonly seed: string;
  /** The last that was heard of it; `joined` and `back` are those who give. */
  readonly standing: SeedChange;
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
export interface PiecesSnapshot {
  readonly count: number;
  readonly cells: readonly number[];
}

export interface TaskDetail {
  readonly seeds: readonly SeedSnapshot[];
  /** Seeds beside those. */
  readonly moreSeeds: number;
  /** null until the part file is open. */
  readonly pieces: PiecesSnapshot | null;
  /** What keeps it from going on, as a full disk; null while nothing does. */
  readonly trouble: string | null;
}

/** More than fit on a screen help nobody; those that give most come first. */
const MAX_SEEDS = 8;
/** As much of what is in the way. */
const MAX_TROUBLE_CHARACTERS = 200;

/** As much slower, for so long: then the scheduler may take its pieces back. */
const SLOW_GAIN = 4;
const SLOW_MS = 5000;

/** What goes on inside of one task. */
export class DetailTracker {
  readonly #seeds: SeedsProgress;
  #pieces: { count: number; cells: number[] } | undefined;
  #trouble: string | null = null;

  /** @param seeds which have heard of each event before. */
  constructor(seeds: SeedsProgress) {
    this.#seeds = seeds;
  }

  take(event: TaskEvent): void {
    switch (event.kind) {
      case "pieces":
        this.#pieces = { count: event.count, cells: [...event.cells] };
        break;
      case "received":
        this.#trouble = null;
        break;
      case "stored":
        if (this.#pieces) this.#pieces.cells[cellOf(event.piece, this.#pieces.count)]!++;
        break;
      case "note":
        if (event.level === "warn") {
          this.#trouble = event.word ?? event.text.slice(0, MAX_TROUBLE_CHARACTERS);
        }
    }
  }

  at(nowMs: number): TaskDetail {
    const paces = Array.from(this.#seeds, ([, { pace }]) => pace.rateAt(nowMs));
    const fastest = Math.max(0, ...paces);
    const seeds = Array.from(this.#seeds, ([name, seed]) => seedAt(name, seed, fastest, nowMs))
      .sort((a, b) => b.bytes - a.bytes);
    return {
      seeds: seeds.slice(0, MAX_SEEDS),
      moreSeeds: Math.max(0, seeds.length - MAX_SEEDS),
      pieces: this.#pieces ?? null,
      trouble: this.#trouble,
    };
  }
}

/** @param fastest of all, bytes a second over a while. */
function seedAt(name: string, seed: SeedProgress, fastest: number, nowMs: number): SeedSnapshot {
  const { news, rate, pace, bytes, inFlight, failures, corrupt, reason, retryAt, askedAt } = seed;
  const gives = news === "joined" || news === "back";
  const late = nowMs - askedAt >= SLOW_MS;
  return {
    seed: name,
    standing: news,
    rate: Math.round(rate.displayRateAt(nowMs)),
    slow: gives && late && pace.rateAt(nowMs) * SLOW_GAIN < fastest,
    bytes,
    inFlight,
    failures: failures + corrupt,
    reason,
    retryAt,
  };
}
