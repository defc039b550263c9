/** The rates that a seed keeps: one over all, and one for each client address. */
import type { Clock } from "../../base/clock.ts";
import { FairRate } from "./fair_rate.ts";

/** Bytes a second; undefined: none. */
export interface RateLimits {
  readonly limit: number | undefined;
  readonly clientLimit: number | undefined;
}

/** Clients whose rate is remembered before those that rest are looked for. */
const MIN_CLIENTS_TO_PRUNE = 64;

export class ClientRateLimits {
  readonly #clock: Clock;
  readonly #clientLimit: number | undefined;
  readonly #all: FairRate | undefined;
  readonly #byClient = new Map<string, FairRate>();
  #pruneAt = MIN_CLIENTS_TO_PRUNE;

  constructor({ limit, clientLimit }: RateLimits, clock: Clock) {
    this.#clock = clock;
    this.#clientLimit = clientLimit;
    if (limit !== undefined) this.#all = new FairRate(clock, limit);
  }

  /** Whether there is any limit to wait for. */
  get limited(): boolean {
    return this.#all !== undefined || this.#clientLimit !== undefined;
  }

  /**
   * Waits until `client` may send some of `most` bytes; says how many.
   *
   * @throws the signal's reason if it aborts before.
   */
  async wait(client: string, most: number, signal: AbortSignal): Promise<number> {
    const own = this.#rateOf(client);
    const steps = [most, own?.stepBytes ?? most, this.#all?.stepBytes ?? most];
    const bytes = Math.min(...steps);
    // Its own first: who may not go anyway does not stand in the line of all.
    await own?.wait(client, bytes, signal);
    await this.#all?.wait(client, bytes, signal);
    return bytes;
  }

  #rateOf(client: string): FairRate | undefined {
    if (this.#clientLimit === undefined) return undefined;
    const known = this.#byClient.get(client);
    if (known) return known;
    if (this.#byClient.size >= this.#pruneAt) this.#prune();
    const rate = new FairRate(this.#clock, this.#clientLimit);
    this.#byClient.set(client, rate);
    return rate;
  }

  #prune(): void {
    for (const [client, rate] of this.#byClient) {
      if (rate.idle) this.#byClient.delete(client);
    }
    this.#pruneAt = Math.max(MIN_CLIENTS_TO_PRUNE, 2 * this.#byClient.size);
  }
}
