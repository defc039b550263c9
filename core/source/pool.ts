/** Every seed that this process talks to, each with one link that all tasks share. */
import type { Clock } from "../base/clock.ts";
import { formatSeedAddress, type SeedAddress } from "../base/seed_address.ts";
import { Semaphore } from "../base/semaphore.ts";
import { SeedSource } from "./seed_source.ts";
import type { Dial } from "./transport.ts";

export interface SourcePoolOptions {
  readonly clock: Clock;
  readonly dial: Dial;
  /** Connections to one seed, over all tasks. */
  readonly seedConnections: number;
  readonly stallMs: number;
  /** When a task fails for which no byte comes. */
  readonly giveUpMs: number;
  readonly token: string | undefined;
  /** Connections to all seeds together, where fewer are possible than usual. */
  readonly connections?: number;
}

/** To connect, and to be greeted. A seed farther away than this is no use for a download. */
const CONNECT_TIMEOUT_MS = 5000;
/** Where a task gives up early, the reason is to be known before. */
const MIN_CONNECT_MS = 1000;
/** Half of the usual 1,024 descriptors: the rest is for files. */
export const MAX_CONNECTIONS = 512;

export class SourcePool implements AsyncDisposable {
  readonly #links = new Map<string, SeedSource>();
  readonly #slots: Semaphore;
  readonly #terms: SourcePoolOptions;

  constructor(terms: SourcePoolOptions) {
    this.#terms = terms;
    this.#slots = new Semaphore(terms.connections ?? MAX_CONNECTIONS);
  }

  link(address: SeedAddress): SeedSource {
    const name = formatSeedAddress(address);
    const known = this.#links.get(name);
    if (known) return known;
    const { seedConnections, giveUpMs, ...terms } = this.#terms;
    const link = new SeedSource(address, {
      ...terms,
      connections: seedConnections,
      // Idle connections to some seeds must not keep the others waiting.
      onOutOfDescriptors: () => this.#links.forEach((link) => link.closeIdle()),
      slots: this.#slots,
      connectMs: Math.min(CONNECT_TIMEOUT_MS, Math.max(MIN_CONNECT_MS, giveUpMs / 2)),
    });
    this.#links.set(name, link);
    return link;
  }

  /** One for each different address, in their order. */
  links(addresses: readonly SeedAddress[]): SeedSource[] {
    return Array.from(new Set(addresses.map((address) => this.link(address))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      Array.from(this.#links.values(), (link) => link[Symbol.asyncDispose]()),
    );
  }
}
