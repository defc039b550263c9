/**
 * The connections of a server: accepts, checks, evicts and drains them. Who may enter, and
 * who gives way when the server is full, is decided in `admission.ts`.
 */
import type { TaskGroup } from "../../base/task_group.ts";
import { busyReply } from "../../protocol/error_replies.ts";
import type { ByteStream } from "../../source/transport.ts";
import type { ServeContext } from "../context.ts";
import { shutdown } from "../protocol/errors.ts";
import { Admission, type Decision } from "./admission.ts";
import { ClientConnection } from "./client_connection.ts";
import { type Enter, handleConnection, ONE_SHOT_SILENCE_MS } from "./handshake.ts";

/** How exactly time limits are kept. */
const CHECK_INTERVAL_MS = 1000;
/** Each pending connection takes a round trip or two; a slower one makes room for a new one. */
const MAX_PENDING_HANDSHAKES = 64;
/** Even in a rush: with all other connections and their files, this stays below 1,024 descriptors. */
const MAX_PENDING = 400;
/** Time for an evicted connection to finish its current reply. */
const EVICTED_TIMEOUT_MS = 5000;
/** An evicted client may return at once: it holds no more than its share of places now. */
const EVICTED_RETRY_MS = 100;

export class Connections {
  readonly #context: ServeContext;
  readonly #admission: Admission;
  readonly #open = new Set<ClientConnection>();
  /** Connections that wait for a place or are being rejected, and since when; the longest first. */
  readonly #pending = new Map<ClientConnection, number>();
  /** Evicted connections that are still open, and since when; the longest first. */
  readonly #evicted = new Map<ClientConnection, number>();

  constructor(context: ServeContext) {
    this.#context = context;
    this.#admission = new Admission(context.settings);
  }

  /** Open connections, including those without a place. */
  get size(): number {
    return this.#open.size;
  }

  /** Handles a new connection in `clients`. It gets a place at once, or is pending until it has sent a request. */
  accept(stream: ByteStream, clients: TaskGroup): void {
    const { clock } = this.#context;
    const connection = new ClientConnection(stream, clock);
    if (this.#admission.hasRoomFor(connection.client, clock.now())) {
      this.#admit(connection);
      clients.spawn((signal) => this.#handle(connection, signal));
    } else {
      this.#makeRoom();
      this.#pending.set(connection, clock.now());
      const enter: Enter = (isSilent) => this.#enter(connection, isSilent);
      clients.spawn((signal) => this.#handle(connection, signal, enter));
    }
  }

  closeIdle(): void {
    for (const connection of this.#open) {
      if (connection.isIdle) connection.leave(shutdown());
    }
  }

  /** Ends connections that exceed a time limit, until `signal` aborts. */
  async checkTimeouts(signal: AbortSignal): Promise<void> {
    const { clock, accessLog } = this.#context;
    for (;;) {
      await clock.sleep(CHECK_INTERVAL_MS, signal);
      const now = clock.now();
      const full = this.#admission.isFull ? evictedReply() : undefined;
      for (const connection of this.#open) connection.checkTimeouts(now, full);
      for (const [connection, since] of this.#evicted) {
        if (now - since < EVICTED_TIMEOUT_MS) break;
        connection.close("another client needs its place");
      }
      accessLog.sweep(now);
    }
  }

  async #handle(
    connection: ClientConnection,
    signal: AbortSignal,
    enter?: Enter,
  ): Promise<void> {
    this.#open.add(connection);
    await handleConnection(connection, this.#context, signal, enter);
    this.#open.delete(connection);
    this.#pending.delete(connection);
    this.#evicted.delete(connection);
    this.#admission.leave(connection);
    // A client that does not read can delay this at will, and keeps a descriptor until then.
    connection.released.then(() => this.#admission.release(connection));
  }

  /** Gives a place to a pending connection, or returns why there is none. */
  #enter(connection: ClientConnection, isSilent: boolean): string | undefined {
    const { clock, metrics } = this.#context;
    const decision = isSilent ? NO_PLACE : this.#admission.decide(connection.client, clock.now());
    if (decision.kind === "refuse") {
      metrics.connected(decision.reason);
      return decision.reason;
    }
    this.#pending.delete(connection);
    // Every occupant is a connection: only `#admit` calls `enter`.
    if (decision.instead) this.#evict(decision.instead as ClientConnection);
    this.#admit(connection);
    return undefined;
  }

  #admit(connection: ClientConnection): void {
    const { clock, metrics } = this.#context;
    connection.admittedAt = clock.now();
    this.#admission.enter(connection);
    metrics.connected();
  }

  /** Takes the place of `connection`, which finishes its current reply. */
  #evict(connection: ClientConnection): void {
    const { metrics, clock, emit } = this.#context;
    this.#admission.leave(connection);
    this.#evicted.set(connection, clock.now());
    metrics.evicted.add(1);
    const reason = "its place went to a client that had none, or fewer";
    emit({ kind: "refused", client: connection.address, reason });
    connection.leave(evictedReply());
  }

  /** Ends the oldest pending connection if there are too many. */
  #makeRoom(): void {
    const { size } = this.#pending;
    if (size < MAX_PENDING_HANDSHAKES) return;
    const now = this.#context.clock.now();
    for (const [oldest, since] of this.#pending) {
      if (now - since < ONE_SHOT_SILENCE_MS && size < MAX_PENDING) return;
      this.#pending.delete(oldest);
      return oldest.leave(evictedReply());
    }
  }
}

const NO_PLACE: Decision = { kind: "refuse", reason: "too many connections" };

function evictedReply() {
  return busyReply(EVICTED_RETRY_MS, "too many connections");
}
