/**
 * The connections of a seed: accepts, limits, evicts and drains them. Who may enter, and who gives
 * way when the seed is full, is decided in `admission.ts`.
 */
import type { TaskGroup } from "../../base/task_group.ts";
import type { ByteStream } from "../../source/transport.ts";
import { busyReply } from "../../protocol/error_replies.ts";
import { Admission, type Decision } from "./admission.ts";
import { ClientConnection } from "./client_connection.ts";
import { handleConnection, ONE_SHOT_SILENCE_MS, type Pending } from "./handshake.ts";
import { type ServeContext, shutdown } from "../context.ts";

/** How exactly limits of time are kept. */
const SWEEP_INTERVAL_MS = 1000;
/** Pending connections. Each takes a round trip or two; a slower one makes room for a further one. */
const MAX_PENDING_HANDSHAKES = 64;
/** Even in a rush: with the others and their files, it keeps below 1,024 descriptors. */
const MAX_PENDING = 400;
/** An evicted connection may finish what it is being sent, for so long. */
const EVICTED_TIMEOUT_MS = 5000;
/** An evicted client may come back at once: it may hold more places than its share no longer. */
const EVICTED_RETRY_MS = 100;

export class Connections {
  readonly #seed: ServeContext;
  readonly #admission: Admission;
  readonly #connections = new Set<ClientConnection>();
  /** Connections that wait for a place or are being rejected, and since when; the longest first. */
  readonly #pending = new Map<AbortController, number>();
  /** Evicted connections that are still open, and since when; the longest first. */
  readonly #evicted = new Map<ClientConnection, number>();

  constructor(seed: ServeContext) {
    this.#seed = seed;
    this.#admission = new Admission(seed.settings);
  }

  /** Open connections, also those without a place. */
  get size(): number {
    return this.#connections.size;
  }

  /** Takes a connection over. It gets a place at once, or stays pending until it has sent a request. */
  accept(stream: ByteStream, clients: TaskGroup): void {
    const { clock } = this.#seed;
    const connection = new ClientConnection(stream, clock);
    if (this.#admission.hasRoomFor(connection.client, clock.now())) {
      this.#admit(connection);
      clients.spawn((signal) => this.#host(connection, signal));
    } else {
      this.#makeRoom();
      clients.spawn((signal) => this.#hostPending(connection, signal));
    }
  }

  /** Ends the connections that have nothing in flight. */
  closeIdle(): void {
    for (const connection of this.#connections) {
      if (connection.isIdle) connection.leave(shutdown());
    }
  }

  /** Ends connections that exceed a limit of time, until `signal` aborts. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { clock, accessLog } = this.#seed;
    for (;;) {
      await clock.sleep(SWEEP_INTERVAL_MS, signal);
      const now = clock.now();
      const full = this.#admission.isFull ? fullRefusal() : undefined;
      for (const connection of this.#connections) connection.checkTimeouts(now, full);
      for (const [connection, since] of this.#evicted) {
        if (now - since < EVICTED_TIMEOUT_MS) break;
        connection.close("another client needs its place");
      }
      accessLog.sweep(now);
    }
  }

  async #host(connection: ClientConnection, signal: AbortSignal, pending?: Pending): Promise<void> {
    this.#connections.add(connection);
    await this.#seed.scheduler.startRequest(connection.client);
    await handleConnection(connection, this.#seed, signal, pending);
    this.#connections.delete(connection);
    this.#evicted.delete(connection);
    this.#admission.leave(connection);
    // Not waited for: a client that does not read can make this last as long as
    // it likes. Until then it keeps one of our descriptors.
    connection.released.then(() => this.#admission.release(connection));
  }

  async #hostPending(connection: ClientConnection, signal: AbortSignal): Promise<void> {
    const { clock, metrics } = this.#seed;
    const hurry = new AbortController();
    this.#pending.set(hurry, clock.now());
    const enter = (silent: boolean) => {
      const decision = silent ? NO_PLACE : this.#admission.decide(connection.client, clock.now());
      if (decision.kind === "refuse") {
        metrics.connected(decision.reason);
        return decision.reason;
      }
      this.#pending.delete(hurry);
      // Every occupant is a connection: `enter` is called in `#admit`, and nowhere else.
      if (decision.instead) this.#evict(decision.instead as ClientConnection);
      this.#admit(connection);
      return undefined;
    };
    await this.#host(connection, signal, { enter, hurry: hurry.signal });
    this.#pending.delete(hurry);
  }

  #admit(connection: ClientConnection): void {
    connection.admittedAt = this.#seed.clock.now();
    this.#admission.enter(connection);
    this.#seed.metrics.connected();
  }

  /** Takes its place away from `connection`, which finishes what it is being sent. */
  #evict(connection: ClientConnection): void {
    const { metrics, clock, emit } = this.#seed;
    this.#admission.leave(connection);
    this.#evicted.set(connection, clock.now());
    metrics.evicted.add(1);
    emit({
      kind: "refused",
      client: connection.address,
      reason: "its place went to a client that had none, or fewer",
    });
    connection.leave(fullRefusal());
  }

  /** Ends one of the pending connections, where there are too many. */
  #makeRoom(): void {
    const { size } = this.#pending;
    if (size < MAX_PENDING_HANDSHAKES) return;
    const now = this.#seed.clock.now();
    for (const [oldest, since] of this.#pending) {
      if (now - since < ONE_SHOT_SILENCE_MS && size < MAX_PENDING) return;
      this.#pending.delete(oldest);
      return oldest.abort();
    }
  }
}

const NO_PLACE: Decision = { kind: "refuse", reason: "too many connections" };

function fullRefusal() {
  return busyReply(EVICTED_RETRY_MS, "too many connections");
}
