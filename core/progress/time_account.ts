/**
 * Where a task's time goes: facts and the time go in, so many milliseconds for
 * each thing that it waited for come out. Pure. It measures what this process
 * can see; whether slow bytes are the seed's or the network's doing it cannot.
 */
import { isOver, type TaskEvent, type TaskState, type WaitsFor } from "../events.ts";
import type { SeedProgress, SeedsProgress } from "./seed_progress.ts";

export const SPANS = [
  /** Its turn among those that run. */
  "place",
  /** The user's word. */
  "paused",
  /** Room on the disk. */
  "room",
  /** The seeds' first answers. */
  "asking",
  /** Seeds that still hash the file. */
  "pending",
  /** Seeds that asked for a pause. */
  "busy",
  /** Any seed that can be reached. */
  "unreachable",
  /** A look at what is on this disk already. */
  "checking",
  /** The user's own limit on bytes a second. */
  "limit",
  /** Bytes that were asked for. */
  "bytes",
  /** The disk, after the last byte. */
  "finishing",
] as const;

export type Span = typeof SPANS[number];
export type TimeSpent = Readonly<Partial<Record<Span, number>>>;

/** How a seed stands with one task. */
export type SeedStatus =
  | "gives"
  | "pending"
  | "busy"
  | "failing"
  | "lacks"
  | "dissents"
  | "dropped";

export interface SeedSummary {
  readonly seed: string;
  readonly standing: SeedStatus;
  /** Why, when it does not give. */
  readonly reason: string | null;
  readonly bytes: number;
  /** Bytes a second, of late. */
  readonly rate: number;
  /** How often it failed, and how often its bytes were wrong. */
  readonly failures: number;
  readonly corrupt: number;
}

/** What is known at one moment: plain data for other processes. */
export interface TimeReport {
  /** Milliseconds. */
  readonly spent: TimeSpent;
  /** What it waits for at `at`; null when it is over. */
  readonly now: Span | null;
  /** When the account was made, ms since 1970. */
  readonly at: number;
  /** Of `bytes`: work of this computer on pieces, ms, added up over all that went on at a time. */
  readonly hashMs: number;
  readonly diskMs: number;
  /** Those that gave most first; no more than a few. */
  readonly seeds: readonly SeedSummary[];
}

/** More seeds say nothing more about a bottleneck, and the account is written twice a second. */
const MAX_SEEDS = 12;

export class TimeAccount {
  readonly #spent: Partial<Record<Span, number>> = {};
  readonly #seeds: SeedsProgress;
  #state: TaskState = "waiting";
  #waitsFor: WaitsFor = "place";
  #size: number | undefined;
  #stored = 0;
  #limited = false;
  /** Whether a seed said anything about this attempt. */
  #asked = false;
  #hashMs = 0;
  #diskMs = 0;
  #span: Span | null = "place";
  #since: number;

  /**
   * @param queuedAt when it began to wait for its turn.
   * @param seeds which have heard of each event before.
   */
  constructor(queuedAt: number, seeds: SeedsProgress) {
    this.#since = queuedAt;
    this.#seeds = seeds;
  }

  /** @param nowMs the monotonic time at which `event` happened. */
  take(event: TaskEvent, nowMs: number): void {
    // While bytes come, more of them change nothing.
    if (event.kind === "received" && this.#span === "bytes") return;
    this.#note(event);
    this.#turn(nowMs);
  }

  /** Whether all that could be asked for is held back by a limit of the user's. */
  limited(limited: boolean, nowMs: number): void {
    this.#limited = limited;
    this.#turn(nowMs);
  }

  /** Whether the task is over: its account will not change any more. */
  get over(): boolean {
    return this.#span === null;
  }

  /** @param wallMs the same moment in ms since 1970, with which the account is stamped. */
  at(nowMs: number, wallMs: number): TimeReport {
    this.#turn(nowMs);
    const seeds = Array.from(this.#seeds, ([name, seed]) => accountOf(name, seed, nowMs));
    return {
      spent: { ...this.#spent },
      now: this.#span,
      at: wallMs,
      hashMs: this.#hashMs,
      diskMs: this.#diskMs,
      seeds: seeds.toSorted((a, b) => b.bytes - a.bytes).slice(0, MAX_SEEDS),
    };
  }

  #note(event: TaskEvent): void {
    switch (event.kind) {
      case "state":
        this.#state = event.state;
        this.#waitsFor = event.waitsFor ?? "place";
        // A new attempt asks anew.
        if (event.state === "finding") this.#beginAgain();
        break;
      case "found":
        this.#size = event.size;
        break;
      case "resumed":
        this.#stored = event.bytes;
        break;
      case "stored":
        this.#stored += event.bytes;
        this.#hashMs += event.hashMs ?? 0;
        this.#diskMs += event.diskMs ?? 0;
        break;
      case "seed":
        this.#asked = true;
        break;
      case "done":
        this.#state = "done";
        break;
      case "failed":
        this.#state = "failed";
    }
  }

  #beginAgain(): void {
    this.#size = undefined;
    this.#stored = 0;
    this.#asked = false;
  }

  /** Time until now was spent on what it waited for until now. */
  #turn(nowMs: number): void {
    const passed = Math.max(0, nowMs - this.#since);
    if (this.#span !== null && passed > 0) {
      this.#spent[this.#span] = (this.#spent[this.#span] ?? 0) + passed;
    }
    this.#since = nowMs;
    this.#span = this.#spanNow();
  }

  #spanNow(): Span | null {
    if (isOver(this.#state)) return null;
    switch (this.#state) {
      case "waiting":
        return this.#waitsFor === "seeds" ? this.#trouble() ?? "unreachable" : this.#waitsFor;
      case "paused":
        return "paused";
      case "verifying":
        return "checking";
      case "finding":
        if (this.#size !== undefined) return "checking";
        return this.#asked ? this.#trouble() ?? "asking" : "asking";
      default:
        if (this.#size !== undefined && this.#stored >= this.#size) return "finishing";
        return this.#trouble() ?? (this.#limited ? "limit" : "bytes");
    }
  }

  /** Why no seed gives anything; undefined while one does, or may. */
  #trouble(): Span | undefined {
    let best: "pending" | "busy" | "failing" | undefined;
    for (const [, seed] of this.#seeds) {
      const standing = standingOf(seed);
      if (standing === "gives") return undefined;
      if (standing === "pending" || (standing === "busy" && best !== "pending")) best = standing;
      if (standing === "failing") best ??= standing;
    }
    return best === "failing" ? "unreachable" : best;
  }
}

function accountOf(name: string, seed: SeedProgress, nowMs: number): SeedSummary {
  const { bytes, failures, corrupt } = seed;
  const standing = standingOf(seed);
  const reason = standing === "gives" ? null : seed.reason;
  return {
    seed: name,
    standing,
    reason,
    bytes,
    rate: Math.round(seed.rate.rateAt(nowMs)),
    failures,
    corrupt,
  };
}

function standingOf({ news, hashing }: SeedProgress): SeedStatus {
  return news === "busy" && hashing ? "pending" : STATUS_BY_NEWS[news];
}

const STATUS_BY_NEWS = {
  joined: "gives",
  back: "gives",
  corrupt: "gives",
  busy: "busy",
  failing: "failing",
  lacks: "lacks",
  dissents: "dissents",
  dropped: "dropped",
} as const satisfies Record<(TaskEvent & { kind: "seed" })["what"], SeedStatus>;
