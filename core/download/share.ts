/**
 * What the downloads of one process share with other receivers: the server that offers their verified
 * pieces, and the connections to other receivers.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { DiskError } from "../base/errors.ts";
import { onAbort } from "../base/abort.ts";
import { type ByteRange, lengthOf } from "../base/ranges.ts";
import type { SocketAddress } from "../base/source_address.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { Manifest } from "../protocol/manifest.ts";
import type { PeerEntry } from "../protocol/swarm.ts";
import { ShareServer } from "../serve/share.ts";
import { SharedContents } from "../serve/swarm/shared_contents.ts";
import { addressOf, SwarmPool } from "../source/swarm_pool.ts";
import type { PieceSource } from "../store/piece_sink.ts";
import type { DownloadSettings } from "../config.ts";
import type { Runtime } from "../runtime.ts";
import { type SharingContext, Swarm, type SwarmOptions } from "./swarm.ts";

/** Below the 15 s after which a seed forgets a receiver. */
const ANNOUNCE_INTERVAL_MS = 5000;

/** A complete file that was verified piece by piece. Receivers verify it again. */
class CompleteFile implements PieceSource, Disposable {
  readonly content: PieceSource["content"];
  readonly #path: string;
  readonly #descriptor: number;

  private constructor(manifest: Manifest, path: string, descriptor: number) {
    this.content = { layout: manifest.layout, manifest };
    this.#path = path;
    this.#descriptor = descriptor;
  }

  /** undefined if it cannot be read, or has another size by now. */
  static open(manifest: Manifest, path: string): CompleteFile | undefined {
    let descriptor: number | undefined;
    try {
      descriptor = openSync(path, "r");
      const isWhole = fstatSync(descriptor).size === manifest.layout.size;
      if (isWhole) return new CompleteFile(manifest, path, descriptor);
    } catch {
      // It was moved or removed.
    }
    if (descriptor !== undefined) closeSync(descriptor);
    return undefined;
  }

  has(): boolean {
    return true;
  }

  read(range: ByteRange, into: Uint8Array): void {
    for (let filled = 0; filled < lengthOf(range);) {
      const left = lengthOf(range) - filled;
      const count = readSync(this.#descriptor, into, filled, left, range.start + filled);
      if (count === 0) throw new DiskError(`Cannot read "${this.#path}": it is too short`);
      filled += count;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

export class Sharing implements SharingContext, AsyncDisposable {
  readonly contents = new SharedContents();
  readonly pool: SwarmPool;
  readonly #server: ShareServer;
  readonly #clock: Clock;
  readonly #shareForMs: number | undefined;
  readonly #stop = new AbortController();
  /** Complete files that are still offered. */
  readonly #kept = new TaskGroup(this.#stop.signal);
  /** By content. */
  readonly #listeners = new Map<string, (peer: string) => void>();

  /** @throws {UsageError} if the port cannot be listened on. */
  constructor(
    { sharePort: port, shareLimit: limit, shareForMs, token, stallMs }: DownloadSettings,
    runtime: Runtime,
  ) {
    const { clock, dial } = runtime;
    this.#clock = clock;
    this.#shareForMs = shareForMs;
    this.pool = new SwarmPool({ clock, dial, stallMs, token });
    const onPeer = (id: string, peer: PeerEntry) => this.#listeners.get(id)?.(addressOf(peer));
    this.#server = new ShareServer({ port, limit, token, shared: this.contents, onPeer }, runtime);
  }

  /** The port that other receivers connect to. */
  get port(): number {
    return this.#server.port;
  }

  listen(id: string, onPeer: (peer: string) => void): Disposable {
    this.#listeners.set(id, onPeer);
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.get(id) === onPeer) this.#listeners.delete(id);
      },
    };
  }

  /** The swarm of a content whose file is open. */
  swarmOf(options: Omit<SwarmOptions, "sharing" | "clock">, signal: AbortSignal): Swarm {
    return new Swarm({ ...options, sharing: this, clock: this.#clock }, signal);
  }

  /** Offers a complete file until the time to share is over. A file that cannot be read is not offered. */
  keep(manifest: Manifest, path: string, seeds: readonly SocketAddress[]): void {
    const shareForMs = this.#shareForMs;
    if (shareForMs === undefined) return;
    const { id, layout: { count } } = manifest;
    this.#kept.spawn(async (signal) => {
      using file = CompleteFile.open(manifest, path);
      if (file === undefined) return;
      this.contents.offer(id, file, Array.from({ length: count }, (_, piece) => piece));
      const untilMs = this.#clock.now() + shareForMs;
      try {
        for (let leftMs; (leftMs = untilMs - this.#clock.now()) > 0;) {
          const announce = (seed: SocketAddress) =>
            this.pool.askSeed(seed).join(id, this.port, count, signal).then(() => {}, () => {});
          await Promise.all(seeds.map(announce));
          await this.#clock.sleep(Math.min(leftMs, ANNOUNCE_INTERVAL_MS), signal);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        this.contents.withdraw(id, file);
      }
    });
  }

  /** Resolves when no complete file is offered any more, or `signal` aborts. */
  async linger(signal: AbortSignal): Promise<void> {
    if (this.#kept.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    using _stop = onAbort(signal, resolve);
    await Promise.race([promise, this.#kept.join()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#kept[Symbol.asyncDispose]();
    await Promise.all([this.#server[Symbol.asyncDispose](), this.pool[Symbol.asyncDispose]()]);
  }
}
