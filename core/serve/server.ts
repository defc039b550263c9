/**
 * A seed from the first listening to the last goodbye.
 *
 * Loops, and what each owns: the listener's with the house (`house.ts`), who is
 * let in; one for each client (`reception.ts`), its conversation; hashing
 * (`digests.ts`), the digests; and the sweep, which once a second ends what has
 * taken too long.
 *
 * Two signals end it. `signal`: nobody new, nothing new, but what is being sent
 * is finished. `now`: everything closes at once.
 */
import { onAbort } from "../base/abort.ts";
import type { Clock } from "../base/clock.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { ServeSettings } from "../config.ts";
import type { EventSink, ServeEvent } from "../events.ts";
import type { HasherPool } from "../hash/pool.ts";
import { listenOn } from "../source/listen_on.ts";
import type { Listening } from "../source/transport.ts";
import { BodyBuffers } from "./protocol/send_body.ts";
import { FileIndex } from "./files/file_index.ts";
import { DiskCache } from "./manifests/disk_cache.ts";
import { ManifestService } from "./manifests/manifest_service.ts";
import { FileResolver } from "./files/file_resolver.ts";
import { openRoot, type Root } from "./files/root.ts";
import { AuthThrottle } from "./accept/auth_throttle.ts";
import { Connections } from "./accept/connections.ts";
import { renderMetrics } from "./metrics/metrics.ts";
import { listenForMetrics, serveMetrics } from "./metrics/metrics_listener.ts";
import { type ServeContext, shutdown } from "./context.ts";
import { type Gauges, MetricsRegistry } from "./metrics/metrics_registry.ts";
import { SentVersions } from "./protocol/sent_versions.ts";
import { AccessLog } from "./metrics/access_log.ts";
import { Scheduler } from "./schedule/scheduler.ts";
import { walkDirectory, type WalkResult } from "./files/directory_walk.ts";

export interface ServeRuntime {
  readonly clock: Clock;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  /** 32 hex digits, never the same. */
  readonly nonce: () => string;
  /** Hashes files; workers run while a large file is hashed. */
  readonly hasher: HasherPool;
}

/** For what is being sent when the seed is told to end. */
const DRAIN_TIMEOUT_MS = 10_000;
/** Names that are told at the start: one of them will do for a person to try. */
const MAX_EXAMPLES = 100;

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
  parts: ServeRuntime,
  emit: EventSink<ServeEvent>,
  signal: AbortSignal,
  now: AbortSignal,
): Promise<void> {
  const root = openRoot(settings.dir, settings.hidden);
  const { host, port, tls } = settings;
  const listeners = listenOn({ host, port, ...(tls && { tls }) });
  using listening = new DisposableStack();
  for (const listener of listeners) listening.use(listener);
  using metrics = settings.metrics && listenForMetrics(settings.metrics);
  const ending = AbortSignal.any([signal, now]);
  if (ending.aborted) return;
  using _stop = onAbort(ending, () => listening.dispose());
  await using work = new TaskGroup(now);
  const cache = new DiskCache(cacheDir, parts.clock);
  const seed = makeSeed(settings, root, cache, parts, emit, work, ending);
  const connections = new Connections(seed);
  work.spawn((signal) => connections.sweep(signal));
  work.spawn((signal) => cache.prune(signal));
  if (metrics) {
    const page = () => renderMetrics(seed.metrics.metrics(gaugesOf(seed, connections)));
    work.spawn((signal) => serveMetrics(metrics, page, parts.clock, signal));
  }
  await using clients = new TaskGroup(now);
  await announce(listeners, seed);
  if (metrics) emit({ kind: "metrics", host: metrics.host, port: metrics.port });
  const accept = async (listener: Listening) => {
    for await (const stream of listener.clients()) connections.accept(stream, clients);
  };
  await Promise.all(listeners.map(accept));
  await drain(connections, clients, seed, now);
}

function makeSeed(
  settings: ServeSettings,
  root: Root,
  cache: DiskCache,
  parts: ServeRuntime,
  emit: EventSink<ServeEvent>,
  jobs: TaskGroup,
  draining: AbortSignal,
): ServeContext {
  const { clock } = parts;
  const metrics = new MetricsRegistry(clock);
  const files = new FileResolver(root);
  return {
    ...parts,
    settings,
    root,
    files,
    index: new FileIndex((signal) => walkDirectory(root, signal), jobs, clock),
    manifests: new ManifestService({
      files,
      diskCache: cache,
      clock,
      emit,
      jobs,
      metrics,
      hasher: parts.hasher,
    }),
    sentVersions: new SentVersions(),
    scheduler: new Scheduler({ ...settings, slots: settings.uploads }, clock),
    authThrottle: new AuthThrottle(clock),
    buffers: new BodyBuffers(),
    accessLog: new AccessLog(clock, emit, metrics),
    metrics,
    emit,
    draining,
  };
}

function gaugesOf(
  { scheduler, manifests, index }: ServeContext,
  connections: Connections,
): Gauges {
  return {
    connections: connections.size,
    uploads: scheduler,
    hashing: manifests,
    offered: index.offered,
    residentBytes: Deno.memoryUsage().rss,
  };
}

/** Walks the folder first: a seed that says that it listens can also answer. */
async function announce(
  listeners: readonly Listening[],
  { root, index, emit, draining }: ServeContext,
): Promise<void> {
  let walked: WalkResult;
  try {
    walked = await walkDirectory(root, draining);
  } catch (error) {
    if (draining.aborted) return;
    throw error;
  }
  const first = (await index.accept(walked)).slice(0, MAX_EXAMPLES).map(({ name }) => name);
  const addresses = listeners.map(({ host, port }) => ({ host, port }));
  emit({ kind: "listening", addresses, ...index.offered, names: first });
  if (walked.omitted.count > 0) emit({ kind: "omitted", ...walked.omitted });
}

async function drain(
  connections: Connections,
  clients: TaskGroup,
  seed: ServeContext,
  now: AbortSignal,
): Promise<void> {
  if (!now.aborted) {
    seed.emit({ kind: "draining", connections: clients.size });
    seed.scheduler.close(shutdown());
    connections.closeIdle();
    await using patience = new TaskGroup(now);
    patience.spawn(async (signal) => {
      await seed.clock.sleep(DRAIN_TIMEOUT_MS, signal);
      clients.abort();
    });
    await clients.join();
  }
  seed.accessLog.endAll();
}
