/**
 * The only place that says which piece to fetch from whom, when to try a seed
 * again, and when to give up. Pure: facts and the time go in, actions come out;
 * no socket, clock or dice of its own.
 *
 * Invariant: every piece is in exactly one of missing, in flight, stored; in
 * flight twice only in the tail.
 */
import { SUSPEND_THRESHOLD_MS } from "../base/clock.ts";
import { lengthOf } from "../base/ranges.ts";
import { type PieceLayout, rangeOfPiece } from "../base/pieces.ts";
import type { Failure, SourceChange, TransferCommand, TransferEvent } from "./transfer_messages.ts";
import { SourceState } from "./source_state.ts";

export interface SchedulerOptions {
  readonly layout: PieceLayout;
  /** Pieces to fetch, in the order in which they are wanted. */
  readonly missing: readonly number[];
  /** Seeds that hold the content, and seeds that did not say yet. */
  readonly seeds: readonly { readonly name: string; readonly holds: boolean }[];
  /** Pieces in flight from all seeds together: a bound for memory. */
  readonly maxInFlight: number;
  /** Connections to one seed, at most. */
  readonly connections: number;
  /** Without useful bytes for so long, the task has no hope. */
  readonly giveUpMs: number;
  /** The same while another content can be downloaded instead. */
  readonly rivalGiveUpMs?: number;
  /** Whether there is such a content from the start. */
  readonly hasRival?: boolean;
  /** Fewer useful bytes a second than this, on average over `giveUpMs`, are as good as none. */
  readonly minBytesPerSecond: number;
  /** Beginnings of missing pieces that an earlier run left: piece and length. */
  readonly begun?: ReadonlyMap<number, number>;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
}

interface Request {
  readonly id: number;
  readonly piece: number;
  readonly seed: SourceState;
  readonly askedAtMs: number;
  /** Length of the piece's beginning that was there already. */
  readonly begun: number;
  received: number;
}

/** Who should be through with a piece first, and in what time. */
interface FasterSource {
  readonly seed: SourceState;
  readonly seconds: number;
}

/**
 * In flight to each seed that slows no other one by it. A connection on a line with loss and a long
 * round trip brings so little that a window by speed alone would never ask for a second one.
 */
const MIN_WINDOW_BYTES = 4 * 1024 * 1024;
/** In the tail, so much of the whole may come twice, or two pieces of a small file. */
const ENDGAME_SHARE = 0.02;
const ENDGAME_PIECES = 2;
/** A second seed is asked only when it should be done in half of the time. */
const ENDGAME_GAIN = 2;
/** Nobody waits longer than that for the last piece when another seed has it in a quarter of the time. */
const SLOW_SECONDS = 5;
const SLOW_GAIN = 4;
/** So long a seed may take to show how fast it is before a piece is taken back from it; one that was good before, less. */
const MIN_REQUEST_AGE_MS = 5000;
const MIN_REQUEST_AGE_PROVEN_MS = 1000;
/** What one piece may take from a seed of which nothing is known. */
const TRIAL_SECONDS = 2;
/** While there is a rival, a content must arrive this many times faster than the slowest useful speed. */
const RIVAL_FACTOR = 4;
/** How often the tail is looked over: slow seeds do not say that they are slow. */
const ENDGAME_INTERVAL_MS = 250;

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #sources = new Map<string, SourceState>();
  readonly #requests = new Map<number, Request>();
  /** Pieces that nobody was asked for, the next one last. */
  readonly #missing: number[];
  readonly #stored = new Set<number>();
  readonly #toStore: number;
  #nextRequest = 0;
  /** Beginnings of missing pieces that are kept: piece and length. */
  readonly #begun: Map<number, number>;
  /** How far each unfinished piece ever got: only what comes beyond that is progress. */
  readonly #reached: Map<number, number>;
  /** What came of pieces that another seed had sent already. */
  #wastedBytes = 0;
  /** Useful bytes put it off, up to `giveUpMs` from now. */
  #giveUpAtMs: number;
  #lastByteMs: number;
  /** Whether another content can be downloaded instead. */
  #hasRival: boolean;
  /** Seeds that held the content at some time. */
  readonly #holders = new Set<string>();
  /** While the task waits for its place: how much patience was left before. */
  #patienceMs: number | undefined;
  /** When it planned last, and when it was to be woken: a machine that sleeps wakes much later. */
  #plannedAtMs: number;
  #wakeAtMs = Infinity;
  /** Seeds that may be asked, and those that say just now whether they may. */
  #usable: SourceState[] = [];
  #lastDrop = "";
  #lied = false;
  #over = false;
  #commands: TransferCommand[] = [];

  constructor(options: SchedulerOptions, nowMs: number) {
    this.#options = options;
    this.#missing = options.missing.toReversed();
    this.#toStore = options.missing.length;
    this.#begun = new Map(options.begun);
    this.#reached = new Map(options.begun);
    this.#lastByteMs = this.#plannedAtMs = nowMs;
    this.#hasRival = options.hasRival ?? false;
    this.#giveUpAtMs = nowMs + this.#giveUpMs;
    for (const { name, holds } of options.seeds) {
      if (holds) this.#holders.add(name);
      const standing = holds
        ? { kind: "ready" } as const
        : { kind: "waiting", untilMs: nowMs } as const;
      this.#sources.set(name, new SourceState(name, standing));
    }
  }

  /** What to do at the beginning. */
  start(nowMs: number): TransferCommand[] {
    return this.#plan(nowMs);
  }

  /** What to do about `fact`. After `complete` or `give-up` nothing any more. */
  handle(fact: TransferEvent, nowMs: number): TransferCommand[] {
    if (this.#over) return [];
    this.#excuseSuspend(nowMs);
    this.#apply(fact, nowMs);
    // Received bytes change nothing that is worth a new plan. The `stored` of the piece follows its
    // `blamed`: a plan made in between would request that piece again.
    const waits = fact.kind === "received" || fact.kind === "blamed";
    return waits ? this.#takeActions() : this.#plan(nowMs);
  }

  #apply(fact: TransferEvent, nowMs: number): void {
    switch (fact.kind) {
      case "holds":
        if (this.#patienceMs !== undefined) this.#giveUpAtMs = nowMs + this.#patienceMs;
        this.#patienceMs = undefined;
        this.#holders.add(fact.seed);
        return this.#seed(fact.seed, (seed) => seed.status = { kind: "ready" });
      case "probe-failed":
        return this.#seed(fact.seed, (seed) => this.#failSeed(seed, fact.failure, nowMs));
      case "received":
        return this.#onReceived(fact.order, fact.bytes, nowMs);
      case "stored":
        return this.#onStored(fact.order, nowMs);
      case "failed":
        return this.#onFailed(fact.order, fact.failure, fact.kept, nowMs);
      case "blamed": {
        const { reason } = fact;
        return this.#seed(fact.seed, (seed) => this.#corruptBy(seed, reason));
      }
      case "resting":
        this.#patienceMs ??= this.#giveUpAtMs - nowMs;
        return;
      case "rival":
        return this.#meetRival();
      case "timer":
        return;
    }
  }

  /** From now on there is less patience, also for the silence so far. */
  #meetRival(): void {
    const before = this.#giveUpMs;
    this.#hasRival = true;
    this.#giveUpAtMs -= before - this.#giveUpMs;
  }

  /** A machine that slept heard nobody, which is no seed's silence. Any fact may be the first one after it. */
  #excuseSuspend(nowMs: number): void {
    if (nowMs - this.#wakeAtMs < SUSPEND_THRESHOLD_MS) return;
    const slept = nowMs - this.#plannedAtMs;
    this.#lastByteMs = Math.min(nowMs, this.#lastByteMs + slept);
    this.#giveUpAtMs = Math.min(nowMs + this.#giveUpMs, this.#giveUpAtMs + slept);
    this.#wakeAtMs = Infinity;
  }

  #seed(name: string, act: (seed: SourceState) => void): void {
    const seed = this.#sources.get(name);
    if (seed && seed.status.kind !== "dropped") act(seed);
  }

  #onReceived(id: number, bytes: number, nowMs: number): void {
    this.#lastByteMs = nowMs;
    const order = this.#requests.get(id);
    if (!order) return;
    order.received += bytes;
    order.seed.received(bytes, nowMs);
    const { piece, begun, received } = order;
    const gain = begun + received - (this.#reached.get(piece) ?? 0);
    if (gain <= 0) return;
    this.#reached.set(piece, begun + received);
    this.#progressed(gain, nowMs);
  }

  /** Each useful byte buys the time that it may take at the slowest useful speed. */
  #progressed(bytes: number, nowMs: number): void {
    const boughtMs = bytes * 1000 / this.#minBytesPerSecond;
    this.#giveUpAtMs = Math.min(nowMs + this.#giveUpMs, this.#giveUpAtMs + boughtMs);
  }

  get #giveUpMs(): number {
    const { giveUpMs, rivalGiveUpMs = giveUpMs } = this.#options;
    return this.#hasRival ? rivalGiveUpMs : giveUpMs;
  }

  get #minBytesPerSecond(): number {
    const { minBytesPerSecond } = this.#options;
    return this.#hasRival ? RIVAL_FACTOR * minBytesPerSecond : minBytesPerSecond;
  }

  #onStored(id: number, nowMs: number): void {
    const order = this.#end(id);
    if (!order) return;
    this.#stored.add(order.piece);
    this.#begun.delete(order.piece);
    this.#reached.delete(order.piece);
    this.#progressed(Infinity, nowMs);
    if (order.seed.succeeded(nowMs)) this.#report(order.seed, "back", "a right piece came from it");
    for (const other of this.#requestsFor(order.piece)) {
      this.#wastedBytes += other.received;
      this.#cancel(other);
    }
  }

  #cancel(order: Request, because?: string): void {
    this.#end(order.id);
    const reason = because === undefined ? {} : { because };
    this.#commands.push({ kind: "cancel", order: order.id, ...reason });
  }

  #onFailed(id: number, failure: Failure, kept: number | undefined, nowMs: number): void {
    const order = this.#end(id);
    if (!order) return;
    if (failure.kind === "corrupt" || failure.kind === "doubtful") this.#forget(order.piece);
    else if (kept !== undefined) this.#keep(order.piece, kept);
    if (this.#requestsFor(order.piece).length === 0) this.#missing.push(order.piece);
    this.#failSeed(order.seed, failure, nowMs);
  }

  #keep(piece: number, length: number): void {
    if (length > this.#begunOf(piece)) this.#begun.set(piece, length);
  }

  /** Wrong bytes are fetched anew, which is progress. It comes to an end: a lying seed is dropped. */
  #forget(piece: number): void {
    this.#begun.delete(piece);
    this.#reached.delete(piece);
  }

  #failSeed(seed: SourceState, failure: Failure, nowMs: number): void {
    switch (failure.kind) {
      case "busy":
        // With jitter, so that all who were sent away do not come back at once.
        return this.#pauseSeed(
          seed,
          failure.retryAfterMs * (1 + this.#options.random() / 4),
          failure,
          nowMs,
        );
      case "hopeless":
        return this.#dropSeed(seed, failure.reason);
      case "corrupt":
        return this.#corruptBy(seed, failure.reason);
      case "doubtful":
        return;
      case "changed":
      case "lost":
      case "stalled": {
        const retryInMs = seed.failed(nowMs, this.#options.random());
        if (retryInMs !== undefined) this.#report(seed, "failing", failure.reason, retryInMs);
      }
    }
  }

  #corruptBy(seed: SourceState, reason: string): void {
    this.#lied = true;
    if (seed.corrupted()) return this.#dropSeed(seed, `${reason}, for the third time`);
    this.#report(seed, "corrupt", reason);
  }

  #pauseSeed(seed: SourceState, ms: number, { reason }: Failure, nowMs: number): void {
    const wasReady = seed.ready || seed.status.kind === "inquiring";
    seed.pause(ms, nowMs);
    if (wasReady) this.#report(seed, "busy", reason, Math.round(ms));
  }

  #dropSeed(seed: SourceState, reason: string): void {
    if (seed.status.kind === "dropped") return;
    seed.drop();
    this.#lastDrop = reason;
    this.#report(seed, "dropped", reason);
  }

  #plan(nowMs: number): TransferCommand[] {
    this.#usable = Array.from(this.#sources.values())
      .filter(({ ready, status }) => ready || status.kind === "inquiring");
    if (this.#stored.size === this.#toStore) this.#finish({ kind: "complete" });
    else {
      this.#probe(nowMs);
      this.#fill(nowMs);
      if (this.#sources.size > 1) this.#rebalance(nowMs);
      this.#giveUpOrSchedule(nowMs);
    }
    return this.#takeActions();
  }

  #takeActions(): TransferCommand[] {
    const actions = this.#commands;
    this.#commands = [];
    return actions;
  }

  #rebalance(nowMs: number): void {
    if (this.#missing.length === 0) this.#endgame(nowMs);
    else if (this.#isFull()) this.#reassignSlow(nowMs);
  }

  /** Seeds whose pause is over say again what they hold. */
  #probe(nowMs: number): void {
    for (const seed of this.#sources.values()) {
      if (seed.status.kind !== "waiting" || seed.status.untilMs > nowMs) continue;
      seed.status = { kind: "inquiring" };
      this.#commands.push({ kind: "probe", seed: seed.name });
    }
  }

  /** Asks for missing pieces while a seed has room. */
  #fill(nowMs: number): void {
    while (this.#missing.length > 0 && !this.#isFull()) {
      const seed = this.#pickSource(nowMs);
      if (seed === undefined) return;
      this.#request(seed, this.#missing.pop()!, nowMs);
    }
  }

  /** The seed with the most room left; the faster of two. */
  #pickSource(nowMs: number): SourceState | undefined {
    let best: { seed: SourceState; room: number; goodput: number } | undefined;
    for (const seed of this.#sources.values()) {
      const room = this.#windowLeft(seed, nowMs);
      if (room <= 0 || (best && room < best.room)) continue;
      const goodput = seed.goodput(nowMs);
      if (!best || room > best.room || goodput > best.goodput) best = { seed, room, goodput };
    }
    return best?.seed;
  }

  #windowLeft(seed: SourceState, nowMs: number): number {
    const least = () => this.#leastWindow(seed, nowMs);
    return seed.window(this.#options.layout.pieceSize, least, nowMs) - seed.inFlight.size;
  }

  /** How many pieces the seed may have in flight however slow it is. */
  #leastWindow(seed: SourceState, nowMs: number): number {
    const { layout: { pieceSize }, connections, maxInFlight } = this.#options;
    const pieces = Math.ceil(MIN_WINDOW_BYTES / pieceSize);
    const usable = this.#usable.length;
    // Enough for each of its connections where there is nobody else.
    if (usable <= 1) return Math.max(pieces, connections);
    // Others need room in memory, and must not wait for this one in the end.
    if (usable * pieces > maxInFlight / 2) return 0;
    const missingBytes = this.#missing.length * pieceSize;
    const others = this.#usable.filter((other) => other !== seed);
    const othersRate = sum(others.map((other) => other.goodput(nowMs)));
    return 2 * MIN_WINDOW_BYTES * othersRate < missingBytes * seed.goodput(nowMs) ? pieces : 0;
  }

  #request(seed: SourceState, piece: number, nowMs: number, because?: string): void {
    const id = this.#nextRequest++;
    const begun = this.#begunOf(piece);
    this.#requests.set(id, { id, piece, seed, askedAtMs: nowMs, begun, received: 0 });
    seed.inFlight.add(id);
    const { rangeBytes } = seed;
    this.#commands.push({
      kind: "request",
      order: id,
      seed: seed.name,
      piece,
      ...(rangeBytes === undefined ? {} : { rangeBytes }),
      ...(because === undefined ? {} : { because }),
    });
  }

  /** The last pieces are also asked from seeds that should be through with them much sooner. */
  #endgame(nowMs: number): void {
    const { layout } = this.#options;
    const pieces = this.#piecesInFlight(nowMs);
    const twice = pieces.filter(({ orders }) => orders.length > 1);
    const most = Math.max(ENDGAME_SHARE * layout.size, ENDGAME_PIECES * layout.pieceSize);
    let budget = most - this.#wastedBytes - sum(twice.map(({ bytes }) => bytes));
    for (const { piece, bytes, orders, seconds } of pieces) {
      const second = this.#fastestSource(bytes, orders, nowMs);
      if (!second || second.seconds * ENDGAME_GAIN > seconds) continue;
      const slow = orders.at(-1)!;
      // A seed that was asked a moment ago has not had the time to answer.
      const isDue = slow.received > 0 || nowMs - slow.askedAtMs >= ENDGAME_INTERVAL_MS;
      const mayAskTwice = orders.length === 1 && isDue && !this.#isFull() && bytes <= budget;
      if (mayAskTwice) {
        budget -= bytes;
        const why = comparison(slow, seconds, second);
        // Only for what the slow one has not brought yet.
        this.#keep(piece, slow.begun + slow.received);
        this.#request(second.seed, piece, nowMs, `piece ${piece} is asked twice: ${why}`);
        continue;
      }
      if (!this.#isKnown(slow, nowMs)) continue;
      if (orders.length === 1 && !isMuchSlower(seconds, second.seconds)) continue;
      this.#cancelSlow(slow, second, nowMs);
      this.#request(second.seed, piece, nowMs);
    }
  }

  /** The one that should be through with a piece first, of the seeds that have room and are not at it yet. */
  #fastestSource(
    bytes: number,
    orders: Request[],
    nowMs: number,
  ): FasterSource | undefined {
    // All of it has come: it is being checked.
    if (bytes <= 0) return undefined;
    let best: FasterSource | undefined;
    for (const seed of this.#sources.values()) {
      if (this.#windowLeft(seed, nowMs) <= 0 || orders.some((order) => order.seed === seed)) {
        continue;
      }
      const rate = seed.goodput(nowMs) || (seed.isSlow(nowMs) ? 0 : bytes / TRIAL_SECONDS);
      // Nothing is won by moving a piece to a seed that is as good as silent.
      if (rate < this.#options.minBytesPerSecond) continue;
      const seconds = (this.#bytesAhead(seed) + bytes) / rate;
      if (!best || seconds < best.seconds) best = { seed, seconds };
    }
    return best;
  }

  #isFull(): boolean {
    return this.#requests.size >= this.#options.maxInFlight;
  }

  /** Seeds that crawl must not hold all the memory while others have nothing to do. */
  #reassignSlow(nowMs: number): void {
    const isOld = ({ askedAtMs }: Request) => nowMs - askedAtMs >= MIN_REQUEST_AGE_MS;
    // Most often none is, and then nobody need be compared.
    const [first] = this.#requests.values();
    if (!first || !isOld(first)) return;
    const slowest = this.#piecesInFlight(nowMs).find(({ orders }) => orders.every(isOld));
    const second = slowest && this.#fastestSource(slowest.bytes, slowest.orders, nowMs);
    if (!second || !isMuchSlower(slowest.seconds, second.seconds)) return;
    for (const order of slowest.orders) this.#cancelSlow(order, second, nowMs);
    this.#request(second.seed, slowest.piece, nowMs);
  }

  #cancelSlow(order: Request, sooner: FasterSource, nowMs: number): void {
    const why = comparison(order, this.#secondsLeft(order, nowMs), sooner);
    this.#cancel(order, `piece ${order.piece} is taken back from ${order.seed.name}: ${why}`);
    this.#keep(order.piece, order.begun + order.received);
    order.seed.markSlow(nowMs);
  }

  /** Of who was only just asked nobody knows how slow it is: pieces would go round and round. */
  #isKnown({ seed, askedAtMs, received }: Request, nowMs: number): boolean {
    return received > 0 ||
      nowMs - askedAtMs >= (seed.proven ? MIN_REQUEST_AGE_PROVEN_MS : MIN_REQUEST_AGE_MS);
  }

  /** What is in flight, by piece, the slowest first; a piece's orders the soonest first. */
  #piecesInFlight(nowMs: number) {
    const byPiece = Map.groupBy(this.#requests.values(), ({ piece }) => piece);
    const pieces = Array.from(byPiece, ([piece, group]) => {
      const left = new Map(group.map((order) => [order, this.#secondsLeft(order, nowMs)]));
      const orders = group.sort((a, b) => left.get(a)! - left.get(b)!);
      const bytes = Math.min(...orders.map((order) => this.#bytesToCome(order)));
      return { piece, bytes, orders, seconds: left.get(orders[0]!)! };
    });
    return pieces.sort((a, b) => b.seconds - a.seconds);
  }

  /** Until this order is through, as far as its seed's speed tells. */
  #secondsLeft(order: Request, nowMs: number): number {
    const { seed } = order;
    const share = seed.goodput(nowMs) / Math.max(1, seed.inFlight.size);
    return this.#bytesToCome(order) / share;
  }

  #bytesAhead(seed: SourceState): number {
    let bytes = 0;
    for (const id of seed.inFlight) bytes += this.#bytesToCome(this.#requests.get(id)!);
    return bytes;
  }

  #giveUpOrSchedule(nowMs: number): void {
    const seeds = Array.from(this.#sources.values());
    const giveUpAt = this.#patienceMs === undefined ? this.#giveUpAtMs : Infinity;
    // Where there is a rival, seeds that never held the content are not waited for.
    const hopeful = this.#hasRival ? seeds.filter(({ name }) => this.#holders.has(name)) : seeds;
    if (hopeful.every(({ status }) => status.kind === "dropped")) {
      const why = this.#lied ? "corrupt" : "refused";
      return this.#finish({ kind: "give-up", why, reason: `no seed is left (${this.#lastDrop})` });
    }
    if (nowMs >= giveUpAt) {
      return this.#finish({ kind: "give-up", why: "silence", reason: this.#tooLittle(nowMs) });
    }
    const pauses = seeds.map(({ status }) => status.kind === "waiting" ? status.untilMs : Infinity);
    const slowMatters = this.#missing.length === 0 ? this.#requests.size > 0 : this.#isFull();
    const beat = slowMatters ? nowMs + ENDGAME_INTERVAL_MS : Infinity;
    this.#plannedAtMs = nowMs;
    this.#wakeAtMs = Math.min(giveUpAt, beat, ...pauses);
    this.#commands.push({ kind: "set-timer", atMs: this.#wakeAtMs });
  }

  #tooLittle(nowMs: number): string {
    const seconds = this.#giveUpMs / 1000;
    return nowMs - this.#lastByteMs >= this.#giveUpMs
      ? `no seed sent a byte for ${seconds} s`
      : `the seeds sent less than ${this.#minBytesPerSecond} useful bytes a second for ${seconds} s`;
  }

  #finish(action: TransferCommand): void {
    this.#over = true;
    this.#commands.push(action);
  }

  #end(id: number): Request | undefined {
    const order = this.#requests.get(id);
    this.#requests.delete(id);
    order?.seed.inFlight.delete(id);
    return order;
  }

  #requestsFor(piece: number): Request[] {
    return Array.from(this.#requests.values()).filter((order) => order.piece === piece);
  }

  #begunOf(piece: number): number {
    return this.#begun.get(piece) ?? 0;
  }

  #bytesToCome({ piece, begun, received }: Request): number {
    return this.#bytesOf(piece) - begun - received;
  }

  #bytesOf(piece: number): number {
    return lengthOf(rangeOfPiece(this.#options.layout, piece));
  }

  #report(seed: SourceState, turn: SourceChange, reason: string, retryInMs?: number): void {
    this.#commands.push({
      kind: "report",
      seed: seed.name,
      turn,
      reason,
      ...(retryInMs === undefined ? {} : { retryInMs }),
    });
  }
}

/** So slow that waiting for it is worse than throwing away what it sent. */
function isMuchSlower(seconds: number, elsewhere: number): boolean {
  return seconds > SLOW_SECONDS && elsewhere * SLOW_GAIN <= seconds;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Why a piece is better asked elsewhere, with the figures. */
function comparison({ seed }: Request, seconds: number, sooner: FasterSource): string {
  const slow = Number.isFinite(seconds)
    ? `would take ${seconds.toFixed(1)} s more`
    : "has sent nothing lately";
  const fast = Number.isFinite(sooner.seconds) ? `${sooner.seconds.toFixed(1)} s` : "less";
  return `${seed.name} ${slow}, ${sooner.seed.name} should take ${fast}`;
}
