/**
 * A server for contents without names: a receiver serves the pieces that it has verified to other
 * receivers. It uses the connections, limits, fair shares and sessions of a server of a folder, and
 * offers an empty folder beside its contents.
 */
import { onAbort } from "../base/abort.ts";
import { LruCache } from "../base/lru_cache.ts";
import { TaskGroup } from "../base/task_group.ts";
import { SERVE_DEFAULTS } from "../config.ts";
import { ErrorReply } from "../protocol/error_replies.ts";
import type { PeerEntry } from "../protocol/swarm.ts";
import type { ServeRuntime } from "../runtime.ts";
import { type Listening, listenOn } from "../source/listen.ts";
import { AuthThrottle } from "./accept/auth_throttle.ts";
import { Connections } from "./accept/connections.ts";
import type { ServeContext } from "./context.ts";
import { AccessLog } from "./metrics/access_log.ts";
import { MetricsRegistry } from "./metrics/metrics_registry.ts";
import { BodyBuffers } from "./protocol/body_buffers.ts";
import { shutdown } from "./protocol/errors.ts";
import { Scheduler } from "./schedule/scheduler.ts";
import type { SharedContents } from "./swarm/shared_contents.ts";
import { SwarmTable } from "./swarm/swarm_table.ts";

export interface ShareServerOptions {
  /** The address to listen on; all addresses if not given. */
  readonly host?: string;
  /** 0: any free one. */
  readonly port: number;
  /** Bytes a second over all receivers; undefined: no limit. */
  readonly limit: number | undefined;
  /** The secret of the seeds, which other receivers must know, too. */
  readonly token: string | undefined;
  readonly shared: SharedContents;
  /** Called with each receiver that announces itself. */
  readonly onPeer: (id: string, peer: PeerEntry) => void;
}

/**
 * Two connections of each of the receivers that this one may know, and some of those that come and
 * go. A download keeps its descriptors for itself.
 */
const MAX_CONNECTIONS = 64;
/** One for pieces and one for questions, and the same again while they are being replaced. */
const CLIENT_CONNECTIONS = 16;
/** Pieces that are sent at a time: a piece can be passed on only when it is complete. */
const UPLOADS = 4;
/** Time for pieces that are being sent when the server ends. */
const DRAIN_TIMEOUT_MS = 1000;

/** Disposing it lets pieces that are being sent end, and closes it. */
export class ShareServer implements AsyncDisposable {
  /** The port that it listens on. */
  readonly port: number;
  readonly #stop = new AbortController();
  readonly #now = new AbortController();
  readonly #ended: Promise<void>;

  /** @throws {UsageError} if the port cannot be listened on. */
  constructor(options: ShareServerOptions, runtime: ServeRuntime) {
    const { host = SERVE_DEFAULTS.host, port } = options;
    const listeners = listenOn({ host, port }, runtime.listen);
    this.port = listeners[0]!.port;
    const context = contextOf(options, runtime, this.#stop.signal);
    this.#ended = this.#run(listeners, context);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #run(listeners: readonly Listening[], context: ServeContext): Promise<void> {
    const { draining, scheduler, clock } = context;
    await using jobs = new TaskGroup(this.#now.signal);
    await using clients = new TaskGroup(this.#now.signal);
    const connections = new Connections(context);
    jobs.spawn((signal) => connections.checkTimeouts(signal).catch(() => {}));
    using _stop = onAbort(draining, () => listeners.forEach((listener) => listener.close()));
    await Promise.all(listeners.map(async (listener) => {
      for await (const stream of listener.clients()) connections.accept(stream, clients);
    }));
    scheduler.close(shutdown());
    connections.closeIdle();
    using _late = clock.after(DRAIN_TIMEOUT_MS, () => clients.abort());
    await clients.join();
    this.#now.abort();
  }
}

function contextOf(
  { port, limit, token, shared, onPeer }: ShareServerOptions,
  { clock, random }: ServeRuntime,
  draining: AbortSignal,
): ServeContext {
  const settings = {
    ...SERVE_DEFAULTS,
    port,
    limit,
    token,
    maxConnections: MAX_CONNECTIONS,
    clientConnections: CLIENT_CONNECTIONS,
    uploads: UPLOADS,
    // Contents have no names, so there is nothing to browse.
    http: false,
  };
  const metrics = new MetricsRegistry(clock);
  const noFile = () => {
    throw new ErrorReply("NOT_FOUND", "no such file");
  };
  const emit = () => {};
  return {
    clock,
    random,
    settings,
    root: { path: "", hidden: false, platform: "" },
    hostNames: new Set(),
    diskCache: {
      find: () => Promise.resolve(undefined),
      keep: () => Promise.resolve(),
      prune: () => Promise.resolve(),
    },
    files: { find: noFile, open: noFile },
    index: {
      page: () => Promise.resolve({ body: new Uint8Array(), more: false }),
      names: () => Promise.resolve(new Uint8Array()),
      offered: { files: 0, bytes: 0 },
      accept: () => Promise.resolve([]),
      all: () => Promise.resolve([]),
    },
    manifests: {
      manifestOf: noFile,
      fileOf: () => undefined,
      known: () => undefined,
      knownAt: () => undefined,
      running: 0,
      waiting: 0,
    },
    sentVersions: new LruCache({ maxSize: 1 }),
    scheduler: new Scheduler({ ...settings, slots: settings.uploads }, clock),
    authThrottle: new AuthThrottle(clock),
    buffers: new BodyBuffers(),
    accessLog: new AccessLog(clock, emit, metrics),
    metrics,
    swarm: new SwarmTable(() => random.fraction()),
    shared,
    onPeer,
    emit,
    draining,
  };
}
