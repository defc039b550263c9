/**
 * Digests of the files' pieces: made when first asked for, once for all who wait,
 * a few files at a time, while uploads go on. A hashing goes on although who
 * asked for it has left, for the client will come back; it ends with the seed.
 */
import { onAbort } from "../../base/abort.ts";
import type { Clock } from "../../base/clock.ts";
import { sha256 } from "../../base/digest.ts";
import { reasonOf } from "../../base/errors.ts";
import { Semaphore } from "../../base/semaphore.ts";
import type { TaskGroup } from "../../base/task_group.ts";
import type { EventSink, ServeEvent } from "../../events.ts";
import { MIN_PIECE_BYTES } from "../../base/pieces.ts";
import { hashFile } from "../../hash/hash_file.ts";
import type { HasherPool } from "../../hash/pool.ts";
import { makeManifest, type Manifest } from "../../protocol/manifest.ts";
import { ErrorReply } from "../../protocol/error_replies.ts";
import type { DigestCache } from "./digest_cache.ts";
import type { Root } from "../files/root.ts";
import { ManifestCache } from "./manifest_cache.ts";
import { FileChangedError, type Located, type OpenFile, openServed } from "../files/open_file.ts";
import type { MetricsRegistry } from "../metrics/metrics_registry.ts";
import type { FileVersion } from "../files/file_version.ts";

/** What takes longer than half a second to hash, on a fast disk. */
const LARGE_BYTES = 256 * 1024 * 1024;
/** Long enough for a file of some tens of MiB, short enough that a client sees progress. */
const PENDING_AFTER_MS = 100;
/** A file that is written all the time has no digest. */
const MAX_ATTEMPTS = 3;

export interface ManifestServiceOptions {
  readonly folder: Root;
  readonly cache: DigestCache;
  readonly clock: Clock;
  readonly emit: EventSink<ServeEvent>;
  readonly tally: MetricsRegistry;
  /** Its workers end when no file is being hashed. */
  readonly hasher: HasherPool;
  /** Where hashing runs; it ends with this group. */
  readonly jobs: TaskGroup;
}

interface Hashing {
  /** Who asked first. */
  readonly client: string;
  /** Bytes hashed of so many. */
  done: number;
  size: number;
  /** Resolves when there is an outcome. */
  readonly ended: Promise<void>;
  readonly end: (outcome: Outcome) => void;
  outcome: Outcome | undefined;
}

type Outcome = Hashed | ErrorReply;

interface Hashed {
  readonly version: FileVersion;
  readonly manifest: Manifest;
}

export class ManifestService {
  readonly #parts: ManifestServiceOptions;
  readonly #known = new ManifestCache();
  /** By path, so that one file under two names is hashed once. */
  readonly #running = new Map<string, Hashing>();
  /** One file at a time keeps a disk busy; beside a large one, another, so that none waits for hours. */
  readonly #slots = { large: new Semaphore(1), other: new Semaphore(1) };
  /** Holds files of one piece while they are hashed. */
  readonly #block = new Uint8Array(MIN_PIECE_BYTES);

  constructor(parts: ManifestServiceOptions) {
    this.#parts = parts;
  }

  /** Files whose pieces are being hashed. */
  get running(): number {
    return 2 - this.#slots.large.available - this.#slots.other.available;
  }

  /** Files that are to be hashed when others are through. */
  get waiting(): number {
    // What is hashed and not yet in the cache holds a slot and keeps nobody waiting.
    return Math.max(0, this.#running.size - this.running);
  }

  /**
   * The manifest of the version that was found.
   *
   * @param open opens that version; asked only where it must be read at once.
   * @param client asked for it.
   * @throws {ErrorReply} PENDING while it is not ready.
   * @throws {FileChangedError} if the file is another version by now.
   */
  async manifestOf(
    found: Located,
    open: () => OpenFile,
    client: string,
    signal: AbortSignal,
  ): Promise<Manifest> {
    const { name, path, version } = found;
    const known = this.#known.find(path, version);
    if (known) return known;
    // One piece: done before any waiting could begin.
    if (version.size <= MIN_PIECE_BYTES) return this.#hashAtOnce(open());
    const hashing = this.#running.get(path) ?? this.#start(found, client);
    await this.#waitFor(hashing, signal);
    const outcome = hashing.outcome!;
    if (outcome instanceof ErrorReply) throw outcome;
    if (outcome.version.id === version.id) return outcome.manifest;
    throw new FileChangedError(name);
  }

  #hashAtOnce(file: OpenFile): Manifest {
    const hashedAt = this.#parts.clock.now();
    const bytes = this.#block.subarray(0, file.version.size);
    file.read(bytes, 0);
    this.#parts.tally.hashedBytes += bytes.length;
    const digest = sha256(bytes);
    const pieces = bytes.length === 0 ? new Uint8Array() : digest;
    const manifest = makeManifest(bytes.length, digest.toHex(), pieces);
    this.#keep(file, manifest, hashedAt);
    return manifest;
  }

  #keep(file: OpenFile, manifest: Manifest, hashedAt: number): void {
    this.#known.keep(file.path, file.version, manifest, hashedAt);
    this.#parts.emit({
      kind: "hashed",
      name: file.name,
      bytes: file.version.size,
      elapsedMs: this.#parts.clock.now() - hashedAt,
    });
  }

  async #waitFor(hashing: Hashing, signal: AbortSignal): Promise<void> {
    const late = Promise.withResolvers<void>();
    using _timer = this.#parts.clock.after(PENDING_AFTER_MS, late.resolve);
    using _left = onAbort(signal, late.resolve);
    await Promise.race([hashing.ended, late.promise]);
    signal.throwIfAborted();
    if (!hashing.outcome) throw new ErrorReply("PENDING", percentOf(hashing));
  }

  #start({ name, path, version }: Located, client: string): Hashing {
    const hashing = newHashing(client, version.size, () => this.#running.delete(path));
    this.#running.set(path, hashing);
    this.#parts.jobs.spawn(async (signal) => {
      try {
        await this.#hash(name, hashing, signal);
      } catch (error) {
        hashing.end(failureOf(error));
      }
    });
    return hashing;
  }

  async #hash(
    name: string,
    hashing: Hashing,
    signal: AbortSignal,
  ): Promise<void> {
    const { large, other } = this.#slots;
    using _slot = await (hashing.size > LARGE_BYTES ? large : other).acquire(signal);
    for (let attempt = 1;; attempt++) {
      using file = openServed(this.#parts.folder, name);
      try {
        return await this.#hashVersion(file, hashing, signal);
      } catch (error) {
        const again = error instanceof FileChangedError;
        if (!again || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  async #hashVersion(
    file: OpenFile,
    hashing: Hashing,
    signal: AbortSignal,
  ): Promise<void> {
    const { cache, clock, emit, tally, hasher } = this.#parts;
    const { path, version } = file;
    const hashedAt = clock.now();
    const cached = await cache.find(path, version);
    if (cached) {
      this.#known.keep(path, version, cached, hashedAt);
      return hashing.end({ version, manifest: cached });
    }
    hashing.size = version.size;
    hashing.done = 0;
    emit({ kind: "hashing", client: hashing.client, name: file.name, bytes: version.size });
    // An idle server does not pay for the workers' memory.
    using _workers = { [Symbol.dispose]: () => void (this.running === 1 && hasher.endWorkers()) };
    const onProgress = (done: number) => {
      tally.hashedBytes += done - hashing.done;
      hashing.done = done;
    };
    const read = file.readAsync.bind(file);
    const { sha256, pieces } = await hashFile(read, version.size, { hasher, signal, onProgress });
    const manifest = makeManifest(version.size, sha256, pieces);
    this.#keep(file, manifest, hashedAt);
    // Before the cache is written, for nobody need wait for that.
    hashing.end({ version, manifest });
    await cache.keep(path, version, manifest, hashedAt, signal);
  }
}

function newHashing(client: string, size: number, onEnd: () => void): Hashing {
  const { promise, resolve } = Promise.withResolvers<void>();
  const hashing: Hashing = {
    client,
    done: 0,
    size,
    ended: promise,
    outcome: undefined,
    end(outcome) {
      if (hashing.outcome) return;
      hashing.outcome = outcome;
      onEnd();
      resolve();
    },
  };
  return hashing;
}

function percentOf({ done, size }: Hashing): string {
  return String(Math.min(99, Math.floor(done * 100 / Math.max(size, 1))));
}

function failureOf(error: unknown): ErrorReply {
  return error instanceof ErrorReply
    ? error
    : new ErrorReply("INTERNAL", `cannot hash the file: ${reasonOf(error)}`);
}
