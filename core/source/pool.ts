/** The sources of this process: one for each address, shared by all tasks. */
import type { Clock } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import {
  encodeSourceAddress,
  formatSourceAddress,
  isWebAddress,
  type SocketAddress,
  type SourceAddress,
  type WebAddress,
} from "../base/source_address.ts";
import { Semaphore } from "../base/semaphore.ts";
import { LazySource, type OwnedSource } from "./lazy_source.ts";
import { SeedSource } from "./seed_source.ts";
import type { Dial } from "./dial.ts";
import type { GreetingMemory } from "./greeting_memory.ts";
import type { HttpClient, OpenHttpClient } from "./http_client.ts";
import type { S3Account } from "./s3.ts";

/** Fields for HTTP requests, by origin; they go to no other one. */
export type OriginHeaders = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What web sources use of the platform. */
export interface WebPlatform {
  readonly open: OpenHttpClient;
  /** The account for object stores. */
  s3Account(): Promise<S3Account>;
}

export interface SourcePoolOptions {
  readonly clock: Clock;
  readonly dial: Dial;
  /** undefined: sources over HTTP cannot be used. */
  readonly web?: WebPlatform | undefined;
  readonly httpHeaders?: OriginHeaders;
  /** Connections to one seed, over all tasks; "auto": as many as help. */
  readonly seedConnections: number | "auto";
  readonly stallMs: number;
  /** Time without a byte after which a task fails. */
  readonly giveUpMs: number;
  readonly token: string | undefined;
  /** What seeds said before, kept up to date; undefined: every first connection waits for the greeting. */
  readonly greetings?: GreetingMemory | undefined;
  /** Connections to all seeds together, if fewer than `MAX_CONNECTIONS` are possible. */
  readonly connections?: number;
}

/** The timeout of a connect, and of the greeting after it. A slower seed is of no use to a download. */
const CONNECT_TIMEOUT_MS = 5000;
/** With a short give-up time, the connect must fail first, because its error says why. */
const MIN_CONNECT_MS = 1000;
/** Half of the usual limit of 1,024 descriptors; files need the rest. */
export const MAX_CONNECTIONS = 512;

/**
 * With "auto". A seed accepts as many connections of one client by default, and aria2 allows no more.
 */
const MAX_AUTO_CONNECTIONS = 16;

/** With "auto", to an HTTP server: each carries one request at a time. Browsers open six. */
const WEB_CONNECTIONS = 4;

/** How many connections to one seed there may be. */
export function maxConnectionsOf(seedConnections: number | "auto"): number {
  return seedConnections === "auto" ? MAX_AUTO_CONNECTIONS : seedConnections;
}

export class SourcePool implements AsyncDisposable {
  readonly #sources = new Map<string, OwnedSource>();
  readonly #slots: Semaphore;
  readonly #options: SourcePoolOptions;
  #http: HttpClient | undefined;

  constructor(options: SourcePoolOptions) {
    this.#options = options;
    this.#slots = new Semaphore(options.connections ?? MAX_CONNECTIONS);
  }

  source(address: SourceAddress): OwnedSource {
    const key = encodeSourceAddress(address);
    const known = this.#sources.get(key);
    if (known) return known;
    const source = isWebAddress(address) ? this.#webSource(address) : this.#seedSource(address);
    this.#sources.set(key, source);
    return source;
  }

  /** One for each different address, in the order of the addresses. */
  sources(addresses: readonly SourceAddress[]): OwnedSource[] {
    return Array.from(new Set(addresses.map((address) => this.source(address))));
  }

  #seedSource(address: SocketAddress): SeedSource {
    const { clock, dial, stallMs, token, greetings, seedConnections } = this.#options;
    return new SeedSource(address, {
      ...{ clock, dial, stallMs, token, greetings },
      ...this.#limits(maxConnectionsOf(seedConnections)),
      adaptsConnections: seedConnections === "auto",
    });
  }

  #webSource(address: WebAddress): LazySource {
    const { web, clock, stallMs, seedConnections, httpHeaders } = this.#options;
    const connections = seedConnections === "auto" ? WEB_CONNECTIONS : seedConnections;
    const id = formatSourceAddress(address);
    if (web === undefined) throw new UsageError(`Cannot use "${id}": it is not a p2p seed`);
    return new LazySource(id, async () => {
      const { WebSource } = await import("./web_source.ts");
      const http = this.#http ??= web.open({ connections });
      const { protocol, origin } = new URL(address.url);
      if (protocol !== "s3:") {
        const headers = httpHeaders?.[origin] ?? {};
        return new WebSource(address, {
          clock,
          http,
          stallMs,
          headers,
          ...this.#limits(connections),
        });
      }
      const { s3Store } = await import("./s3.ts");
      const store = s3Store(address, await web.s3Account(), clock);
      return new WebSource(address, { clock, http, stallMs, store, ...this.#limits(connections) });
    });
  }

  #limits(connections: number) {
    const { giveUpMs } = this.#options;
    return {
      connections,
      // Idle connections to some seeds must not keep the others waiting.
      onOutOfDescriptors: () => this.#sources.forEach((source) => source.closeIdle()),
      slots: this.#slots,
      connectMs: Math.min(CONNECT_TIMEOUT_MS, Math.max(MIN_CONNECT_MS, giveUpMs / 2)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      Array.from(this.#sources.values(), (source) => source[Symbol.asyncDispose]()),
    );
    this.#http?.[Symbol.dispose]();
  }
}
