/**
 * The connections of a seed: accepts, limits, evicts and drains them. Who may enter, and who gives
 * way when the seed is full, is decided in `admission.ts`.
 */
import type { TaskGroup } from "../base/task_group.ts";
import type { ByteStream } from "../net/transport.ts";
import { busy } from "../wire/refusals.ts";
import { Admission } from "./admission.ts";
import { ClientConnection } from "./client_connection.ts";
import { handleConnection, rejectConnection, SILENT_MS } from "./handshake.ts";
import { type Seed, shutdown } from "./seed.ts";

/** How exactly limits of time are kept. */
const SWEEP_INTERVAL_MS = 1000;
/** Connections being rejected at a time. Each takes a round trip or two; a slower one makes room for a further one. */
const ENOUGH_REJECTED = 64;
/** Even in a rush: with the others and their files, it keeps below 1,024 descriptors. */
const MAX_REJECTED = 400;
/** An evicted connection may finish what it is being sent, for so long. */
const EVICTED_TIMEOUT_MS = 5000;
/** An evicted client may come back at once: it may hold more places than its share no longer. */
const EVICTED_RETRY_MS = 100;

export class Connections {
  readonly #seed: Seed;
  readonly #admission: Admission;
  readonly #connections = new Set<ClientConnection>();
  /** Rejected connections that are still open, and since when; the longest first. */
  readonly #rejected = new Map<AbortController, number>();
  /** Evicted connections that are still open, and since when; the longest first. */
  readonly #evicted = new Map<ClientConnection, number>();

  constructor(seed: Seed) {
    this.#seed = seed;
    this.#admission = new Admission(seed.settings);
  }

  /** Open connections, also those that are rejected or evicted. */
  get size(): number {
    return this.#connections.size;
  }

  /** Takes a connection over, and gives it a place or rejects it. */
  accept(stream: ByteStream, clients: TaskGroup): void {
    const { clock, tally } = this.#seed;
    const connection = new ClientConnection(stream, clock);
    const decision = this.#admission.decide(connection.client, clock.now());
    if (decision.kind === "refuse") {
      const { reason } = decision;
      tally.connected(reason);
      this.#makeRoom();
      clients.spawn((signal) => this.#reject(connection, reason, signal));
      return;
    }
    tally.connected();
    // Every occupant is a connection: `enter` is called below, and nowhere else.
    if (decision.instead) this.#evict(decision.instead as ClientConnection);
    this.#admission.enter(connection);
    clients.spawn((signal) => this.#host(connection, signal));
  }

  /** Ends the connections that have nothing in flight. */
  closeIdle(): void {
    for (const connection of this.#connections) {
      if (connection.atRest) connection.leave(shutdown());
    }
  }

  /** Ends connections that exceed a limit of time, until `signal` aborts. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { clock, transfers } = this.#seed;
    for (;;) {
      await clock.sleep(SWEEP_INTERVAL_MS, signal);
      const now = clock.now();
      const full = this.#admission.isFull ? fullRefusal() : undefined;
      for (const connection of this.#connections) connection.check(now, full);
      for (const [connection, since] of this.#evicted) {
        if (now - since < EVICTED_TIMEOUT_MS) break;
        connection.close("another client needs its place");
      }
      transfers.sweep(now);
    }
  }

  async #host(connection: ClientConnection, signal: AbortSignal): Promise<void> {
    this.#connections.add(connection);
    await this.#seed.attention.take(connection.client);
    await handleConnection(connection, this.#seed, signal);
    this.#connections.delete(connection);
    this.#evicted.delete(connection);
    this.#admission.leave(connection);
    // Not waited for: a client that does not read can make this last as long as
    // it likes. Until then it keeps one of our descriptors.
    connection.released.then(() => this.#admission.release(connection));
  }

  /** Takes its place away from `connection`, which finishes what it is being sent. */
  #evict(connection: ClientConnection): void {
    const { tally, clock, emit } = this.#seed;
    this.#admission.leave(connection);
    this.#evicted.set(connection, clock.now());
    tally.evicted++;
    emit({
      kind: "refused",
      client: connection.address,
      reason: "its place went to a client that had none, or fewer",
    });
    connection.leave(fullRefusal());
  }

  async #reject(connection: ClientConnection, why: string, signal: AbortSignal): Promise<void> {
    const hurry = new AbortController();
    this.#rejected.set(hurry, this.#seed.clock.now());
    this.#connections.add(connection);
    await rejectConnection(connection, why, this.#seed, hurry.signal, signal);
    this.#connections.delete(connection);
    this.#rejected.delete(hurry);
  }

  /** Closes one of the rejected connections now, where there are too many. */
  #makeRoom(): void {
    const { size } = this.#rejected;
    if (size < ENOUGH_REJECTED) return;
    const now = this.#seed.clock.now();
    for (const [oldest, since] of this.#rejected) {
      if (now - since < SILENT_MS && size < MAX_REJECTED) return;
      this.#rejected.delete(oldest);
      return oldest.abort();
    }
  }
}

function fullRefusal() {
  return busy(EVICTED_RETRY_MS, "too many connections");
}
