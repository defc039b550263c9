/**
 * Who got how much of what: sums up bodies, so that one event tells of a file
 * and not of each of its ranges.
 */
import type { Clock } from "../base/clock.ts";
import type { ServeEvent, Sink } from "../events.ts";

interface Transfer {
  readonly client: string;
  readonly name: string;
  readonly size: number;
  bytes: number;
  readonly startedAt: number;
  lastAt: number;
}

export interface SentBody {
  readonly client: string;
  readonly name: string;
  /** Of the whole file. */
  readonly size: number;
  readonly bytes: number;
  readonly startedAt: number;
}

/** A client that did not ask for a file for so long is through with it. */
const QUIET_MS = 5000;

export class Transfers {
  readonly #clock: Clock;
  readonly #emit: Sink<ServeEvent>;
  /** By owner, which is a session, or the address of a one-shot client; then by name. */
  readonly #running = new Map<unknown, Map<string, Transfer>>();

  constructor(clock: Clock, emit: Sink<ServeEvent>) {
    this.#clock = clock;
    this.#emit = emit;
  }

  add(owner: unknown, sent: SentBody): void {
    const byName = this.#running.get(owner) ?? new Map<string, Transfer>();
    this.#running.set(owner, byName);
    const transfer = byName.get(sent.name) ??
      { ...sent, bytes: 0, lastAt: sent.startedAt };
    byName.set(sent.name, transfer);
    transfer.bytes += sent.bytes;
    transfer.lastAt = this.#clock.now();
    if (transfer.bytes >= transfer.size) this.#finish(owner, transfer);
  }

  /** The owner is gone. */
  end(owner: unknown): void {
    for (const transfer of this.#running.get(owner)?.values() ?? []) {
      this.#finish(owner, transfer);
    }
  }

  endAll(): void {
    for (const owner of this.#running.keys()) this.end(owner);
  }

  /** Ends what has been quiet for a while. */
  sweep(nowMs: number): void {
    for (const [owner, byName] of this.#running) {
      for (const transfer of byName.values()) {
        if (nowMs - transfer.lastAt >= QUIET_MS) this.#finish(owner, transfer);
      }
    }
  }

  #finish(owner: unknown, transfer: Transfer): void {
    const byName = this.#running.get(owner);
    byName?.delete(transfer.name);
    if (byName?.size === 0) this.#running.delete(owner);
    const { client, name, size, bytes, startedAt, lastAt } = transfer;
    const elapsedMs = lastAt - startedAt;
    this.#emit({ kind: "sent", client, name, size, bytes, elapsedMs });
  }
}
