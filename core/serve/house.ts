/** Everyone who is connected to a seed: who is let in, who is turned away, and whose time is up. */
import type { TaskGroup } from "../base/task_group.ts";
import type { ByteStream } from "../net/transport.ts";
import { Admission } from "./admission.ts";
import { ClientLink } from "./client_link.ts";
import { receive, SILENT_MS, turnAway } from "./reception.ts";
import type { Seed } from "./seed.ts";

/** How exactly limits of time are kept. */
const SWEEP_MS = 1000;
/** Clients that are turned away at a time. Each takes a round trip or two; who is slower makes room for a further one. */
const ENOUGH_TURNED_AWAY = 64;
/** Even in a rush: with the others and their files, it keeps below 1,024 descriptors. */
const MOST_TURNED_AWAY = 400;

export class House {
  readonly #seed: Seed;
  readonly #admission: Admission;
  readonly #links = new Set<ClientLink>();
  /** Those who are being turned away, and since when; the longest first. */
  readonly #turnedAway = new Map<AbortController, number>();

  constructor(seed: Seed) {
    this.#seed = seed;
    this.#admission = new Admission(seed.settings);
  }

  /** Connections that are open, those among them that are turned away. */
  get size(): number {
    return this.#links.size;
  }

  admit(stream: ByteStream, clients: TaskGroup): void {
    const link = new ClientLink(stream, this.#seed.clock);
    const place = this.#admission.admit(link.client);
    this.#seed.tally.connected(typeof place === "string" ? place : undefined);
    if (typeof place !== "string") {
      clients.spawn((signal) => this.#host(link, place, signal));
    } else {
      this.#makeRoom();
      clients.spawn((signal) => this.#turnAway(link, place, signal));
    }
  }

  /** Those of whom nothing is in flight. */
  closeIdle(): void {
    for (const link of this.#links) {
      if (link.atRest) link.leave("the seed is going away");
    }
  }

  async sweep(signal: AbortSignal): Promise<void> {
    const { clock, transfers } = this.#seed;
    for (;;) {
      await clock.sleep(SWEEP_MS, signal);
      const now = clock.now();
      for (const link of this.#links) link.check(now);
      transfers.sweep(now);
    }
  }

  async #host(
    link: ClientLink,
    place: Disposable,
    signal: AbortSignal,
  ): Promise<void> {
    this.#links.add(link);
    await this.#seed.attention.take(link.client);
    await receive(link, this.#seed, signal);
    this.#links.delete(link);
    // Not waited for: a client that does not read can make this last as long as
    // it likes. It keeps its place so long, for it keeps one of our descriptors.
    link.released.then(() => place[Symbol.dispose]());
  }

  async #turnAway(
    link: ClientLink,
    why: string,
    signal: AbortSignal,
  ): Promise<void> {
    const hurry = new AbortController();
    this.#turnedAway.set(hurry, this.#seed.clock.now());
    this.#links.add(link);
    await turnAway(link, why, this.#seed, hurry.signal, signal);
    this.#links.delete(link);
    this.#turnedAway.delete(hurry);
  }

  /** One of those who are turned away is sent off now, where there are too many. */
  #makeRoom(): void {
    const { size } = this.#turnedAway;
    if (size < ENOUGH_TURNED_AWAY) return;
    const now = this.#seed.clock.now();
    for (const [oldest, since] of this.#turnedAway) {
      if (now - since < SILENT_MS && size < MOST_TURNED_AWAY) return;
      this.#turnedAway.delete(oldest);
      return oldest.abort();
    }
  }
}
