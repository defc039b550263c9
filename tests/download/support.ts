/** What the tests of `task` share: seeds by name in memory, a folder, and all that a task is given. */
import { DiskSpace } from "../../core/store/free_space.ts";
import { OpenTargets } from "../../core/store/open_targets.ts";
import { MemoryShares } from "../../core/download/memory_shares.ts";
import { PieceBuffers } from "../../core/download/piece_buffers.ts";
import { join } from "@std/path";
import { linkedAbort } from "../../core/base/abort.ts";
import { UnreachableError } from "../../core/base/errors.ts";
import { type Clock, systemClock } from "../../core/base/clock.ts";
import { Semaphore } from "../../core/base/semaphore.ts";
import type { SocketAddress } from "../../core/base/source_address.ts";
import { DOWNLOAD_DEFAULTS, type DownloadSettings } from "../../core/config.ts";
import type { TaskEventData } from "../../core/events.ts";
import { mainThreadHasher } from "../../core/hash/pool.ts";
import { SourcePool } from "../../core/source/pool.ts";
import type { Dial } from "../../core/source/dial.ts";
import { type StoredContent, StoredFile } from "../../core/store/stored_file.ts";
import { OutFolder, partPath } from "../../core/store/paths.ts";
import { Prefetch } from "../../core/download/prefetch.ts";
import { downloadFile } from "../../core/download/download_file.ts";
import type { TaskContext } from "../../core/download/task_context.ts";
import { Permit } from "../../core/download/run_queue.ts";
import { layoutOf } from "../../core/base/pieces.ts";
import { ManualClock } from "../support/manual_clock.ts";
import {
  ClientLeft,
  type Hook,
  onDownload,
  ScriptedSeed,
  type SeedSide,
} from "../support/scripted_seed.ts";
import { noAbort } from "../source/support.ts";
import { patternOf } from "../support/bytes.ts";

export const MIB = 1024 * 1024;

export function addressOf(host: string): SocketAddress {
  return { host, port: 7270, tls: false };
}

/** The name that a seed's link has. */
export function nameOf(host: string): string {
  return `${host}:7270`;
}

/** What stands at each host: a seed, or nothing. */
export type Hosts = Readonly<Record<string, ScriptedSeed | Dial>>;

/** Everything around a task in memory, under a clock that the test turns. */
/** What a name turned out to be. */
export interface Found {
  readonly size: number;
  readonly id: string | null;
  readonly holders: readonly string[];
  /** Sources that may still turn out to hold it. */
  readonly others: readonly string[];
}

const ENOUGH = new Error("the content is found");

export class TaskFixture implements AsyncDisposable {
  readonly clock = new ManualClock(1_000_000);
  readonly #over = new AbortController();
  /** For this task and others. */
  readonly slots = new Semaphore(1);
  readonly dir = Deno.makeTempDirSync({ prefix: "p2p-" });
  readonly news: TaskEventData[] = [];
  readonly parts: TaskContext;
  readonly pool: SourcePool;
  readonly hosts: Map<string, ScriptedSeed | Dial>;

  /** @param time another clock than the manual one, for real sockets. */
  constructor(hosts: Hosts, settings: Partial<DownloadSettings> = {}, time?: Clock) {
    const clock = time ?? this.clock;
    this.hosts = new Map(Object.entries(hosts));
    const all = {
      ...DOWNLOAD_DEFAULTS,
      seeds: Object.keys(hosts).map(addressOf),
      ...settings,
    };
    this.pool = new SourcePool({ ...all, clock, dial: this.dial });
    this.parts = {
      partialsOf: () => [],
      memory: new PieceBuffers(64 * 1024 * 1024),
      hasher: mainThreadHasher,
      settings: all,
      pool: this.pool,
      prefetch: new Prefetch(
        [{ name: "before", size: 1 }, { name: "a", size: 1 }],
        { clock, sources: this.pool.sources(all.seeds), mayHaveBytes: () => false },
        this.over,
      ),
      sharing: undefined,
      clock,
      random: () => 0.5,
      store: {
        pid: 1,
        boot: 0,
        bootId: "this",
        space: new DiskSpace(),
        targets: new OpenTargets(),
        clock: systemClock,
      },
      shares: new MemoryShares(64 * 1024 * 1024),
      permit: new Permit(this.slots),
      rateLimit: undefined,
      emit: (news) => void this.news.push(news),
    };
  }

  #onDisk = false;
  #missing = 0;

  /** Sources that said that they do not hold the content. */
  get #refused(): ReadonlySet<string> {
    const refused = this.news.flatMap((event) => {
      const { kind } = event;
      return kind === "seed" && ["dissents", "lacks", "dropped"].includes(event.what)
        ? [event.seed]
        : [];
    });
    return new Set(refused);
  }

  /** Aborts when the test is over: until then a seed's side may wait. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  readonly dial: Dial = (address, signal) => {
    const there = this.hosts.get(address.host);
    if (there === undefined) return Promise.reject(new UnreachableError("nobody there"));
    return typeof there === "function" ? there(address, signal) : there.dial(address, signal);
  };

  /** What was reported of a seed, in order. */
  reportsOf(host: string): string[] {
    return this.news.flatMap((one) =>
      one.kind === "seed" && one.seed === nameOf(host) ? [one.what] : []
    );
  }

  open(content: StoredContent): Promise<StoredFile> {
    return StoredFile.open(join(this.dir, "a"), content, this.parts.store, noAbort);
  }

  /** The bytes of the file, finished or not. */
  written(): Uint8Array {
    const path = join(this.dir, "a");
    try {
      return Deno.readFileSync(path);
    } catch {
      return Deno.readFileSync(partPath(path));
    }
  }

  /** Whether the folder has a file of that name. */
  has(name: string): boolean {
    return Array.from(Deno.readDirSync(this.dir)).some((entry) => entry.name === name);
  }

  /** Asks for the manifest of "a" before its turn has come. */
  async foresee(host: string): Promise<void> {
    await this.timed(this.pool.source(addressOf(host)).protocol(noAbort));
    this.parts.prefetch.begin("before");
  }

  /** Resolves what "a" is, and stops before anything of it is fetched. */
  async find(wanted: { sha256?: string; id?: string } = {}, signal = noAbort): Promise<Found> {
    using stop = linkedAbort(signal);
    let found: Found | undefined;
    const emit = (event: TaskEventData) => {
      this.parts.emit(event);
      if (event.kind !== "found") return;
      const { size, id, seeds: holders } = event;
      const others = [...this.hosts.keys()].map(nameOf)
        .filter((name) => !holders.includes(name) && !this.#refused.has(name));
      found = { size, id, holders, others };
      stop.abort(ENOUGH);
    };
    const all = { name: "a", sha256: undefined, id: undefined, ...wanted };
    const context = { ...this.parts, emit };
    await downloadFile(all, new OutFolder(this.dir), context, stop.signal).catch((error) => {
      if (error !== ENOUGH) throw error;
    });
    return found!;
  }

  /** Downloads "a". @returns the bytes that came, by host. */
  async download(signal = noAbort): Promise<Record<string, number>> {
    const wanted = { name: "a", sha256: undefined, id: undefined };
    const { bytesBySeed } = await downloadFile(
      wanted,
      new OutFolder(this.dir),
      { ...this.parts, emit: (event) => this.#follow(event) },
      signal,
    );
    const entries = Object.entries(bytesBySeed);
    return Object.fromEntries(entries.map(([seed, bytes]) => [seed.split(":")[0]!, bytes]));
  }

  /** While the file is opened or finished, the clock stands still: the disk takes its own time. */
  #follow(event: TaskEventData): void {
    if (event.kind === "found") this.#onDisk = true;
    if (event.kind === "pieces") {
      this.#missing = event.count - event.cells.reduce((sum, pieces) => sum + pieces, 0);
    }
    if (event.kind === "stored") this.#missing--;
    if (event.kind === "state" && event.state === "downloading" || event.kind === "stored") {
      this.#onDisk = this.#missing === 0;
    }
    this.parts.emit(event);
  }

  /** Every body takes so many ms, by the bench's clock. */
  slowly(ms: number): Hook {
    return onDownload(async (bytes, client) => {
      await client.send(`OK ${bytes.length}\n`);
      for (let part = 0; part < 10; part++) {
        await this.clock.sleep(ms / 10, this.#over.signal);
        const cut = (tenths: number) => Math.floor(tenths * bytes.length / 10);
        await client.send(bytes.subarray(cut(part), cut(part + 1)));
      }
      return "answered";
    });
  }

  /** Lets time pass until `promise` has settled, and says how much passed. */
  async timed<T>(promise: Promise<T>, maxMs = 300_000): Promise<{ value: T; ms: number }> {
    const startedAt = this.clock.now();
    let settled = false;
    promise.then(() => settled = true, () => settled = true);
    while (!settled) {
      if (this.clock.now() - startedAt > maxMs) throw new Error(`Not settled in ${maxMs} ms`);
      await this.#pass();
    }
    return { value: await promise, ms: this.clock.now() - startedAt };
  }

  /** Lets time pass until `come` is true. */
  async until(come: () => boolean, maxMs = 300_000): Promise<void> {
    const startedAt = this.clock.now();
    while (!come()) {
      if (this.clock.now() - startedAt > maxMs) throw new Error(`Not come in ${maxMs} ms`);
      await this.#pass();
    }
  }

  async #pass(): Promise<void> {
    await this.clock.advance(this.#onDisk ? 0 : 10);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]();
    this.#over.abort(new ClientLeft());
    Deno.removeSync(this.dir, { recursive: true });
    if (this.clock.pending > 0) throw new Error("A timer was left behind");
  }
}

/** Seeds that live as long as a test. */
export class Seeds implements AsyncDisposable {
  readonly #seeds: ScriptedSeed[] = [];

  add(...args: ConstructorParameters<typeof ScriptedSeed>): ScriptedSeed {
    const seed = new ScriptedSeed(...args);
    this.#seeds.push(seed);
    return seed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const seed of this.#seeds) await seed[Symbol.asyncDispose]();
  }
}

export const UNREACHABLE: Dial = () => Promise.reject(new UnreachableError("connection refused"));

/** Takes the connection and never says a word. */
export const SILENT: Dial = (_, signal) =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

/** Some pieces and a bit of another one. */
export const FILE = patternOf(5 * MIB + 1000);
export const OTHER = patternOf(5 * MIB + 1000, 99);

export function contentOf(bytes: Uint8Array, verified = true): StoredContent {
  const manifest = new ScriptedSeed({ a: bytes }).manifestOf("a");
  return { layout: layoutOf(bytes.length), manifest: verified ? manifest : undefined };
}

/** Plays an old seed that reports how long its files are: one request a connection, and no word to a greeting. */
export function oldSeedOf(sizes: Readonly<Record<string, number>>) {
  return async (seed: SeedSide): Promise<void> => {
    const line = await seed.line();
    const name = line?.match(/^FILESIZE (.*)$/)?.[1];
    if (line === "LIST") await seed.send(`${Object.keys(sizes).join("\n")}\n`);
    if (name !== undefined) {
      const size = sizes[name];
      await seed.send(size === undefined ? "ERROR:NOT_FOUND no\n" : `SIZE:${size}\n`);
    }
  };
}
