/**
 * Makes manifests: a file is hashed when its manifest is first requested, once for
 * all clients that wait for it. Hashing goes on when these have left, because they
 * will return; it ends with the server.
 */
import { onAbort } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import { sha256 } from "../../base/digest.ts";
import { reasonOf } from "../../base/errors.ts";
import { MIN_PIECE_BYTES } from "../../base/pieces.ts";
import { Semaphore } from "../../base/semaphore.ts";
import type { TaskGroup } from "../../base/task_group.ts";
import type { EventSink, ServeEvent } from "../../events.ts";
import { hashFile } from "../../hash/hash_file.ts";
import type { HasherPool } from "../../hash/pool.ts";
import { ErrorReply } from "../../protocol/error_replies.ts";
import { makeManifest, type Manifest } from "../../protocol/manifest.ts";
import type { FileResolver } from "../files/file_resolver.ts";
import { FileChangedError, type Located, type OpenFile } from "../files/open_file.ts";
import type { MetricsRegistry } from "../metrics/metrics_registry.ts";
import type { DiskCache } from "./disk_cache.ts";
import { ManifestCache } from "./manifest_cache.ts";

/** Larger files take more than half a second to hash on a fast disk. */
const LARGE_FILE_BYTES = 256 * 1024 * 1024;
/** Time for which a request waits before the reply is PENDING: enough for some tens of MiB, and a client sees progress. */
const PENDING_AFTER_MS = 100;
/** A file that is written all the time has no digest. */
const MAX_ATTEMPTS = 3;

export interface ManifestServiceOptions {
  readonly files: FileResolver;
  readonly diskCache: DiskCache;
  readonly clock: Clock;
  readonly emit: EventSink<ServeEvent>;
  readonly metrics: MetricsRegistry;
  /** Its workers end when no file is being hashed. */
  readonly hasher: HasherPool;
  /** Hashing runs in this group and ends with it. */
  readonly jobs: TaskGroup;
}

/** A file that is being hashed or waits for that. */
interface Job {
  /** The first client that requested it. */
  readonly client: string;
  hashedBytes: number;
  size: number;
  outcome: Outcome | undefined;
  /** Called when there is an outcome. */
  readonly waiters: Set<() => void>;
}

/** When hashing began: by the monotonic clock, and by the clock that the times of files come from. */
interface Begun {
  readonly at: number;
  readonly hashedAt: number;
}

type Outcome = ErrorReply | { readonly versionId: string; readonly manifest: Manifest };

export class ManifestService {
  readonly #options: ManifestServiceOptions;
  readonly #cache = new ManifestCache();
  /** By path, so that one file with two names is hashed once. */
  readonly #jobs = new Map<string, Job>();
  /** One file at a time keeps a disk busy. Other files do not wait behind a large one, which may take hours. */
  readonly #slots = { large: new Semaphore(1), other: new Semaphore(1) };
  /** Holds a file of one piece while it is hashed. */
  readonly #block = new Uint8Array(MIN_PIECE_BYTES);

  constructor(options: ManifestServiceOptions) {
    this.#options = options;
  }

  /** Files that are being hashed. */
  get running(): number {
    return 2 - this.#slots.large.available - this.#slots.other.available;
  }

  /** Files that wait until others have been hashed. */
  get waiting(): number {
    // A job that writes to the disk cache still has its slot, and no client waits for it.
    return Math.max(0, this.#jobs.size - this.running);
  }

  /**
   * The file that has the content `id` now, if a manifest with that id was made
   * recently: ids are forgotten with the least recently used manifests.
   *
   * @throws {ErrorReply} BUSY if there are no free descriptors to look.
   */
  fileOf(id: string): Located | undefined {
    let current: Located | undefined;
    const found = this.#cache.fileOf(id, ({ name, path, version }) => {
      try {
        current = this.#options.files.find(name);
        return current.path === path && current.version.id === version.id;
      } catch (error) {
        if (error instanceof ErrorReply && error.code === "NOT_FOUND") return false;
        throw error;
      }
    });
    return found && current;
  }

  /** The manifest of that version, if it was made recently. */
  known(found: Located): Manifest | undefined {
    return this.#cache.find(found);
  }

  /** As `known`, for a file of a listing. */
  knownAt(
    path: string,
    listed: { readonly size: number; readonly modified: number },
  ): Manifest | undefined {
    return this.#cache.findListed(path, listed);
  }

  /**
   * The manifest of the version that was found.
   *
   * @param open opens that version; called only for a file that is hashed at once.
   * @param client who requests it.
   * @throws {ErrorReply} PENDING while it is not ready.
   * @throws {FileChangedError} if the file is another version by now.
   */
  async manifestOf(
    found: Located,
    open: () => OpenFile,
    client: string,
    signal: AbortSignal,
  ): Promise<Manifest> {
    const cached = this.#cache.find(found);
    if (cached) return cached;
    const { name, path, version } = found;
    if (version.size <= MIN_PIECE_BYTES) return this.#hashAtOnce(open());
    const outcome = await this.#outcomeOf(
      this.#jobs.get(path) ?? this.#start(found, client),
      signal,
    );
    if (outcome instanceof ErrorReply) throw outcome;
    if (outcome.versionId === version.id) return outcome.manifest;
    throw new FileChangedError(name);
  }

  #hashAtOnce(file: OpenFile): Manifest {
    const begun = this.#begin();
    const bytes = this.#block.subarray(0, file.version.size);
    file.read(bytes, 0);
    this.#options.metrics.hashedBytes.add(bytes.length);
    const digest = sha256(bytes);
    const pieces = bytes.length === 0 ? new Uint8Array() : digest;
    const manifest = makeManifest(bytes.length, digest.toHex(), pieces);
    this.#keep(file, manifest, begun);
    return manifest;
  }

  #begin(): Begun {
    const { clock } = this.#options;
    return { at: clock.now(), hashedAt: clock.wallTime() };
  }

  #keep(file: OpenFile, manifest: Manifest, { at, hashedAt }: Begun): void {
    const { emit, clock } = this.#options;
    this.#cache.keep(file, manifest, hashedAt);
    const elapsedMs = clock.now() - at;
    emit({ kind: "hashed", name: file.name, bytes: file.version.size, elapsedMs });
  }

  /** @throws {ErrorReply} PENDING. */
  async #outcomeOf(job: Job, signal: AbortSignal): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#options.clock.after(PENDING_AFTER_MS, resolve);
    using _left = onAbort(signal, resolve);
    job.waiters.add(resolve);
    await promise;
    job.waiters.delete(resolve);
    signal.throwIfAborted();
    return job.outcome ?? new ErrorReply("PENDING", percentOf(job));
  }

  #start(found: Located, client: string): Job {
    const { path, version: { size } } = found;
    const job: Job = { client, size, hashedBytes: 0, outcome: undefined, waiters: new Set() };
    this.#jobs.set(path, job);
    this.#options.jobs.spawn(async (signal) => {
      try {
        await this.#run(found, job, signal);
      } catch (error) {
        this.#end(path, job, errorReplyOf(error));
      }
    });
    return job;
  }

  #end(path: string, job: Job, outcome: Outcome): void {
    if (job.outcome) return;
    job.outcome = outcome;
    this.#jobs.delete(path);
    for (const wake of job.waiters) wake();
  }

  async #run({ name, path }: Located, job: Job, signal: AbortSignal): Promise<void> {
    const { files, hasher } = this.#options;
    const { large, other } = this.#slots;
    using _slot = await (job.size > LARGE_FILE_BYTES ? large : other).acquire(signal);
    // An idle server does not pay for the workers' memory.
    using _workers = { [Symbol.dispose]: () => void (this.running === 1 && hasher.endWorkers()) };
    for (let attempt = 1;; attempt++) {
      using file = files.open(files.find(name));
      try {
        return await this.#hash(file, path, job, signal);
      } catch (error) {
        if (!(error instanceof FileChangedError) || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  async #hash(file: OpenFile, path: string, job: Job, signal: AbortSignal): Promise<void> {
    const { diskCache, emit, metrics, hasher } = this.#options;
    const { name, version: { id: versionId, size } } = file;
    const begun = this.#begin();
    const { hashedAt } = begun;
    const cached = await diskCache.find(file);
    if (cached) {
      this.#cache.keep(file, cached, hashedAt);
      return this.#end(path, job, { versionId, manifest: cached });
    }
    job.size = size;
    job.hashedBytes = 0;
    emit({ kind: "hashing", client: job.client, name, bytes: size });
    const onProgress = (done: number) => {
      metrics.hashedBytes.add(done - job.hashedBytes);
      job.hashedBytes = done;
    };
    const read = file.readAsync.bind(file);
    const digests = await hashFile(read, size, { hasher, signal, onProgress });
    const manifest = makeManifest(size, digests.sha256, digests.pieces);
    this.#keep(file, manifest, begun);
    // Clients do not wait until the disk cache is written.
    this.#end(path, job, { versionId, manifest });
    await diskCache.keep(file, manifest, hashedAt, signal);
  }
}

function percentOf({ hashedBytes, size }: Job): string {
  return String(Math.min(99, Math.floor(hashedBytes * 100 / Math.max(size, 1))));
}

function errorReplyOf(error: unknown): ErrorReply {
  return error instanceof ErrorReply
    ? error
    : new ErrorReply("INTERNAL", `cannot hash the file: ${reasonOf(error)}`);
}
