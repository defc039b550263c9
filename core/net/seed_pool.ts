/** Every seed that this process talks to, each with one link that all tasks share. */
import type { Clock } from "../base/clock.ts";
import { formatSeedAddress, type SeedAddress } from "../base/seed_address.ts";
import { Slots } from "../base/slots.ts";
import { SeedLink } from "./seed_link.ts";
import type { Dial } from "./transport.ts";

export interface PoolTerms {
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
const CONNECT_MS = 5000;
/** Where a task gives up early, the reason is to be known before. */
const MIN_CONNECT_MS = 1000;
/** Half of the usual 1,024 descriptors: the rest is for files. */
export const MAX_CONNECTIONS = 512;

export class SeedPool implements AsyncDisposable {
  readonly #links = new Map<string, SeedLink>();
  readonly #slots: Slots;
  readonly #terms: PoolTerms;

  constructor(terms: PoolTerms) {
    this.#terms = terms;
    this.#slots = new Slots(terms.connections ?? MAX_CONNECTIONS);
  }

  link(address: SeedAddress): SeedLink {
    const name = formatSeedAddress(address);
    const known = this.#links.get(name);
    if (known) return known;
    const { seedConnections, giveUpMs, ...terms } = this.#terms;
    const link = new SeedLink(address, {
      ...terms,
      connections: seedConnections,
      // Idle connections to some seeds must not keep the others waiting.
      onOutOfDescriptors: () => this.#links.forEach((link) => link.closeIdle()),
      slots: this.#slots,
      connectMs: Math.min(CONNECT_MS, Math.max(MIN_CONNECT_MS, giveUpMs / 2)),
    });
    this.#links.set(name, link);
    return link;
  }

  /** One for each different address, in their order. */
  links(addresses: readonly SeedAddress[]): SeedLink[] {
    return Array.from(new Set(addresses.map((address) => this.link(address))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      Array.from(this.#links.values(), (link) => link[Symbol.asyncDispose]()),
    );
  }
}
