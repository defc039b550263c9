/** How each seed does for one task, from the task's events: what its account and its inside tell of seeds comes from here. */
import { RateMeter } from "../base/rate.ts";
import type { SeedChange, TaskEvent } from "../events.ts";

/** A reason is a sentence; what is longer was made long. */
const MAX_REASON_CHARACTERS = 200;
/** Over so long: under a limit of ours, seeds send by turns. */
const AVERAGING_WINDOW_MS = 10_000;

export class SeedProgress {
  /** Bytes a second. */
  readonly rate = new RateMeter();
  /** The same over a while. */
  readonly pace = new RateMeter(AVERAGING_WINDOW_MS);
  /** Received from it in this run. */
  bytes = 0;
  failures = 0;
  /** Wrong pieces. */
  corrupt = 0;
  /** Whether it holds the content, and was not dropped. */
  holds = false;
  /** The last that was heard of it; `joined` and `back` are those who give. */
  news: SeedChange = "joined";
  /** Whether it still hashes the file, where it is busy. */
  hashing = false;
  /** Why it does not give, or did not the last time; null if nothing was amiss in this attempt. */
  reason: string | null = null;
  /** When it is asked again (ms since 1970); null unless it is waited for. */
  retryAt: number | null = null;
  /** Pieces asked of it that are not there yet. */
  inFlight = 0;
  /** The monotonic time since when it always had something to send; Infinity while it has nothing. */
  askedAt = Infinity;

  ask(pieces: number, nowMs: number): void {
    if (pieces === 0) this.askedAt = Infinity;
    else if (this.inFlight === 0) this.askedAt = nowMs;
    this.inFlight = pieces;
  }

  receive(bytes: number, nowMs: number): void {
    this.rate.add(bytes, nowMs);
    this.pace.add(bytes, nowMs);
    this.bytes += bytes;
    this.retryAt = null;
    // Who sends is not away any more, whatever was said of it.
    if (this.news !== "dropped") this.news = "joined";
  }

  hear({ what, reason, retryInMs, percent, time }: TaskEvent & { kind: "seed" }): void {
    this.news = what;
    this.hashing = percent !== undefined;
    this.retryAt = retryInMs === undefined ? null : time + retryInMs;
    if (what === "joined") this.holds = true;
    if (what === "dropped") this.holds = false;
    if (what === "joined" || what === "back") return;
    this.reason = reason.slice(0, MAX_REASON_CHARACTERS);
    if (what === "failing") this.failures++;
    if (what === "corrupt") this.corrupt++;
  }

  /** A new attempt asks anew. */
  beginAgain(): void {
    this.news = "joined";
    this.reason = this.retryAt = null;
    this.ask(0, 0);
  }
}

export class SeedsProgress implements Iterable<[name: string, seed: SeedProgress]> {
  readonly #seeds = new Map<string, SeedProgress>();

  /** @param nowMs the monotonic time at which `event` happened. */
  take(event: TaskEvent, nowMs: number): void {
    switch (event.kind) {
      case "found":
        for (const name of event.seeds) this.#found(name);
        break;
      case "flight":
        this.#seed(event.seed).ask(event.pieces, nowMs);
        break;
      case "received":
        this.#seed(event.seed).receive(event.bytes, nowMs);
        break;
      case "seed":
        this.#seed(event.seed).hear(event);
        break;
      case "state":
        if (event.state === "finding") this.#seeds.forEach((seed) => seed.beginAgain());
        // Whatever was asked for is given up when a task has to wait.
        if (event.state === "waiting") this.#seeds.forEach((seed) => seed.ask(0, nowMs));
    }
  }

  [Symbol.iterator](): Iterator<[name: string, seed: SeedProgress]> {
    return this.#seeds[Symbol.iterator]();
  }

  #found(name: string): void {
    const seed = this.#seed(name);
    seed.holds = true;
    seed.news = "joined";
  }

  #seed(name: string): SeedProgress {
    let seed = this.#seeds.get(name);
    if (!seed) this.#seeds.set(name, seed = new SeedProgress());
    return seed;
  }
}
