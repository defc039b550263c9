/** What the tests of `serve` share: a folder, a seed on a free port, a raw client, hands of a clock. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type Clock, systemClock } from "../../core/base/clock.ts";
import type { Random } from "../../core/base/random.ts";
import { SERVE_DEFAULTS, type ServeSettings } from "../../core/config.ts";
import type { ServeEvent } from "../../core/events.ts";
import { dialer } from "../../core/source/dial.ts";
import { listen } from "../../core/source/listen.ts";
import type { ByteStream } from "../../core/source/transport.ts";
import type { TaskGroup } from "../../core/base/task_group.ts";
import type { HasherPool } from "../../core/hash/pool.ts";
import { createContext, type ServeContext } from "../../core/serve/context.ts";
import { serve } from "../../core/serve/server.ts";
import { noWorkers } from "../support/hasher.ts";

/** Leaks of timers, sockets and files fail the test. */
export function test(name: string, fn: () => Promise<void> | void): void {
  Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true });
}

export class TempFolder implements Disposable {
  readonly path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "p2p-" }));

  write(name: string, content: string | Uint8Array): string {
    const path = this.pathOf(name);
    Deno.mkdirSync(join(path, ".."), { recursive: true });
    const bytes = typeof content === "string" ? bytesOf(content) : content;
    Deno.writeFileSync(path, bytes);
    return path;
  }

  pathOf(name: string): string {
    return join(this.path, ...name.split("/"));
  }

  /** Makes a file look as if nobody had touched it for long; only the time of the change itself cannot be set. */
  age(name: string): void {
    Deno.utimeSync(this.pathOf(name), 1_000_000_000, 1_000_000_000);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Bytes that differ at every place where a range could be cut wrongly. */
export function patternOf(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let i = 0; i < size; i++) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}

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

/** A clock whose hands a test turns. */
export class ManualClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<{ at: number; wake: () => void }>();
  #changed = Promise.withResolvers<void>();

  constructor(now = 2_000_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#now;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const sleeper = { at: this.#now + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      this.#change();
      signal.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      }, { once: true });
    });
  }

  after(ms: number, run: () => void): Disposable {
    const sleeper = { at: this.#now + ms, wake: run };
    this.#sleepers.add(sleeper);
    this.#change();
    return { [Symbol.dispose]: () => void this.#sleepers.delete(sleeper) };
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const sleeper of [...this.#sleepers]) {
      if (sleeper.at > this.#now) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }

  /** Resolves as soon as somebody sleeps until `ms` from now. */
  async sleeperFor(ms: number): Promise<void> {
    while (![...this.#sleepers].some(({ at }) => at === this.#now + ms)) {
      await this.#changed.promise;
    }
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
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
    clock = new ManualClock(),
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
      { clock, random, hasher: noWorkers, listen },
      (event) => seed.#record(event),
      seed.#stop.signal,
      seed.#now.signal,
    );
    const failed = seed.ended.then(() => undefined);
    const listening = await Promise.race([seed.event("listening"), failed]);
    seed.port = listening?.addresses[0]?.port ?? 0;
    return seed;
  }

  /** The next event of that kind, or the first that was told already. */
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopNow();
    await this.ended;
  }

  #record(event: ServeEvent): void {
    this.events.push(event);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** Says what a test wants said, in pieces as it wants them. */
export class RawClient implements Disposable {
  #buffer = new Uint8Array();

  constructor(readonly stream: ByteStream) {}

  async send(text: string | Uint8Array): Promise<void> {
    await this.stream.write(typeof text === "string" ? bytesOf(text) : text);
  }

  async end(): Promise<void> {
    await this.stream.endWriting();
  }

  async line(): Promise<string> {
    for (;;) {
      const at = this.#buffer.indexOf(10);
      if (at >= 0) return new TextDecoder().decode(this.#take(at + 1)).trimEnd();
      if (!(await this.#fill())) throw new Error("The stream ended in a line");
    }
  }

  async bytes(count: number): Promise<Uint8Array> {
    while (this.#buffer.length < count) {
      if (!(await this.#fill())) throw new Error("The stream ended in a body");
    }
    return this.#take(count);
  }

  /** Takes what is there, or comes next, at most `most`; says how much it was. */
  async some(most: number): Promise<number> {
    if (this.#buffer.length === 0 && !(await this.#fill())) {
      throw new Error("The stream ended in a body");
    }
    return this.#take(Math.min(most, this.#buffer.length)).length;
  }

  /** Bytes that came and were not taken. */
  get unread(): number {
    return this.#buffer.length;
  }

  /** Everything up to the end of the stream; a reset is an end, too. */
  async rest(): Promise<Uint8Array> {
    try {
      while (await this.#fill());
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
    return this.#take(this.#buffer.length);
  }

  /** One request, and the line that answers it. */
  async ask(request: string): Promise<string> {
    await this.send(`${request}\n`);
    return await this.line();
  }

  /** The body of the reply to one request, which is repeated while the reply is PENDING. */
  async body(request: string): Promise<Uint8Array> {
    let line = await this.ask(request);
    while (line.startsWith("ERROR:PENDING")) line = await this.ask(request);
    const length = line.match(/^OK (\d+)/)?.[1];
    if (length === undefined) throw new Error(`No body: ${line}`);
    return await this.bytes(Number(length));
  }

  async text(request: string): Promise<string> {
    return new TextDecoder().decode(await this.body(request));
  }

  close(): void {
    this.stream.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #take(count: number): Uint8Array {
    const taken = this.#buffer.slice(0, count);
    this.#buffer = this.#buffer.slice(count);
    return taken;
  }

  async #fill(): Promise<boolean> {
    const part = new Uint8Array(256 * 1024);
    const count = await this.stream.read(part);
    if (count === null) return false;
    const joined = new Uint8Array(this.#buffer.length + count);
    joined.set(this.#buffer);
    joined.set(part.subarray(0, count), this.#buffer.length);
    this.#buffer = joined;
    return true;
  }
}
