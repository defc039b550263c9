/** Who downloaded what: adds up bodies, so that one event reports a file and not each of its ranges. */
import type { Clock } from "../../base/clock.ts";
import type { EventSink, ServeEvent } from "../../events.ts";
import type { MetricsRegistry } from "./metrics_registry.ts";

interface SentBody {
  readonly client: string;
  readonly name: string;
  /** Of the whole file. */
  readonly size: number;
  readonly bytes: number;
  readonly startedAt: number;
}

/** All bodies of one file that go to one client. */
interface Transfer {
  readonly client: string;
  readonly name: string;
  readonly size: number;
  bytes: number;
  startedAt: number;
  lastAt: number;
  /** Open connections that took part. */
  readonly connections: Set<unknown>;
}

/** A transfer ends after this time without a request. */
const QUIET_TIMEOUT_MS = 5000;
/** Limits the memory for clients that take a byte of each file. */
const MAX_TRANSFERS = 4096;

export class AccessLog {
  readonly #clock: Clock;
  readonly #emit: EventSink<ServeEvent>;
  readonly #metrics: MetricsRegistry;
  /** By client and name; the one that began first comes first. */
  readonly #transfers = new Map<string, Transfer>();

  constructor(clock: Clock, emit: EventSink<ServeEvent>, metrics: MetricsRegistry) {
    this.#clock = clock;
    this.#emit = emit;
    this.#metrics = metrics;
  }

  /**
   * A body was sent whole.
   *
   * @param connection must be passed to `end` when it closes; undefined for a
   * client that makes a new connection for each body.
   */
  add(connection: unknown, body: SentBody): void {
    this.#metrics.fileBytes.add(body.bytes);
    // An address contains no space.
    const key = `${body.client} ${body.name}`;
    const transfer = this.#transferOf(key, body);
    if (connection !== undefined) transfer.connections.add(connection);
    transfer.bytes += body.bytes;
    transfer.startedAt = Math.min(transfer.startedAt, body.startedAt);
    transfer.lastAt = this.#clock.now();
    if (transfer.bytes >= transfer.size) this.#finish(key, transfer);
  }

  /** Ends the transfers whose last connection closed. */
  end(connection: unknown): void {
    this.#finishIf(({ connections }) => connections.delete(connection) && connections.size === 0);
  }

  endAll(): void {
    this.#finishIf(() => true);
  }

  /** Ends transfers that have been quiet for a while. */
  sweep(nowMs: number): void {
    this.#finishIf(({ lastAt }) => nowMs - lastAt >= QUIET_TIMEOUT_MS);
  }

  #transferOf(key: string, { client, name, size, startedAt }: SentBody): Transfer {
    const found = this.#transfers.get(key);
    if (found?.size === size) return found;
    // Another size means another version of the file.
    if (found) this.#finish(key, found);
    if (this.#transfers.size >= MAX_TRANSFERS) {
      this.#finish(...this.#transfers.entries().next().value!);
    }
    const connections = new Set();
    const transfer = { client, name, size, bytes: 0, startedAt, lastAt: startedAt, connections };
    this.#transfers.set(key, transfer);
    return transfer;
  }

  #finishIf(isOver: (transfer: Transfer) => boolean): void {
    for (const [key, transfer] of this.#transfers) {
      if (isOver(transfer)) this.#finish(key, transfer);
    }
  }

  #finish(key: string, { client, name, size, bytes, startedAt, lastAt }: Transfer): void {
    this.#transfers.delete(key);
    this.#emit({ kind: "sent", client, name, size, bytes, elapsedMs: lastAt - startedAt });
  }
}
