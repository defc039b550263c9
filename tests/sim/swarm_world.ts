/**
 * A simulated swarm: real state machines of downloads and of their swarms, the real table of a seed,
 * simulated lines and a simulated clock.
 *
 * An uploader sends its transfers in turns, a chunk at a time, as a server with fair shares does. A
 * receiver takes what comes at the rate of its own line.
 */
import { allPieces, layoutOf, MIN_PIECE_BYTES, type PieceLayout } from "../../core/base/pieces.ts";
import { DownloadMachine } from "../../core/plan/download_machine.ts";
import type { DownloadCommand, DownloadEvent } from "../../core/plan/messages.ts";
import { type SwarmCommand, type SwarmEvent, SwarmMachine } from "../../core/plan/swarm_machine.ts";
import { MAX_INDICES_IN_LINE } from "../../core/protocol/swarm.ts";
import { GainLog } from "../../core/serve/swarm/gain_log.ts";
import { SwarmTable } from "../../core/serve/swarm/swarm_table.ts";
import { diceOf } from "./dice.ts";
import { Timeline } from "./timeline.ts";

export type Conduct =
  | "shares"
  /** It downloads from others, and serves nothing. */
  | "rides"
  /** It says that it has everything, and sends wrong bytes. */
  | "lies"
  /** It says that it has everything, and sends nothing. */
  | "stalls";

export interface ReceiverPlan {
  readonly startMs?: number;
  /** Its line in both directions, as a factor of `bytesPerMs`. */
  readonly line?: number;
  readonly conduct?: Conduct;
  /** It ends as soon as it is done; others stay. */
  readonly leaves?: boolean;
  /** It is gone then, done or not. */
  readonly diesMs?: number;
}

export interface SwarmPlan {
  readonly pieces: number;
  readonly receivers: readonly ReceiverPlan[];
  /** The line of the seed and, by default, of each receiver: 20 MB/s, 160 Mbit/s. */
  readonly bytesPerMs?: number;
  /** As a factor of `bytesPerMs`. */
  readonly seedLine?: number;
  /** The seed is gone then. */
  readonly seedDiesMs?: number;
  /** From a request to its arrival. */
  readonly delayMs?: number;
  /** What receivers know of each other is older by this. */
  readonly staleMs?: number;
  /** Transfers that a receiver sends at a time, and the seed. */
  readonly slots?: number;
  readonly seedSlots?: number;
  readonly dice?: number;
}

export interface SwarmEnd {
  /** Time of one transfer over the line, in ms. */
  readonly oneMs: number;
  /** When the last receiver was done that shares or rides, from the start of the last one; Infinity if one is not. */
  readonly lastMs: number;
  readonly medianMs: number;
  /** Bytes that the seed sent, in copies of the file. */
  readonly seedCopies: number;
  /** Receivers that should be done and are not. */
  readonly unfinished: number;
  /** Bytes beyond those of the pieces, of all receivers, in copies. */
  readonly wasted: number;
  readonly faults: readonly string[];
}

const CHUNK_BYTES = 256 * 1024;
const STALL_MS = 5000;
const MAX_IN_FLIGHT = 16;
const SEED = "seed";
const ID = "a1".repeat(32);

interface Transfer {
  readonly to: Receiver;
  readonly request: number;
  readonly piece: number;
  readonly bytes: number;
  sent: number;
  cancelled: boolean;
  ended?: (() => void) | undefined;
}

/** Sends transfers in turns: of the receivers that wait, each gets a chunk before any gets two. */
class Uploader {
  readonly #timeline: Timeline;
  readonly #bytesPerMs: number;
  readonly #slots: number;
  readonly #waiting: Transfer[] = [];
  readonly #active: Transfer[] = [];
  #busy = false;
  sentBytes = 0;
  dead = false;

  constructor(timeline: Timeline, bytesPerMs: number, slots: number) {
    this.#timeline = timeline;
    this.#bytesPerMs = bytesPerMs;
    this.#slots = slots;
  }

  get queue(): number {
    return this.#waiting.length + this.#active.length + (this.#busy ? 1 : 0);
  }

  add(transfer: Transfer): void {
    if (this.dead) return;
    this.#waiting.push(transfer);
    this.#next();
  }

  #next(): void {
    if (this.#busy || this.dead) return;
    while (this.#active.length < this.#slots && this.#waiting.length > 0) {
      // A receiver has one transfer at a time while others wait.
      const at = this.#waiting.findIndex(({ to }) => !this.#active.some((one) => one.to === to));
      if (at < 0) {
        if (this.#active.length > 0) break;
        this.#active.push(this.#waiting.shift()!);
      } else this.#active.push(...this.#waiting.splice(at, 1));
    }
    const transfer = this.#active.shift();
    if (transfer === undefined) return;
    if (transfer.cancelled || transfer.to.gone) {
      transfer.ended?.();
      return this.#next();
    }
    const bytes = Math.min(CHUNK_BYTES, transfer.bytes - transfer.sent);
    this.#busy = true;
    this.#timeline.at(this.#timeline.nowMs + bytes / this.#bytesPerMs, () => {
      this.#busy = false;
      if (this.dead) return;
      this.sentBytes += bytes;
      transfer.sent += bytes;
      transfer.to.arrives(transfer, bytes);
      if (transfer.sent < transfer.bytes) this.#active.push(transfer);
      else transfer.ended?.();
      this.#next();
    });
  }
}

class Receiver {
  readonly plan: ReceiverPlan;
  readonly address: string;
  readonly host: string;
  readonly #world: World;
  readonly log = new GainLog();
  readonly table: SwarmTable;
  readonly uploader: Uploader;
  readonly #random: () => number;
  readonly #bytesPerMs: number;
  #machine!: DownloadMachine;
  #swarm!: SwarmMachine;
  #freeDownMs = 0;
  readonly #asked = new Map<number, { transfer: Transfer; source: string; lastByteMs: number }>();
  #timerAt = Infinity;
  #swarmTimerAt = Infinity;
  gone = false;
  doneMs: number | undefined;
  startMs = 0;
  receivedBytes = 0;
  readonly faults: string[] = [];

  constructor(plan: ReceiverPlan, index: number, world: World) {
    this.plan = plan;
    this.host = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
    this.address = `${this.host}:7000`;
    this.#world = world;
    const { bytesPerMs, slots, dice } = world;
    this.#bytesPerMs = bytesPerMs * (plan.line ?? 1);
    this.#random = diceOf(dice * 7919 + index);
    this.table = new SwarmTable(this.#random);
    this.uploader = new Uploader(world.timeline, this.#bytesPerMs, slots);
    world.timeline.at(plan.startMs ?? 0, () => this.#start());
    if (plan.diesMs !== undefined) world.timeline.at(plan.diesMs, () => this.leave());
  }

  get port(): number {
    return this.plan.conduct === "rides" ? 0 : 7000;
  }

  get isHonest(): boolean {
    return (this.plan.conduct ?? "shares") === "shares" || this.plan.conduct === "rides";
  }

  leave(): void {
    this.gone = true;
    this.uploader.dead = true;
  }

  #start(): void {
    const { timeline } = this.#world;
    this.startMs = timeline.nowMs;
    this.#machine = new DownloadMachine({
      sources: [{ id: SEED, troubled: false, known: true }],
      order: "rarest-first",
      wanted: { id: undefined, sha256: undefined },
      requireVerified: false,
      giveUpMs: 120_000,
      stallMs: STALL_MS,
      minBytesPerSecond: 128,
      random: this.#random,
    }, timeline.nowMs);
    this.#swarm = new SwarmMachine(this.#random, timeline.nowMs);
    this.#perform(this.#machine.start(timeline.nowMs));
    this.#performSwarm(this.#swarm.start(timeline.nowMs));
  }

  tell(event: DownloadEvent): void {
    if (this.gone || this.doneMs !== undefined) return;
    this.#perform(this.#machine.handle(event, this.#world.timeline.nowMs));
  }

  tellSwarm(event: SwarmEvent): void {
    if (this.gone || this.doneMs !== undefined) return;
    this.#performSwarm(this.#swarm.handle(event, this.#world.timeline.nowMs));
  }

  #perform(commands: readonly DownloadCommand[]): void {
    for (const command of commands) this.#do(command);
  }

  #do(command: DownloadCommand): void {
    const { timeline, layout } = this.#world;
    switch (command.kind) {
      case "probe": {
        const { source } = command;
        return this.#later(() => {
          const answer = this.#world.answers(source)
            ? { kind: "manifest", id: ID, size: layout.size, sha256: "" } as const
            : { kind: "failed", reason: "gone", code: "unreachable" } as const;
          this.tell({ kind: "answered", source, answer });
        }, 2);
      }
      case "open":
        this.tellSwarm({ kind: "seed", seed: SEED });
        return this.#later(() => {
          this.tell({
            kind: "opened",
            layout,
            missing: allPieces(layout),
            maxInFlight: MAX_IN_FLIGHT,
          });
        });
      case "request":
        return this.#request(command.request, command.source, command.piece);
      case "cancel": {
        const asked = this.#asked.get(command.request);
        if (asked === undefined) return;
        asked.transfer.cancelled = true;
        this.#asked.delete(command.request);
        this.tellSwarm({ kind: "ended", source: asked.source });
        return;
      }
      case "setTimer":
        if (command.atMs >= this.#timerAt && this.#timerAt > timeline.nowMs) {
          // An early timer looks again.
          return;
        }
        this.#timerAt = command.atMs;
        return timeline.at(command.atMs, () => {
          this.#timerAt = Infinity;
          this.tell({ kind: "timer" });
        });
      case "report":
        if (command.change === "dropped") this.tellSwarm({ kind: "dropped", peer: command.source });
        return;
      case "finish":
        this.doneMs = timeline.nowMs;
        if (this.log.size !== layout.count) this.faults.push(`${this.address} finished too early`);
        if (this.plan.leaves) this.leave();
        return;
      case "setAside":
      case "fail":
        this.faults.push(`${this.address}: ${JSON.stringify(command)}`);
    }
  }

  #later(run: () => void, times = 1): void {
    this.#world.timeline.at(this.#world.timeline.nowMs + times * this.#world.delayMs, run);
  }

  #request(request: number, source: string, piece: number): void {
    const { timeline } = this.#world;
    const bytes = Math.min(
      MIN_PIECE_BYTES,
      this.#world.layout.size - piece * MIN_PIECE_BYTES,
    );
    const transfer: Transfer = {
      to: this,
      request,
      piece,
      bytes,
      sent: 0,
      cancelled: false,
    };
    this.#asked.set(request, { transfer, source, lastByteMs: timeline.nowMs });
    this.tellSwarm({ kind: "requested", source, piece });
    this.#later(() => this.#world.serve(source, transfer, this));
    this.#watch(request, STALL_MS);
  }

  #watch(request: number, waitMs: number): void {
    const { timeline } = this.#world;
    timeline.at(timeline.nowMs + waitMs, () => {
      const asked = this.#asked.get(request);
      if (asked === undefined) return;
      const left = asked.lastByteMs + STALL_MS - timeline.nowMs;
      if (left > 0) return this.#watch(request, left);
      this.fails(request, "stalled");
    });
  }

  fails(request: number, kind: "stalled" | "lost" | "changed" | "corrupt"): void {
    const asked = this.#asked.get(request);
    if (asked === undefined) return;
    asked.transfer.cancelled = true;
    this.#asked.delete(request);
    this.tellSwarm({ kind: "ended", source: asked.source });
    this.tell({ kind: "failed", request, failure: { kind, reason: kind } });
  }

  arrives(transfer: Transfer, bytes: number): void {
    const { timeline } = this.#world;
    this.#freeDownMs = Math.max(timeline.nowMs, this.#freeDownMs + bytes / this.#bytesPerMs);
    const isLast = transfer.sent === transfer.bytes;
    timeline.at(this.#freeDownMs, () => this.#took(transfer, bytes, isLast));
  }

  #took(transfer: Transfer, bytes: number, isLast: boolean): void {
    if (this.gone) return;
    this.receivedBytes += bytes;
    const { request, piece } = transfer;
    const asked = this.#asked.get(request);
    if (asked === undefined) return;
    asked.lastByteMs = this.#world.timeline.nowMs;
    this.tell({ kind: "received", request, bytes });
    if (!isLast) return;
    if (this.#world.isWrong(asked.source)) return this.fails(request, "corrupt");
    this.#asked.delete(request);
    if (this.log.has(piece)) this.faults.push(`${this.address} stored ${piece} twice`);
    this.log.add(piece);
    this.tellSwarm({ kind: "ended", source: asked.source });
    this.tellSwarm({ kind: "stored" });
    this.tell({ kind: "stored", request });
  }

  #performSwarm(commands: readonly SwarmCommand[]): void {
    for (const command of commands) this.#doSwarm(command);
  }

  #doSwarm(command: SwarmCommand): void {
    const { timeline, layout, table } = this.#world;
    switch (command.kind) {
      case "join":
        return this.#later(() => {
          const { hub } = command;
          const theirs = hub === SEED ? table : this.#world.receivers.get(hub)?.table;
          if (theirs === undefined || !this.#world.answers(hub)) {
            return this.tellSwarm({ kind: "notJoined", hub, isFinal: false });
          }
          const { host, port } = this;
          const pieces = this.log.size;
          const own = { id: ID, count: layout.count, client: host, host, port, pieces };
          const joined = theirs.join(own, timeline.nowMs);
          if (joined && hub !== SEED) {
            this.#world.receivers.get(hub)!.tellSwarm({ kind: "announced", peer: this.address });
          }
          const peers = theirs.peersFor(ID, host, port, timeline.nowMs);
          this.tellSwarm({ kind: "joined", hub, peers: peers.map((one) => `${one.host}:7000`) });
        }, 2);
      case "ask":
        return this.#ask(command.peer, command.known);
      case "suggest": {
        const { seed, count } = command;
        return this.#later(() => {
          if (!this.#world.answers(seed)) return this.tellSwarm({ kind: "notSuggested", seed });
          const { host, port } = this;
          const pieces = this.#machine.nextPieces(64);
          const asked = { id: ID, host, port, count, pieces };
          this.tellSwarm({ kind: "suggested", seed, ...table.suggest(asked, timeline.nowMs) });
        }, 2);
      }
      case "appear":
        return this.tell({
          kind: "sourceAppeared",
          source: {
            id: command.peer,
            troubled: false,
            known: true,
            peer: { pieces: new Set(command.pieces) },
          },
        });
      case "gained":
        return this.tell({
          kind: "sourceGained",
          source: command.peer,
          pieces: command.pieces === "all" ? allPieces(layout) : command.pieces,
          queue: command.queue,
        });
      case "left":
        return this.tell({ kind: "sourceLeft", source: command.peer });
      case "suggests":
        return this.tell({
          kind: "sourceSuggests",
          source: command.seed,
          suggestions: command.suggestions,
        });
      case "setTimer": {
        if (command.atMs >= this.#swarmTimerAt && this.#swarmTimerAt > timeline.nowMs) return;
        this.#swarmTimerAt = command.atMs;
        const { atMs } = command;
        return timeline.at(atMs, () => {
          if (this.#swarmTimerAt !== atMs) return;
          this.#swarmTimerAt = Infinity;
          this.tellSwarm({ kind: "timer" });
        });
      }
    }
  }

  #ask(id: string, known: number | undefined): void {
    const { staleMs, layout, delayMs, timeline } = this.#world;
    timeline.at(timeline.nowMs + delayMs, () => {
      const peer = this.#world.receivers.get(id);
      if (peer === undefined || peer.gone || peer.plan.conduct === "rides") {
        return this.tellSwarm({ kind: "hasNot", peer: id });
      }
      const isAll = peer.log.size === layout.count || !peer.isHonest;
      const news = known === undefined ? undefined : peer.log.since(known);
      const map = Array.from(peer.log.since(0) ?? []);
      const { queue } = peer.uploader;
      const report = isAll
        ? { kind: "all", queue } as const
        : news
        ? { kind: "news", pieces: news, known: known! + news.length, queue } as const
        : { kind: "map", pieces: map, known: map.length, queue } as const;
      timeline.at(
        timeline.nowMs + delayMs + staleMs,
        () => this.tellSwarm({ kind: "has", peer: id, report }),
      );
    });
  }
}

class World {
  readonly timeline = new Timeline();
  readonly layout: PieceLayout;
  readonly bytesPerMs: number;
  readonly delayMs: number;
  readonly staleMs: number;
  readonly slots: number;
  readonly dice: number;
  readonly table: SwarmTable;
  readonly receivers = new Map<string, Receiver>();
  readonly seed: Uploader;

  constructor(plan: SwarmPlan) {
    const { pieces, bytesPerMs = 20_000, delayMs = 0.5, staleMs = 0, slots = 8, dice = 1 } = plan;
    if (pieces > MAX_INDICES_IN_LINE) throw new Error("The simulated map has one line");
    this.layout = layoutOf(pieces * MIN_PIECE_BYTES);
    this.bytesPerMs = bytesPerMs;
    this.delayMs = delayMs;
    this.staleMs = staleMs;
    this.slots = slots;
    this.dice = dice;
    this.table = new SwarmTable(diceOf(dice));
    this.seed = new Uploader(
      this.timeline,
      bytesPerMs * (plan.seedLine ?? 1),
      plan.seedSlots ?? 32,
    );
    for (const [index, each] of plan.receivers.entries()) {
      const receiver = new Receiver(each, index + 1, this);
      this.receivers.set(receiver.address, receiver);
    }
    if (plan.seedDiesMs !== undefined) {
      this.timeline.at(plan.seedDiesMs, () => this.seed.dead = true);
    }
  }

  answers(source: string): boolean {
    if (source === SEED) return !this.seed.dead;
    const receiver = this.receivers.get(source);
    return receiver !== undefined && !receiver.gone && receiver.plan.conduct !== "rides";
  }

  isWrong(source: string): boolean {
    return this.receivers.get(source)?.plan.conduct === "lies";
  }

  serve(source: string, transfer: Transfer, to: Receiver): void {
    if (transfer.cancelled) return;
    if (!this.answers(source)) return to.fails(transfer.request, "lost");
    if (source === SEED) {
      transfer.ended = this.table.requested(ID, to.host, transfer.piece);
      return this.seed.add(transfer);
    }
    const peer = this.receivers.get(source)!;
    if (peer.plan.conduct === "stalls") return;
    if (peer.isHonest && !peer.log.has(transfer.piece)) {
      to.faults.push(`${to.address} asked ${source} for ${transfer.piece}, which it has not`);
    }
    peer.uploader.add(transfer);
  }
}

/** Longer than any swarm may take. */
const MAX_MS = 3600 * 1000;

export function runSwarm(plan: SwarmPlan): SwarmEnd {
  const world = new World(plan);
  const wanted = Array.from(world.receivers.values()).filter(({ isHonest, plan: { diesMs } }) =>
    isHonest && diesMs === undefined
  );
  let left = wanted.length;
  let counted = 0;
  while (left > 0 && world.timeline.step(MAX_MS)) {
    if (++counted % 256 === 0) left = wanted.filter(({ doneMs }) => doneMs === undefined).length;
  }
  const times = wanted.map(({ doneMs = Infinity, startMs }) => doneMs - startMs)
    .sort((a, b) => a - b);
  const lastStartMs = Math.max(...wanted.map(({ startMs }) => startMs));
  const received = wanted.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
  const { size } = world.layout;
  return {
    oneMs: size / world.bytesPerMs,
    lastMs: Math.max(...wanted.map(({ doneMs = Infinity }) => doneMs)) - lastStartMs,
    medianMs: times[times.length >> 1]!,
    seedCopies: world.seed.sentBytes / size,
    unfinished: wanted.filter(({ doneMs }) => doneMs === undefined).length,
    wasted: received / size - wanted.length,
    faults: Array.from(world.receivers.values()).flatMap(({ faults }) => faults),
  };
}
