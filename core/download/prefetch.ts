/**
 * Asks for small files before their task begins, so that neither the round trip nor the number of
 * tasks at a time limits the number of files a second: their manifests, and their bytes where a
 * source sends both in one reply. What came is kept within a budget until the task takes it.
 *
 * Every source is asked for the manifest, because all of them vote on the content. One of them is
 * also asked for the bytes. They are used only if they fit the content that wins.
 */
import type { Clock } from "../base/clock.ts";
import { MIN_PIECE_BYTES } from "../base/pieces.ts";
import { TaskGroup } from "../base/task_group.ts";
import { P2pError } from "../base/errors.ts";
import type { SourceAnswer } from "../plan/content_vote.ts";
import type { Source } from "../source/source.ts";
import { probe, type ProbeResult } from "./probe.ts";
import { SupplyRate } from "./supply_rate.ts";

/** A file that may be asked for ahead. */
export interface AheadFile {
  readonly name: string;
  /** From a listing; undefined if it is not known. */
  readonly size: number | undefined;
}

export interface PrefetchOptions {
  readonly clock: Clock;
  readonly sources: readonly Source[];
  /** Whether bytes are of use: nothing of the file is there yet, and no limit on the rate applies. */
  mayHaveBytes(name: string): boolean;
}

/** A larger file is read in ranges: its bytes can be kept, and another source can take over. */
const MAX_FILE_BYTES = 256 * 1024;
/** What is asked for or kept at a time, of the 160 MiB that the process may take: 100 MB/s at 40 ms. */
const BUDGET_BYTES = 4 * 1024 * 1024;
/** A full budget is used again from here on, so that many requests leave in one write. */
const REFILL_BYTES = BUDGET_BYTES * 3 / 4;
/** A file costs at least as much, for its manifest and what keeps it. */
const MIN_COST_BYTES = 4 * 1024;
/** What a file costs whose bytes are not asked for: 16 are asked for at a time. */
const MANIFEST_COST_BYTES = BUDGET_BYTES / 16;
/** Replies that are awaited at a time, for each connection: p2p's own seed takes so many requests. */
const MAX_PENDING = 64;
/** Older answers are requested again: the file may have changed. */
const MAX_AGE_MS = 5000;
/** The others wait this long for a source that is being connected, so that all are asked together. */
const MAX_CONNECT_MS = 300;
/** A source that failed or was busy is not asked for bytes ahead for this long. */
const FAILURE_PAUSE_MS = 1000;

const PAUSING: ReadonlySet<SourceAnswer["kind"]> = new Set(["later", "failed", "refused"]);

interface Prefetched {
  /** A promise until it is there; undefined if it is of no use. */
  answer: ProbeResult | Promise<ProbeResult | undefined> | undefined;
  answeredAt: number;
}

/** A file that was asked for and whose task has not ended. */
interface Ahead {
  cost: number;
  /** By source; an answer is taken once. */
  readonly answers: Map<string, Prefetched>;
}

/** A source, and what is known of it. */
class Supplier {
  /** "unused": its protocol has no manifests. */
  state: "unknown" | "connecting" | "ready" | "unused" = "unknown";
  connectingSince = 0;
  pausedUntil = -Infinity;
  readonly rate = new SupplyRate();

  constructor(readonly source: Source) {}
}

export class Prefetch implements AsyncDisposable {
  readonly #files: readonly AheadFile[];
  readonly #positions: ReadonlyMap<string, number>;
  readonly #options: PrefetchOptions;
  readonly #suppliers: readonly Supplier[];
  readonly #jobs: TaskGroup;
  readonly #ahead = new Map<string, Ahead>();
  /** Names whose task has begun and whose bytes were asked for by the task itself. */
  readonly #claimed = new Set<string>();
  /** Files before this position were asked for, or their task has begun. */
  #next = 0;
  /** The cost of all that is asked for or kept. */
  #held = 0;
  #pending = 0;
  /** The budget was used up, and not much of it is free again. */
  #isFull = false;

  /** @param files small ones and those of unknown size, in the order of their tasks */
  constructor(files: readonly AheadFile[], options: PrefetchOptions, signal: AbortSignal) {
    this.#files = files.filter(({ size = 0 }) => size <= MIN_PIECE_BYTES);
    this.#positions = new Map(this.#files.map(({ name }, position) => [name, position]));
    this.#options = options;
    this.#suppliers = options.sources.map((source) => new Supplier(source));
    this.#jobs = new TaskGroup(signal);
  }

  /** The task of `name` begins: asks for those behind it. */
  begin(name: string): void {
    const position = this.#positions.get(name);
    if (position === undefined) return;
    this.#next = Math.max(this.#next, position + 1);
    for (const supplier of this.#suppliers) this.#awaitReady(supplier);
    this.#request();
  }

  /** The task has ended: nothing is kept for it any more. */
  end(name: string): void {
    this.#claimed.delete(name);
    const ahead = this.#ahead.get(name);
    if (ahead === undefined) return;
    this.#ahead.delete(name);
    this.#held -= ahead.cost;
    this.#request();
  }

  /** What a source answered, or is about to answer, once; undefined if it has to be probed. */
  take(id: string, name: string): ProbeResult | Promise<ProbeResult | undefined> | undefined {
    const answers = this.#ahead.get(name)?.answers;
    const prefetched = answers?.get(id);
    answers?.delete(id);
    if (!prefetched) return undefined;
    const { answer, answeredAt } = prefetched;
    const isOld = this.#options.clock.now() - answeredAt > MAX_AGE_MS;
    return answer instanceof Promise || !isOld ? answer : undefined;
  }

  /** How many bytes a task may ask a source for in its probe: one source of each task. */
  claim(name: string): number {
    const position = this.#positions.get(name);
    if (position === undefined || this.#claimed.has(name) || this.#ahead.has(name)) return 0;
    this.#claimed.add(name);
    return this.#bytesOf(this.#files[position]!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#jobs[Symbol.asyncDispose]();
  }

  /** How many bytes of a file to ask for; 0 for its manifest alone. */
  #bytesOf({ name, size = MAX_FILE_BYTES }: AheadFile): number {
    const isSmall = size > 0 && size <= MAX_FILE_BYTES;
    return isSmall && this.#options.mayHaveBytes(name) ? size : 0;
  }

  #awaitReady(supplier: Supplier): void {
    if (supplier.state !== "unknown") return;
    supplier.state = "connecting";
    supplier.connectingSince = this.#options.clock.now();
    this.#jobs.spawn(async (signal) => {
      try {
        // Tasks wait for the same answer, and handle its failure.
        const protocol = await supplier.source.protocol(signal);
        // A connection for each request leaves nothing to gain.
        supplier.state = protocol === "one-shot" ? "unused" : "ready";
      } catch (error) {
        if (signal.aborted || !(error instanceof P2pError)) throw error;
        supplier.state = "unknown";
      }
      this.#request();
    });
  }

  /** Asks for as many files as the budget and the sources allow; all requests leave in one write. */
  #request(): void {
    const { clock } = this.#options;
    const suppliers = this.#suppliers.filter(({ state, source }) =>
      state === "ready" && !source.troubled
    );
    if (suppliers.length === 0) return;
    const comesSoon = ({ state, connectingSince }: Supplier) =>
      state === "connecting" && clock.now() - connectingSince < MAX_CONNECT_MS;
    if (this.#suppliers.some(comesSoon)) return;
    if (this.#isFull && this.#held > REFILL_BYTES) return;
    this.#isFull = false;
    const connections = suppliers.reduce(
      (sum, { source }) => sum + Math.max(1, source.line?.connections ?? 1),
      0,
    );
    const maxPending = MAX_PENDING * connections;
    for (; this.#next < this.#files.length; this.#next++) {
      const file = this.#files[this.#next]!;
      if (this.#pending > 0 && this.#pending + suppliers.length > maxPending) return;
      const bytes = this.#bytesOf(file);
      const chosen = bytes > 0 ? this.#choose(suppliers, bytes) : undefined;
      if (chosen === "none") return;
      const cost = chosen ? Math.max(bytes, MIN_COST_BYTES) : MANIFEST_COST_BYTES;
      if (this.#held > 0 && this.#held + cost > BUDGET_BYTES) {
        this.#isFull = true;
        return;
      }
      const ahead: Ahead = { cost, answers: new Map() };
      this.#ahead.set(file.name, ahead);
      this.#held += cost;
      for (const supplier of suppliers) {
        this.#probe(supplier, file.name, supplier === chosen ? bytes : 0, ahead);
      }
    }
  }

  /** The source that should send its bytes first; "none" while that one has enough to send. */
  #choose(suppliers: readonly Supplier[], bytes: number): Supplier | undefined | "none" {
    const now = this.#options.clock.now();
    let best: Supplier | undefined;
    for (const supplier of suppliers) {
      if (!supplier.source.fetches || now < supplier.pausedUntil) continue;
      if (!best || supplier.rate.msFor(bytes) < best.rate.msFor(bytes)) best = supplier;
    }
    return best === undefined || best.rate.hasRoom(bytes, suppliers.length > 1) ? best : "none";
  }

  /** The file turned out smaller, or nothing of it is kept. */
  #charge(name: string, ahead: Ahead, cost: number): void {
    if (this.#ahead.get(name) !== ahead) return;
    this.#held -= ahead.cost - cost;
    ahead.cost = cost;
  }

  #probe(supplier: Supplier, name: string, bytes: number, ahead: Ahead): void {
    const { clock } = this.#options;
    const { source, rate } = supplier;
    const { promise, resolve } = Promise.withResolvers<ProbeResult | undefined>();
    const prefetched: Prefetched = { answer: promise, answeredAt: Infinity };
    ahead.answers.set(source.id, prefetched);
    this.#pending++;
    if (bytes > 0) rate.requested(bytes, clock.now());
    this.#jobs.spawn(async (signal) => {
      let result: ProbeResult | undefined;
      try {
        const { answer, ...found } = await probe(source, name, signal, bytes);
        // Any other answer has to come when the task can act on it.
        const isSmall = found.manifest && found.manifest.digests.length <= MIN_COST_BYTES;
        if (isSmall) result = { answer, ...found };
        if (PAUSING.has(answer.kind)) supplier.pausedUntil = clock.now() + FAILURE_PAUSE_MS;
      } finally {
        this.#pending--;
        const received = result?.bytes?.length ?? 0;
        if (bytes > 0) {
          rate.answered(bytes, received, clock.now());
          this.#charge(name, ahead, Math.max(received, MIN_COST_BYTES));
        }
        prefetched.answeredAt = clock.now();
        prefetched.answer = result;
        resolve(result);
      }
      this.#request();
    });
  }
}
