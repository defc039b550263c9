/**
 * A server from the first listener to the last reply.
 *
 * Loops, and what each owns: one for each listener and the check of timeouts once a second
 * (`accept/connections.ts`), the connections; one for each client (`protocol/session.ts`), its
 * conversation; hashing (`manifests/manifest_service.ts`), the manifests.
 */
import { onAbort } from "../base/abort.ts";
import { isLoopback } from "../base/ip.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { ServeSettings } from "../config.ts";
import { announce } from "../discovery/announce.ts";
import type { EventSink, ServeEvent } from "../events.ts";
import { type Listening, listenOn } from "../source/listen.ts";
import { Connections } from "./accept/connections.ts";
import type { ServeRuntime } from "../runtime.ts";
import { createContext, type ServeContext } from "./context.ts";
import { walkDirectory, type WalkResult } from "./files/directory_walk.ts";
import { renderMetrics } from "./metrics/metrics.ts";
import { listenForMetrics, serveMetrics } from "./metrics/metrics_listener.ts";
import { reportLinks } from "./http/links.ts";
import type { Gauges } from "./metrics/metrics_registry.ts";
import { shutdown } from "./protocol/errors.ts";

/** Time for replies that have begun when the server is to end. */
const DRAIN_TIMEOUT_MS = 10_000;
/** Names in the first event: the user needs one to try. */
const MAX_EXAMPLES = 100;

/**
 * Serves the folder. When `signal` aborts, replies that have begun are finished and no
 * others begin; when `now` aborts, everything closes at once.
 *
 * @param cacheDir keeps digests over restarts. It is created if possible; without it, files are hashed again.
 * @throws {UsageError} if there is no such folder, or the address cannot be listened on.
 * @throws {DiskError} if the folder may not be read.
 */
export async function serve(
  settings: ServeSettings,
  cacheDir: string,
  runtime: ServeRuntime,
  emit: EventSink<ServeEvent>,
  signal: AbortSignal,
  now: AbortSignal,
): Promise<void> {
  await using jobs = new TaskGroup(now);
  const draining = AbortSignal.any([signal, now]);
  const context = createContext({ settings, cacheDir, runtime, emit, jobs, draining });
  const { host, port, tls } = settings;
  const listeners = listenOn({ host, port, ...(tls && { tls }) }, runtime.listen);
  using listening = new DisposableStack();
  for (const listener of listeners) listening.use(listener);
  using metrics = settings.metrics && listenForMetrics(settings.metrics, runtime.listen);
  if (draining.aborted) return;
  using _stop = onAbort(draining, () => listening.dispose());
  const connections = new Connections(context);
  jobs.spawn((signal) => connections.checkTimeouts(signal));
  jobs.spawn((signal) => context.diskCache.prune(signal));
  if (metrics) {
    const page = () => renderMetrics(context.metrics.metrics(gaugesOf(context, connections)));
    jobs.spawn((signal) => serveMetrics(metrics, page, context.clock, signal));
  }
  await using clients = new TaskGroup(now);
  await reportListening(listeners, context);
  if (metrics) emit({ kind: "metrics", host: metrics.host, port: metrics.port });
  if (settings.http && settings.links > 0) {
    jobs.spawn((signal) => reportLinks(listeners[0]!, context, runtime.hostName?.(), signal));
  }
  if (settings.announce) announceNearby(listeners, context, runtime, jobs);
  const accept = async (listener: Listening) => {
    for await (const stream of listener.clients()) connections.accept(stream, clients);
  };
  await Promise.all(listeners.map(accept));
  await drain(connections, clients, context, now);
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

/** Announces the seed on the local network, unless only this machine can reach it. */
function announceNearby(
  listeners: readonly Listening[],
  { draining, settings: { tls, token } }: ServeContext,
  { multicast, clock, random }: ServeRuntime,
  jobs: TaskGroup,
): void {
  const reachable = listeners.find(({ host }) => !isLoopback(host));
  if (reachable === undefined || multicast === undefined) return;
  const announcement = {
    id: random.hex(8),
    port: reachable.port,
    tls: tls !== undefined,
    token: token !== undefined,
  };
  jobs.spawn(() => announce(announcement, { multicast, clock }, draining));
}

/** Walks the folder first: a server that is announced can also answer. */
async function reportListening(
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
  const names = (await index.accept(walked)).slice(0, MAX_EXAMPLES).map(({ name }) => name);
  const addresses = listeners.map(({ host, port }) => ({ host, port }));
  emit({ kind: "listening", addresses, ...index.offered, names });
  if (walked.omitted.count > 0) emit({ kind: "omitted", ...walked.omitted });
}

async function drain(
  connections: Connections,
  clients: TaskGroup,
  { emit, scheduler, clock, accessLog }: ServeContext,
  now: AbortSignal,
): Promise<void> {
  if (!now.aborted) {
    emit({ kind: "draining", connections: clients.size });
    scheduler.close(shutdown());
    connections.closeIdle();
    await using timer = new TaskGroup(now);
    timer.spawn(async (signal) => {
      await clock.sleep(DRAIN_TIMEOUT_MS, signal);
      clients.abort();
    });
    await clients.join();
  }
  accessLog.endAll();
}
