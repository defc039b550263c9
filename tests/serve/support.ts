/** Fixtures for the tests of `serve`: a context without a listener, and a seed on a free port. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type Clock, systemClock } from "../../core/base/clock.ts";
import type { Random } from "../../core/base/random.ts";
import { SERVE_DEFAULTS, type ServeSettings } from "../../core/config.ts";
import type { ServeEvent } from "../../core/events.ts";
import { dialer } from "../../core/source/dial.ts";
import type { ByteStream } from "../../core/source/transport.ts";
import { listen, type Listening, type ListenOptions } from "../../core/source/listen.ts";
import type { TaskGroup } from "../../core/base/task_group.ts";
import type { HasherPool } from "../../core/hash/pool.ts";
import { createContext, type ServeContext } from "../../core/serve/context.ts";
import { serve } from "../../core/serve/server.ts";
import { noWorkers } from "../support/hasher.ts";
import { ManualClock, YEAR_2033 } from "../support/manual_clock.ts";
import { RawClient } from "../support/raw_client.ts";

/** How even shares are: 1 when all are alike, 1/n when one has everything (Jain's index). */
export function jainOf(shares: Iterable<number>): number {
  const all = [...shares];
  const sum = all.reduce((total, share) => total + share, 0);
  return sum * sum / (all.length * all.reduce((total, share) => total + share * share, 0));
}

/** @throws if `actual` is further from `wanted` than `tolerance`. */
export function assertNear(actual: number, wanted: number, tolerance: number): void {
  assert(Math.abs(actual - wanted) <= tolerance, `${actual} is not ${wanted} ± ${tolerance}`);
}

/** What clients share, without a listener; hashing ends with `jobs`. */
export function contextOf(
  dir: string,
  jobs: TaskGroup,
  options: Partial<ServeSettings> & {
    clock?: Clock;
    draining?: AbortSignal;
    emit?: (event: ServeEvent) => void;
    hasher?: HasherPool;
  } = {},
): ServeContext {
  const {
    clock = new ManualClock(YEAR_2033),
    draining = new AbortController().signal,
    emit = () => {},
    hasher = noWorkers,
    ...rest
  } = options;
  return createContext({
    settings: { ...SERVE_DEFAULTS, dir, port: 0, ...rest },
    cacheDir: join(dir, ".cache"),
    runtime: { clock, random, hasher, listen },
    emit,
    jobs,
    draining,
  });
}

let nonces = 0;
const random: Random = {
  fraction: () => 0,
  hex: (bytes) => (nonces++).toString(16).padStart(2 * bytes, "0"),
};

/** A seed that listens; disposing it ends it at once. */
export class SeedFixture implements AsyncDisposable {
  readonly events: ServeEvent[] = [];
  readonly #streams: ByteStream[] = [];
  readonly #stop = new AbortController();
  readonly #now = new AbortController();
  #changed = Promise.withResolvers<void>();
  ended!: Promise<void>;
  port = 0;

  static async start(
    dir: string,
    options: Partial<ServeSettings> & { cacheDir?: string; clock?: Clock } = {},
  ): Promise<SeedFixture> {
    const { cacheDir = join(dir, ".cache"), clock = systemClock, ...rest } = options;
    const seed = new SeedFixture();
    seed.ended = serve(
      { ...SERVE_DEFAULTS, dir, host: "127.0.0.1", port: 0, ...rest },
      cacheDir,
      { clock, random, hasher: noWorkers, listen: (options) => seed.#listen(options) },
      (event) => seed.#record(event),
      seed.#stop.signal,
      seed.#now.signal,
    );
    const failed = seed.ended.then(() => undefined);
    const listening = await Promise.race([seed.event("listening"), failed]);
    seed.port = listening?.addresses[0]?.port ?? 0;
    return seed;
  }

  /** The next event of that kind, or the first that was reported already. */
  async event<K extends ServeEvent["kind"]>(
    kind: K,
    index = 0,
  ): Promise<Extract<ServeEvent, { kind: K }>> {
    for (;;) {
      const found = this.events.filter((event) => event.kind === kind)[index];
      if (found) return found as Extract<ServeEvent, { kind: K }>;
      await this.#changed.promise;
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  stopNow(): void {
    this.#now.abort();
  }

  async connect(): Promise<RawClient> {
    const address = { host: "127.0.0.1", port: this.port, tls: false };
    const signal = new AbortController().signal;
    return new RawClient(await dialer()(address, signal));
  }

  /** A client whose session has been greeted. */
  async session(): Promise<RawClient> {
    const client = await this.connect();
    await client.send("HELLO 2\n");
    assertEquals((await client.line()).split(" ")[0], "HELLO");
    return client;
  }

  /** The whole reply of a one-shot request. */
  async ask(request: string): Promise<string> {
    using client = await this.connect();
    await client.send(request);
    await client.end();
    return new TextDecoder().decode(await client.rest());
  }

  /** Resolves when the system has ended the last write of every connection, after the clients have left. */
  async released(): Promise<void> {
    await Promise.all(this.#streams.map(({ released }) => released));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopNow();
    await this.ended;
  }

  #listen(options: ListenOptions): Listening {
    const listening = listen(options);
    const streams = this.#streams;
    const { host, port } = listening;
    return {
      host,
      port,
      async *clients() {
        for await (const stream of listening.clients()) {
          streams.push(stream);
          yield stream;
        }
      },
      close: () => listening.close(),
      [Symbol.dispose]: () => listening.close(),
    };
  }

  #record(event: ServeEvent): void {
    this.events.push(event);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
