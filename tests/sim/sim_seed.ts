/** A seed of a simulated world: a line with a rate, and habits. */
import type { SourceAnswer } from "../../core/plan/content_vote.ts";
import type { PieceFailure } from "../../core/plan/messages.ts";
import type { Timeline } from "./timeline.ts";

export interface Habits {
  readonly name: string;
  /** Bytes a second. */
  readonly rate: number;
  readonly latencyMs?: number;
  /** An order reaches it, and its first byte comes, so long after it was given. The machine knows it. */
  readonly roundTripMs?: number;
  /** Connections to it, as the machine knows them. */
  readonly connections?: number;
  /** Times in which nobody answers: every connection is refused or lost. */
  readonly away?: readonly { readonly fromMs: number; readonly toMs: number }[];
  /** From here on it takes orders and sends nothing. */
  readonly silentFromMs?: number;
  /** How many of its orders bring wrong bytes, 0 to 1. */
  readonly lies?: number;
  /** The connection of a download ends each time it has brought this many bytes. */
  readonly breaksAfter?: number;
  /** How many orders it refuses with BUSY, 0 to 1. */
  readonly busy?: number;
  /** The rate changes by this factor at these times. */
  readonly turns?: readonly { readonly atMs: number; readonly factor: number }[];
  /** It answers the first probe only after the vote is over. */
  readonly late?: boolean;
  /** The content that it holds; undefined: that of the world. `lacks`: it does not have the file. */
  readonly holds?: string;
  /** It offers no manifest. */
  readonly sizeOnly?: boolean;
  /** The machine hears of it then; undefined: from the start. */
  readonly appearsMs?: number;
  /** It has only pieces whose number has this remainder by `PARTIAL_STEP`, or a higher one. */
  readonly partialFrom?: number;
  /** Until then it hashes the file. */
  readonly hashesUntilMs?: number;
}

/** Partial sources have some pieces of every group of this many. */
export const PARTIAL_STEP = 4;
/** How long a late source takes to answer: longer than the vote waits. */
const LATE_MS = 2500;

export interface SimOrder {
  readonly id: number;
  readonly bytes: number;
  /** The download that gave it. */
  readonly listener: Listener;
}

/** What a seed reports of an order. */
export interface Listener {
  /** @param wrong whether they are other bytes than the file's */
  received(order: number, bytes: number, wrong: boolean): void;
  done(order: number): void;
  failed(order: number, failure: PieceFailure): void;
}

interface Served {
  readonly order: SimOrder;
  readonly wrong: boolean;
  /** Its first byte comes then at the earliest. */
  readonly fromMs: number;
  missing: number;
}

/** Payload comes in bites of this size at most. */
const BITE_BYTES = 256 * 1024;
const STALL_MS = 5000;

export class SimSeed {
  readonly habits: Habits;
  readonly #timeline: Timeline;
  readonly #random: () => number;
  /** Served one after the other. */
  #queue: Served[] = [];
  #serving = false;
  /** Bytes since the connection was made. */
  readonly #connections = new Map<Listener, number>();
  /** Bytes that left it, wasted ones too. */
  sent = 0;

  constructor(habits: Habits, timeline: Timeline, random: () => number) {
    this.habits = habits;
    this.#timeline = timeline;
    this.#random = random;
    for (const { fromMs } of habits.away ?? []) {
      timeline.at(fromMs, () => this.#lose("connection reset", () => true));
    }
  }

  has(piece: number): boolean {
    return piece % PARTIAL_STEP >= (this.habits.partialFrom ?? 0);
  }

  inFlightOf(listener: Listener): number {
    return this.#queue.filter(({ order }) => order.listener === listener).length;
  }

  isAway(): boolean {
    const now = this.#timeline.nowMs;
    return (this.habits.away ?? []).some(({ fromMs, toMs }) => fromMs <= now && now < toMs);
  }

  /** How long it takes to answer a probe now. */
  get answersAfterMs(): number {
    const { late, latencyMs = 2 } = this.habits;
    return late && this.#timeline.nowMs < LATE_MS ? LATE_MS : latencyMs;
  }

  /** What it answers to a probe. */
  answer(size: number): SourceAnswer {
    const { holds = "content", sizeOnly, hashesUntilMs = 0 } = this.habits;
    const now = this.#timeline.nowMs;
    if (this.isAway()) {
      return { kind: "failed", reason: "connection refused", code: "unreachable" };
    }
    if (holds === "lacks") return { kind: "lacks" };
    if (sizeOnly) return { kind: "size", size };
    if (now < hashesUntilMs) {
      const percent = Math.floor(now * 100 / hashesUntilMs);
      return { kind: "later", reason: "hashing", retryAfterMs: 500, percent, size };
    }
    return { kind: "manifest", id: holds, size, sha256: holds };
  }

  ask(order: SimOrder): void {
    const latencyMs = this.habits.latencyMs ?? 1;
    if (this.isAway()) {
      return this.#fail(order, { kind: "lost", reason: "connection refused" }, latencyMs);
    }
    if (this.#random() < (this.habits.busy ?? 0)) {
      return this.#fail(order, { kind: "busy", reason: "busy", retryAfterMs: 300 }, latencyMs);
    }
    const wrong = this.#random() < (this.habits.lies ?? 0);
    const fromMs = this.#timeline.nowMs + (this.habits.roundTripMs ?? 0);
    this.#queue.push({ order, wrong, fromMs, missing: order.bytes });
    if (this.#isSilent()) return this.#stallLater();
    if (!this.#serving) {
      this.#serving = true;
      this.#timeline.at(this.#timeline.nowMs + latencyMs, () => this.#serve());
    }
  }

  takeBack(id: number, listener: Listener): void {
    this.#queue = this.#queue.filter(({ order }) => order.id !== id || order.listener !== listener);
  }

  #rate(): number {
    const turns = (this.habits.turns ?? []).filter(({ atMs }) => atMs <= this.#timeline.nowMs);
    return turns.reduce((rate, { factor }) => rate * factor, this.habits.rate);
  }

  #isSilent(): boolean {
    return this.#timeline.nowMs >= (this.habits.silentFromMs ?? Infinity);
  }

  #serve(): void {
    const head = this.#queue[0];
    this.#serving = head !== undefined && !this.#isSilent();
    if (head === undefined) return;
    if (!this.#serving) return this.#stallLater();
    if (head.fromMs > this.#timeline.nowMs) {
      return this.#timeline.at(head.fromMs, () => this.#serve());
    }
    // A slow line brings small bites, so that its bytes come as evenly as on a real one.
    const rate = this.#rate();
    const least = Math.min(1024, Math.ceil(rate));
    const unbroken = (this.habits.breaksAfter ?? Infinity) - this.#sentTo(head.order.listener);
    const bite = Math.min(
      head.missing,
      unbroken,
      BITE_BYTES,
      Math.max(least, Math.ceil(rate / 20)),
    );
    this.#timeline.at(this.#timeline.nowMs + bite / rate * 1000, () => this.#bite(head, bite));
  }

  #bite(head: Served, bytes: number): void {
    // It was taken back or lost meanwhile: the line goes on with the next.
    if (this.#queue[0] !== head) return this.#serve();
    this.sent += bytes;
    head.missing -= bytes;
    const { id, listener } = head.order;
    const sent = this.#sentTo(listener) + bytes;
    const isLast = sent === this.habits.breaksAfter;
    this.#connections.set(listener, isLast ? 0 : sent);
    listener.received(id, bytes, head.wrong);
    if (head.missing === 0) {
      this.#queue.shift();
      listener.done(id);
    }
    if (isLast) this.#lose("connection reset", ({ order }) => order.listener === listener);
    this.#serve();
  }

  #stallLater(): void {
    this.#timeline.at(this.#timeline.nowMs + STALL_MS, () => {
      const stalled = this.#queue;
      this.#queue = [];
      for (const { order } of stalled) {
        order.listener.failed(order.id, { kind: "stalled", reason: "stalled" });
      }
    });
  }

  #sentTo(listener: Listener): number {
    return this.#connections.get(listener) ?? 0;
  }

  #lose(reason: string, isLost: (served: Served) => boolean): void {
    const lost = this.#queue.filter(isLost);
    this.#queue = this.#queue.filter((served) => !isLost(served));
    for (const { order } of lost) order.listener.failed(order.id, { kind: "lost", reason });
  }

  #fail(order: SimOrder, failure: PieceFailure, afterMs: number): void {
    this.#timeline.at(
      this.#timeline.nowMs + afterMs,
      () => order.listener.failed(order.id, failure),
    );
  }
}
