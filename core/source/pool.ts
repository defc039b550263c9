/** The sources of this process: one for each seed, shared by all tasks. */
import type { Clock } from "../base/clock.ts";
import { formatSourceAddress, type SourceAddress } from "../base/source_address.ts";
import { Semaphore } from "../base/semaphore.ts";
import { SeedSource } from "./seed_source.ts";
import type { Dial } from "./dial.ts";

export interface SourcePoolOptions {
  readonly clock: Clock;
  readonly dial: Dial;
  /** Connections to one seed, over all tasks. */
  readonly seedConnections: number;
  readonly stallMs: number;
  /** Time without a byte after which a task fails. */
  readonly giveUpMs: number;
  readonly token: string | undefined;
  /** Connections to all seeds together, if fewer than `MAX_CONNECTIONS` are possible. */
  readonly connections?: number;
}

/** The timeout of a connect, and of the greeting after it. A slower seed is of no use to a download. */
const CONNECT_TIMEOUT_MS = 5000;
/** With a short give-up time, the connect must fail first, because its error says why. */
const MIN_CONNECT_MS = 1000;
/** Half of the usual limit of 1,024 descriptors; files need the rest. */
export const MAX_CONNECTIONS = 512;

export class SourcePool implements AsyncDisposable {
  readonly #sources = new Map<string, SeedSource>();
  readonly #slots: Semaphore;
  readonly #options: SourcePoolOptions;

  constructor(options: SourcePoolOptions) {
    this.#options = options;
    this.#slots = new Semaphore(options.connections ?? MAX_CONNECTIONS);
  }

  source(address: SourceAddress): SeedSource {
    const id = formatSourceAddress(address);
    const known = this.#sources.get(id);
    if (known) return known;
    const { seedConnections, giveUpMs, ...options } = this.#options;
    const source = new SeedSource(address, {
      ...options,
      connections: seedConnections,
      // Idle connections to some seeds must not keep the others waiting.
      onOutOfDescriptors: () => this.#sources.forEach((source) => source.closeIdle()),
      slots: this.#slots,
      connectMs: Math.min(CONNECT_TIMEOUT_MS, Math.max(MIN_CONNECT_MS, giveUpMs / 2)),
    });
    this.#sources.set(id, source);
    return source;
  }

  /** One for each different address, in the order of the addresses. */
  sources(addresses: readonly SourceAddress[]): SeedSource[] {
    return Array.from(new Set(addresses.map((address) => this.source(address))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      Array.from(this.#sources.values(), (source) => source[Symbol.asyncDispose]()),
    );
  }
}
