/** What all clients of a server share. */
import { LruCache } from "../base/lru_cache.ts";
import type { TaskGroup } from "../base/task_group.ts";
import type { ServeSettings } from "../config.ts";
import type { EventSink, ServeEvent } from "../events.ts";
import type { ServeRuntime } from "../runtime.ts";
import { AuthThrottle } from "./accept/auth_throttle.ts";
import { walkDirectory } from "./files/directory_walk.ts";
import { FileIndex } from "./files/file_index.ts";
import { FileResolver } from "./files/file_resolver.ts";
import { openRoot } from "./files/root.ts";
import { DiskCache } from "./manifests/disk_cache.ts";
import { hostNamesOf } from "./http/host_names.ts";
import { ManifestService } from "./manifests/manifest_service.ts";
import { AccessLog } from "./metrics/access_log.ts";
import { MetricsRegistry } from "./metrics/metrics_registry.ts";
import { BodyBuffers } from "./protocol/body_buffers.ts";
import type { PeerEntry } from "../protocol/swarm.ts";
import type { SharedContents } from "./swarm/shared_contents.ts";
import { SwarmTable } from "./swarm/swarm_table.ts";
import { Scheduler } from "./schedule/scheduler.ts";

/** Of any server; what is offered may be a folder, or contents without names. */
export type ServeContext = ReturnType<typeof createContext>;

/** Some clients that download thousands of files each. A client whose version was forgotten gets the current one, and its digest tells. */
const MAX_SENT_VERSIONS = 8192;

/** @throws {UsageError} if there is no such folder. @throws {DiskError} if it may not be read. */
export function createContext(options: {
  readonly settings: ServeSettings;
  readonly cacheDir: string;
  readonly runtime: ServeRuntime;
  readonly emit: EventSink<ServeEvent>;
  /** Walks and hashing run in this group and end with it. */
  readonly jobs: TaskGroup;
  /** Aborts when the server is to end: replies that have begun are finished, and no others begin. */
  readonly draining: AbortSignal;
}) {
  const { settings, cacheDir, runtime, emit, jobs, draining } = options;
  const { clock, random, hasher } = runtime;
  const root = openRoot(settings.dir, settings.hidden);
  const files = new FileResolver(root);
  const diskCache = new DiskCache(cacheDir, clock);
  const metrics = new MetricsRegistry(clock);
  return {
    clock,
    random,
    settings,
    root,
    files: files as Pick<FileResolver, "find" | "open">,
    index: new FileIndex((signal) => walkDirectory(root, signal), jobs, clock) as Pick<
      FileIndex,
      "page" | "names" | "offered" | "accept" | "all"
    >,
    diskCache: diskCache as Pick<DiskCache, "find" | "keep" | "prune">,
    manifests: new ManifestService(
      { files, diskCache, clock, emit, jobs, metrics, hasher },
    ) as Pick<
      ManifestService,
      "manifestOf" | "fileOf" | "running" | "waiting" | "known" | "knownAt"
    >,
    /** By client and name, for `DOWNLOAD`: the version of the file that the client knows. */
    sentVersions: new LruCache<string, string>({ maxSize: MAX_SENT_VERSIONS }),
    scheduler: new Scheduler({ ...settings, slots: settings.uploads }, clock),
    authThrottle: new AuthThrottle(clock),
    buffers: new BodyBuffers(),
    accessLog: new AccessLog(clock, emit, metrics),
    metrics,
    /** Names that HTTP requests may be for. */
    hostNames: hostNamesOf(settings, runtime.hostName?.()),
    /** The receivers of each content; undefined if they are not to find each other here. */
    swarm: settings.swarm ? new SwarmTable(() => random.fraction()) : undefined,
    /** Contents that are served by their ids alone. */
    shared: undefined as SharedContents | undefined,
    /** Called with each receiver that announces itself. */
    onPeer: undefined as ((id: string, peer: PeerEntry) => void) | undefined,
    emit,
    draining,
  };
}
