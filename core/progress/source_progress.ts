/** The progress of one source of one task. */
import { RateMeter } from "../base/rate.ts";
import type { LineFigures, SourceChange, TaskEvent } from "../events.ts";
import type { SeedSnapshot, SeedStatus, SeedSummary } from "./snapshots.ts";

const MAX_REASON_CHARACTERS = 200;
/** Long, because sources send in bursts under a rate limit. */
const SLOW_WINDOW_MS = 10_000;
/** A source is slow if it is this many times slower than the fastest one … */
const SLOW_FACTOR = 4;
/** … after this long with pending requests. The scheduler may reassign its pieces from then on. */
const SLOW_AFTER_MS = 5000;

export class SourceProgress {
  readonly #name: string;
  /** Made with the first bytes: most sources of most tasks send none. */
  #rate: RateMeter | undefined;
  #slowRate: RateMeter | undefined;
  bytes = 0;
  /** Whether it has the content and was not dropped. */
  holds = false;
  #change: SourceChange = "joined";
  /** Whether a busy source is hashing the file. */
  #hashing = false;
  #reason: string | null = null;
  #retryAt: number | null = null;
  #failures = 0;
  #corrupt = 0;
  #inFlight = 0;
  #line: LineFigures | undefined;
  /** Since when it has had pending requests without interruption (monotonic). */
  #pendingSince = Infinity;

  constructor(name: string) {
    this.#name = name;
  }

  get status(): SeedStatus {
    return this.#change === "busy" && this.#hashing ? "pending" : STATUS_AFTER[this.#change];
  }

  /** Whether it takes part in the download now; a busy source does, because it said when to return. */
  get participates(): boolean {
    return this.holds && (PARTICIPATING as readonly SourceChange[]).includes(this.#change);
  }

  /** Bytes a second for display: 0 as soon as nothing arrives. */
  displayRateAt(nowMs: number): number {
    return this.#rate?.displayRateAt(nowMs) ?? 0;
  }

  /** The rate by which sources are compared. */
  slowRateAt(nowMs: number): number {
    return this.#slowRate?.rateAt(nowMs) ?? 0;
  }

  setInFlight(pieces: number, nowMs: number): void {
    if (pieces === 0) this.#pendingSince = Infinity;
    else if (this.#inFlight === 0) this.#pendingSince = nowMs;
    this.#inFlight = pieces;
  }

  setLine(line: LineFigures): void {
    const { roundTripMs, connections, windowBytes, goodput, memoryBound } = line;
    this.#line = { roundTripMs, connections, windowBytes, goodput, memoryBound };
  }

  receive(bytes: number, nowMs: number): void {
    (this.#rate ??= new RateMeter()).add(bytes, nowMs);
    (this.#slowRate ??= new RateMeter(SLOW_WINDOW_MS)).add(bytes, nowMs);
    this.bytes += bytes;
    this.#retryAt = null;
    // A source that sends is not away, whatever was reported before.
    if (this.#change !== "dropped") this.#change = "joined";
  }

  /** The attempt found that it has the content. */
  setHolds(): void {
    this.holds = true;
    this.#change = "joined";
  }

  apply({ what, reason, retryInMs, percent, time }: TaskEvent & { kind: "seed" }): void {
    this.#change = what;
    this.#hashing = percent !== undefined;
    this.#retryAt = retryInMs === undefined ? null : time + retryInMs;
    if (what === "joined") this.holds = true;
    if (what === "dropped") this.holds = false;
    if (what === "joined" || what === "back") return;
    this.#reason = reason.slice(0, MAX_REASON_CHARACTERS);
    if (what === "failing") this.#failures++;
    if (what === "corrupt") this.#corrupt++;
  }

  /** A new attempt asks every source again. */
  restart(): void {
    this.#change = "joined";
    this.#reason = this.#retryAt = null;
    this.setInFlight(0, 0);
  }

  /** @param fastest the highest `slowRateAt` of all sources. */
  snapshot(fastest: number, nowMs: number): SeedSnapshot {
    const sends = this.#change === "joined" || this.#change === "back";
    const isLate = nowMs - this.#pendingSince >= SLOW_AFTER_MS;
    return {
      seed: this.#name,
      standing: this.#change,
      rate: Math.round(this.displayRateAt(nowMs)),
      slow: sends && isLate && this.slowRateAt(nowMs) * SLOW_FACTOR < fastest,
      bytes: this.bytes,
      inFlight: this.#inFlight,
      failures: this.#failures + this.#corrupt,
      reason: this.#reason,
      retryAt: this.#retryAt,
    };
  }

  summary(nowMs: number): SeedSummary {
    const { status } = this;
    return {
      seed: this.#name,
      standing: status,
      reason: status === "gives" ? null : this.#reason,
      bytes: this.bytes,
      rate: Math.round(this.#rate?.rateAt(nowMs) ?? 0),
      failures: this.#failures,
      corrupt: this.#corrupt,
      ...this.#line === undefined ? {} : { line: this.#line },
    };
  }
}

const PARTICIPATING = ["joined", "back", "busy"] as const;

const STATUS_AFTER = {
  joined: "gives",
  back: "gives",
  corrupt: "gives",
  busy: "busy",
  failing: "failing",
  lacks: "lacks",
  dissents: "dissents",
  dropped: "dropped",
} as const satisfies Record<SourceChange, SeedStatus>;
