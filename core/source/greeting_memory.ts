/**
 * What seeds said at their last greetings, so that requests need not wait for the next one. A memory
 * that is wrong costs another connection. One-shot seeds are not remembered: a seed that was
 * replaced by one with digests must not be used without them.
 */
import { LruCache } from "../base/lru_cache.ts";
import { encodeGreeting, type Greeting, parseGreeting } from "../protocol/greeting.ts";

/** More seeds than most users have; 40 KB. */
const MAX_SEEDS = 256;
/** A greeting with more features or a longer name than this is not remembered. */
const MAX_LINE_CHARACTERS = 512;
/** The nonce is new for each connection. */
const NO_NONCE = "0".repeat(32);

export class GreetingMemory {
  readonly #lines = new LruCache<string, string>({ maxSize: MAX_SEEDS });
  /** Of this process only: a computer moves between networks. */
  readonly #roundTrips = new LruCache<string, number>({ maxSize: MAX_SEEDS });
  #changed = false;

  /** Whether there is something new since the last `entries`. */
  get changed(): boolean {
    return this.#changed;
  }

  /** The last greeting of the seed at this address. */
  recall(seed: string): Greeting | undefined {
    const line = this.#lines.get(seed);
    return line === undefined ? undefined : parseGreeting(line);
  }

  keep(seed: string, greeting: Greeting): void {
    const line = encodeGreeting({ ...greeting, nonce: NO_NONCE }).trimEnd();
    if (line.length > MAX_LINE_CHARACTERS || this.#lines.get(seed) === line) return;
    this.#lines.set(seed, line);
    this.#changed = true;
  }

  forget(seed: string): void {
    if (this.#lines.get(seed) === undefined) return;
    this.#lines.delete(seed);
    this.#changed = true;
  }

  /** The shortest round trip that was measured in this process. */
  roundTripMs(seed: string): number | undefined {
    return this.#roundTrips.get(seed);
  }

  measured(seed: string, ms: number): void {
    if (ms < (this.#roundTrips.get(seed) ?? Infinity)) this.#roundTrips.set(seed, ms);
  }

  /** Adds what an earlier process remembered; what this one knows is newer. */
  add(entries: Iterable<readonly [seed: string, line: string]>): void {
    const known = Array.from(this.#lines);
    for (const [seed, line] of entries) {
      if (line.length <= MAX_LINE_CHARACTERS && parseGreeting(line)) this.#lines.set(seed, line);
    }
    for (const [seed, line] of known) this.#lines.set(seed, line);
  }

  /** All of it, for the next process; the least recently used first. */
  entries(): [seed: string, line: string][] {
    this.#changed = false;
    return Array.from(this.#lines);
  }
}
