/**
 * Who got how much of what: sums up bodies, so that one event tells of a file
 * that went to a client, and not of each of its ranges and connections.
 */
import type { Clock } from "../../base/clock.ts";
import type { EventSink, ServeEvent } from "../../events.ts";
import type { MetricsRegistry } from "./metrics_registry.ts";

interface Transfer {
  readonly client: string;
  readonly name: string;
  readonly size: number;
  bytes: number;
  startedAt: number;
  lastAt: number;
  /** The connections that took part and are still there. */
  readonly connections: Set<unknown>;
}

interface SentBody {
  readonly client: string;
  readonly name: string;
  /** Of the whole file. */
  readonly size: number;
  readonly bytes: number;
  readonly startedAt: number;
}

/** A client that did not ask for a file for so long is through with it. */
const QUIET_TIMEOUT_MS = 5000;
/** Files on their way; a client that takes a byte of each file must not fill our memory. */
const MAX_RUNNING = 4096;

export class AccessLog {
  readonly #clock: Clock;
  readonly #emit: EventSink<ServeEvent>;
  readonly #tally: MetricsRegistry;
  /** By client and name; the one that began first comes first. */
  readonly #running = new Map<string, Transfer>();

  constructor(clock: Clock, emit: EventSink<ServeEvent>, tally: MetricsRegistry) {
    this.#clock = clock;
    this.#emit = emit;
    this.#tally = tally;
  }

  /**
   * A body was sent whole.
   *
   * @param connection says to `end` when it goes away; undefined where that means
   * nothing, because the client connects anew for every body.
   */
  add(connection: unknown, sent: SentBody): void {
    this.#tally.fileBytes += sent.bytes;
    const key = keyOf(sent);
    const transfer = this.#find(key, sent);
    if (connection !== undefined) transfer.connections.add(connection);
    transfer.bytes += sent.bytes;
    transfer.startedAt = Math.min(transfer.startedAt, sent.startedAt);
    transfer.lastAt = this.#clock.now();
    if (transfer.bytes >= transfer.size) this.#finish(key, transfer);
  }

  /** The connection is gone; with a transfer's last one the transfer ends. */
  end(connection: unknown): void {
    for (const [key, transfer] of this.#running) {
      const took = transfer.connections.delete(connection);
      if (took && transfer.connections.size === 0) this.#finish(key, transfer);
    }
  }

  endAll(): void {
    for (const [key, transfer] of this.#running) this.#finish(key, transfer);
  }

  /** Ends what has been quiet for a while. */
  sweep(nowMs: number): void {
    for (const [key, transfer] of this.#running) {
      if (nowMs - transfer.lastAt >= QUIET_TIMEOUT_MS) this.#finish(key, transfer);
    }
  }

  #find(key: string, sent: SentBody): Transfer {
    const found = this.#running.get(key);
    if (found?.size === sent.size) return found;
    // Of another size: another version of the file, and so another transfer.
    if (found) this.#finish(key, found);
    this.#makeRoom();
    const transfer = { ...sent, bytes: 0, lastAt: sent.startedAt, connections: new Set() };
    this.#running.set(key, transfer);
    return transfer;
  }

  #makeRoom(): void {
    if (this.#running.size < MAX_RUNNING) return;
    for (const [key, oldest] of this.#running) return this.#finish(key, oldest);
  }

  #finish(key: string, transfer: Transfer): void {
    this.#running.delete(key);
    const { client, name, size, bytes, startedAt, lastAt } = transfer;
    const elapsedMs = lastAt - startedAt;
    this.#emit({ kind: "sent", client, name, size, bytes, elapsedMs });
  }
}

/** No address holds a space. */
function keyOf({ client, name }: SentBody): string {
  return `${client} ${name}`;
}
