/**
 * A seed from the first listening to the last goodbye.
 *
 * Loops, and what each owns: the listener's, who is let in; one for each client
 * (`reception.ts`), its conversation; hashing (`digests.ts`), the digests; and
 * the sweep, which once a second ends what has taken too long.
 *
 * Two signals end it. `signal`: nobody new, nothing new, but what is being sent
 * is finished. `now`: everything closes at once.
 */
import { onAbort } from "../base/abort.ts";
import type { Clock } from "../base/clock.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { ServeSettings } from "../config.ts";
import type { ServeEvent, Sink } from "../events.ts";
import type { HasherThreads } from "../hash/hashers.ts";
import { type ByteStream, listen, type Listening } from "../net/transport.ts";
import { Admission } from "./admission.ts";
import { BodyBuffers } from "./body.ts";
import { Catalogue, type Walked, walkFolder } from "./catalogue.ts";
import { ClientLink } from "./client_link.ts";
import { DigestCache } from "./digest_cache.ts";
import { Digests } from "./digests.ts";
import { type Folder, openFolder } from "./folder.ts";
import { Guesses } from "./guesses.ts";
import { metricsOf, type Standing } from "./metrics.ts";
import { listenForMetrics, serveMetrics } from "./metrics_listener.ts";
import { renderMetrics } from "./metrics_text.ts";
import { Rates } from "./rates.ts";
import { receive, SILENT_MS, turnAway } from "./reception.ts";
import { type Seed, shutdown } from "./seed.ts";
import { Tally } from "./tally.ts";
import { ToldVersions } from "./told_versions.ts";
import { Transfers } from "./transfers.ts";
import { Attention } from "./attention.ts";
import { Uploads } from "./uploads.ts";

export interface ServeParts {
  readonly clock: Clock;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  /** 32 hex digits, never the same. */
  readonly nonce: () => string;
  /** Makes threads for large files. */
  readonly hashers: () => HasherThreads;
}

/** For what is being sent when the seed is told to end. */
const DRAIN_MS = 10_000;
/** How exactly limits of time are kept. */
const SWEEP_MS = 1000;
/** Clients that are turned away at a time. Each takes a round trip or two; who is slower makes room for a further one. */
const ENOUGH_TURNED_AWAY = 64;
/** Even in a rush: with the others and their files, it keeps below 1,024 descriptors. */
const MOST_TURNED_AWAY = 400;
/** Names that are told at the start: one of them will do for a person to try. */
const MOST_EXAMPLES = 100;

/**
 * Serves the folder until `signal` aborts and what is being sent is finished, or `now` aborts.
 *
 * @param cacheDir where digests are kept over restarts; made when missing, missed by nobody when it cannot be.
 * @throws {UsageError} if there is no such folder, or the address cannot be listened on.
 * @throws {DiskError} if the folder may not be read.
 */
export async function serve(
  settings: ServeSettings,
  cacheDir: string,
  parts: ServeParts,
  emit: Sink<ServeEvent>,
  signal: AbortSignal,
  now: AbortSignal,
): Promise<void> {
  const folder = openFolder(settings.dir, settings.hidden);
  const { host, port, tls } = settings;
  using listening = listen({ host, port, ...(tls && { tls }) });
  using metrics = settings.metrics && listenForMetrics(settings.metrics);
  const ending = AbortSignal.any([signal, now]);
  if (ending.aborted) return;
  using _stop = onAbort(ending, () => listening.close());
  await using work = new TaskGroup(now);
  const cache = new DigestCache(cacheDir, parts.clock, parts.nonce);
  const seed = makeSeed(settings, folder, cache, parts, emit, work, ending);
  const house = new House(seed);
  work.spawn((signal) => house.sweep(signal));
  work.spawn((signal) => cache.prune(signal));
  if (metrics) {
    const page = () => renderMetrics(metricsOf(seed.tally, standingOf(seed, house)));
    work.spawn((signal) => serveMetrics(metrics, page, parts.clock, signal));
  }
  await using clients = new TaskGroup(now);
  await announce(listening, seed);
  if (metrics) emit({ kind: "metrics", host: metrics.host, port: metrics.port });
  for await (const stream of listening.clients()) house.admit(stream, clients);
  await drain(house, clients, seed, now);
}

function makeSeed(
  settings: ServeSettings,
  folder: Folder,
  cache: DigestCache,
  parts: ServeParts,
  emit: Sink<ServeEvent>,
  jobs: TaskGroup,
  draining: AbortSignal,
): Seed {
  const { clock } = parts;
  const tally = new Tally(clock);
  return {
    ...parts,
    settings,
    folder,
    catalogue: new Catalogue(() => walkFolder(folder, jobs.signal), clock),
    digests: new Digests({ folder, cache, clock, emit, jobs, tally, hashers: parts.hashers }),
    told: new ToldVersions(),
    attention: new Attention(),
    uploads: new Uploads(settings.uploads, clock),
    rates: new Rates(settings, clock),
    guesses: new Guesses(clock),
    buffers: new BodyBuffers(),
    transfers: new Transfers(clock, emit, tally),
    tally,
    emit,
    draining,
  };
}

function standingOf({ uploads, digests, catalogue }: Seed, house: House): Standing {
  return {
    connections: house.size,
    uploads,
    hashing: digests,
    offered: catalogue.offered,
    residentBytes: Deno.memoryUsage().rss,
  };
}

/** Walks the folder first: a seed that says that it listens can also answer. */
async function announce(
  { host, port }: Listening,
  { folder, catalogue, emit, draining }: Seed,
): Promise<void> {
  let walked: Walked;
  try {
    walked = await walkFolder(folder, draining);
  } catch (error) {
    if (draining.aborted) return;
    throw error;
  }
  const first = (await catalogue.accept(walked)).slice(0, MOST_EXAMPLES).map(({ name }) => name);
  emit({ kind: "listening", host, port, ...catalogue.offered, names: first });
  if (walked.omitted.count > 0) emit({ kind: "omitted", ...walked.omitted });
}

async function drain(
  house: House,
  clients: TaskGroup,
  seed: Seed,
  now: AbortSignal,
): Promise<void> {
  if (!now.aborted) {
    seed.emit({ kind: "draining", connections: clients.size });
    seed.uploads.close(shutdown());
    house.closeIdle();
    await using patience = new TaskGroup(now);
    patience.spawn(async (signal) => {
      await seed.clock.sleep(DRAIN_MS, signal);
      clients.abort();
    });
    await clients.join();
  }
  seed.transfers.endAll();
}

/** Everyone who is connected. */
class House {
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
