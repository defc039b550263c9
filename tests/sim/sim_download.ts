/** One download of a simulated world: the real state machine, and the rules that it must keep. */
import { layoutOf, type PieceLayout, rangeOfPiece } from "../../core/base/pieces.ts";
import { lengthOf } from "../../core/base/ranges.ts";
import { DownloadMachine, type DownloadOptions } from "../../core/plan/download_machine.ts";
import type {
  Choice,
  DownloadCommand,
  DownloadEvent,
  PieceFailure,
} from "../../core/plan/messages.ts";
import type { PieceOrder } from "../../core/plan/piece_picker.ts";
import type { Listener, SimSeed } from "./sim_seed.ts";
import type { Timeline } from "./timeline.ts";

export interface DownloadPlan {
  readonly size: number;
  /** Of a small part of a huge file. */
  readonly pieceSize?: number;
  readonly startMs?: number;
  /** It is cancelled then, if it is not through. */
  readonly cancelMs?: number;
  readonly maxInFlight?: number;
  readonly giveUpMs?: number;
  readonly order?: PieceOrder;
  /** The attempt ends then, as in a pause, and another one begins with what is stored. */
  readonly restartMs?: number;
  /** The pieces are passed on in order to a reader. */
  readonly stream?: StreamPlan;
  /** Another machine than the real one. */
  readonly machine?: (options: DownloadOptions, nowMs: number) => Machine;
  /** Receives each event and each command. */
  readonly trace?: (
    direction: ">" | "<",
    message: DownloadEvent | DownloadCommand,
    nowMs: number,
  ) => void;
}

/** The reader of a stream. */
export interface StreamPlan {
  /** Pieces from the next one to pass on that may be there or in flight. */
  readonly windowPieces: number;
  /** How long the reader takes for a piece. */
  readonly msAPiece: number;
  /** The reader stops for a while when it has taken a piece. */
  readonly pause?: { readonly after: number; readonly ms: number };
  /** Pieces before it are not wanted. */
  readonly firstPiece?: number;
}

/** The machine as the world drives it. */
export interface Machine {
  start(nowMs: number): DownloadCommand[];
  handle(event: DownloadEvent, nowMs: number): DownloadCommand[];
}

/** What there is of a piece, and whose. */
interface Beginning {
  readonly bytes: number;
  readonly parts: readonly { readonly seed: string; readonly wrong: boolean }[];
}

interface Asked {
  readonly seed: string;
  readonly piece: number;
  /** What there was before. */
  readonly begun: Beginning;
  received: number;
  wrong: boolean;
}

const NOTHING: Beginning = { bytes: 0, parts: [] };

export type HowItEnded = "complete" | "give-up" | "cancelled";

/** What one seed on a short line may have in flight for one download: 16 MiB. */
const MAX_WINDOW = 16;
const LONG_ROUND_TRIP_MS = 10;

export class SimDownload implements Listener {
  readonly plan: DownloadPlan;
  readonly faults: string[] = [];
  how: HowItEnded | undefined;
  endedMs = 0;
  /** Bytes of pieces that were stored, or wrong. */
  usefulBytes = 0;
  receivedBytes = 0;
  readonly #timeline: Timeline;
  readonly #seeds: ReadonlyMap<string, SimSeed>;
  readonly #layout: PieceLayout;
  #machine: Machine;
  readonly #random: () => number;
  /** The id of the chosen content. */
  #content: string | null = null;
  /** Events of an attempt that was ended by a restart are ignored. */
  #attempt = 0;
  readonly #orders = new Map<number, Asked>();
  /** Beginnings of unfinished pieces; of a suspect piece one for each seed. */
  readonly #begun = new Map<string, Beginning>();
  /** Pieces that were wrong and of several seeds: fetched whole from one, then the liars are blamed. */
  readonly #suspects = new Map<number, Beginning["parts"]>();
  readonly #stored = new Set<number>();
  readonly #actionsIn = new Map<number, number>();
  #wakes = 0;
  /** Of a stream: the next piece to pass on, and whether the reader is taking it. */
  #next = 0;
  #isReading = false;
  #isFinishing = false;
  /** For how long the reader had nothing to read, and since when. */
  starvedMs = 0;
  #hungrySinceMs: number | undefined;

  constructor(
    plan: DownloadPlan,
    seeds: ReadonlyMap<string, SimSeed>,
    timeline: Timeline,
    random: () => number,
  ) {
    this.plan = plan;
    this.#timeline = timeline;
    this.#seeds = seeds;
    this.#layout = layoutWith(plan.size, plan.pieceSize);
    this.#random = random;
    this.#machine = this.#newMachine();
    timeline.at(plan.startMs ?? 0, () => this.#start());
    for (const { habits: { name: id, appearsMs = 0 } } of seeds.values()) {
      if (appearsMs <= (plan.startMs ?? 0)) continue;
      const source = { id, troubled: false, known: true };
      timeline.at(appearsMs, () => this.#tell({ kind: "sourceAppeared", source }));
    }
    if (plan.restartMs !== undefined) timeline.at(plan.restartMs, () => this.#restart());
    if (plan.cancelMs !== undefined) timeline.at(plan.cancelMs, () => this.#cancel());
  }

  #newMachine(): Machine {
    const { startMs = 0, giveUpMs = 120_000, machine, order = "in-order" } = this.plan;
    const beganMs = Math.max(startMs, this.#timeline.nowMs);
    const make = machine ?? ((options, nowMs) => new DownloadMachine(options, nowMs));
    return make({
      sources: Array.from(this.#seeds.values())
        .filter(({ habits: { appearsMs = 0 } }) => appearsMs <= beganMs)
        .map(({ habits: { name: id } }) => ({ id, troubled: false, known: true })),
      order,
      wanted: { id: undefined, sha256: undefined },
      requireVerified: false,
      giveUpMs,
      stallMs: 5000,
      minBytesPerSecond: 128,
      random: this.#random,
    }, beganMs);
  }

  /** A suspension may delay it: the machine begins to count the time only now. */
  #start(): void {
    this.#machine = this.#newMachine();
    this.#perform(this.#machine.start(this.#timeline.nowMs));
  }

  #restart(): void {
    if (this.how) return;
    for (const request of Array.from(this.#orders.keys())) this.#takeBack(request);
    this.#attempt++;
    this.#start();
  }

  get busiestSecond(): number {
    return Math.max(0, ...this.#actionsIn.values());
  }

  received(order: number, bytes: number, wrong: boolean): void {
    const asked = this.#orders.get(order);
    if (!asked) return;
    this.receivedBytes += bytes;
    asked.received += bytes;
    asked.wrong = wrong;
    this.#tell({ kind: "received", request: order, bytes });
  }

  done(order: number): void {
    const asked = this.#orders.get(order);
    if (!asked) return;
    this.#orders.delete(order);
    const { piece } = asked;
    const { bytes, parts } = withBytesOf(asked);
    if (bytes !== this.#bytesOf(piece)) this.faults.push(`piece ${piece} came with ${bytes} bytes`);
    this.#begun.delete(this.#keyOf(piece, asked.seed));
    if (parts.every(({ wrong }) => !wrong)) return this.#store(order, piece);
    this.usefulBytes += bytes;
    if (new Set(parts.map(({ seed }) => seed)).size > 1) {
      this.#suspects.set(piece, parts);
      this.#tell({
        kind: "failed",
        request: order,
        failure: { kind: "doubtful", reason: "wrong digest" },
      });
    } else {
      this.#tell({
        kind: "failed",
        request: order,
        failure: { kind: "corrupt", reason: "wrong digest" },
      });
    }
  }

  failed(order: number, failure: PieceFailure): void {
    const asked = this.#orders.get(order);
    if (!asked) return;
    this.#orders.delete(order);
    this.#tell({ kind: "failed", request: order, failure, kept: this.#keep(asked) });
  }

  #store(order: number, piece: number): void {
    if (this.#stored.has(piece)) this.faults.push(`piece ${piece} was stored twice`);
    this.#stored.add(piece);
    this.usefulBytes += this.#bytesOf(piece);
    for (const { seed, wrong } of this.#suspects.get(piece) ?? []) {
      if (wrong) this.#tell({ kind: "blamed", source: seed, reason: "wrong digest" });
    }
    this.#tell({ kind: "stored", request: order });
    this.#read();
  }

  /** The reader takes the next piece, if it is there. */
  #read(): void {
    const { stream } = this.plan;
    const { nowMs } = this.#timeline;
    if (stream === undefined || this.#isReading || this.how) return;
    if (this.#next >= this.#layout.count) {
      return this.#isFinishing ? this.#end("complete") : undefined;
    }
    if (!this.#stored.has(this.#next)) return void (this.#hungrySinceMs ??= nowMs);
    this.starvedMs += nowMs - (this.#hungrySinceMs ?? nowMs);
    this.#hungrySinceMs = undefined;
    this.#isReading = true;
    const { pause } = stream;
    const pauseMs = pause?.after === this.#next ? pause.ms : 0;
    this.#timeline.at(nowMs + stream.msAPiece + pauseMs, () => {
      this.#isReading = false;
      this.#tell({ kind: "consumed", piece: this.#next++ });
      this.#read();
    });
  }

  /** @returns how much of the piece there is now. */
  #keep(asked: Asked): number {
    const key = this.#keyOf(asked.piece, asked.seed);
    const before = this.#begun.get(key) ?? NOTHING;
    const now = withBytesOf(asked);
    const isMixed = now.parts.some(({ seed }) => seed !== asked.seed);
    if (this.#suspects.has(asked.piece) && isMixed) return before.bytes;
    if (this.#stored.has(asked.piece) || now.bytes <= before.bytes) return before.bytes;
    this.#begun.set(key, now);
    return now.bytes;
  }

  #keyOf(piece: number, seed: string): string {
    return this.#suspects.has(piece) ? `${piece} of ${seed}` : String(piece);
  }

  #tell(event: DownloadEvent): void {
    if (this.how) return;
    this.plan.trace?.(">", event, this.#timeline.nowMs);
    this.#perform(this.#machine.handle(event, this.#timeline.nowMs));
  }

  #perform(commands: readonly DownloadCommand[]): void {
    const second = Math.floor(this.#timeline.nowMs / 1000);
    this.#actionsIn.set(second, (this.#actionsIn.get(second) ?? 0) + commands.length);
    for (const command of commands) this.plan.trace?.("<", command, this.#timeline.nowMs);
    for (const command of commands) this.#performOne(command);
  }

  #performOne(command: DownloadCommand): void {
    switch (command.kind) {
      case "request":
        return this.#ask(command);
      case "cancel":
        return this.#takeBack(command.request);
      case "probe":
        return this.#probe(command.source);
      case "setTimer": {
        const wake = ++this.#wakes;
        return this.#timeline.at(command.atMs, () => {
          if (wake === this.#wakes) this.#tell({ kind: "timer" });
        });
      }
      case "open":
        return this.#open(command.choice);
      case "setAside":
        return this.#discard();
      case "finish":
        if (this.#stored.size !== this.#layout.count - this.#firstPiece) {
          this.faults.push("finished before every piece was stored");
        }
        this.#isFinishing = true;
        if (this.plan.stream && this.#next < this.#layout.count) return;
        return this.#end("complete");
      case "fail":
        return this.#end("give-up");
    }
  }

  #probe(source: string): void {
    const seed = this.#seeds.get(source)!;
    const attempt = this.#attempt;
    this.#timeline.at(this.#timeline.nowMs + seed.answersAfterMs, () => {
      if (attempt !== this.#attempt) return;
      const { partialFrom } = seed.habits;
      if (partialFrom !== undefined) {
        const pieces = Array.from({ length: this.#layout.count }, (_, piece) => piece);
        const has = new Set(pieces.filter((piece) => seed.has(piece)));
        this.#tell({ kind: "sourceHas", source, pieces: has });
      }
      this.#tell({ kind: "answered", source, answer: seed.answer(this.plan.size) });
    });
  }

  /** What was stored is of another content. */
  #discard(): void {
    for (const request of Array.from(this.#orders.keys())) this.#takeBack(request);
    this.#stored.clear();
    this.#begun.clear();
    this.#suspects.clear();
  }

  #open({ content }: Choice): void {
    this.#content = content.id;
    const { count } = this.#layout;
    const missing = Array.from({ length: count }, (_, piece) => piece)
      .filter((piece) => !this.#stored.has(piece) && piece >= this.#firstPiece);
    this.#next = this.#firstPiece;
    const begun = new Map(
      missing.flatMap((piece) => {
        const bytes = this.#begun.get(String(piece))?.bytes ?? 0;
        return bytes > 0 && !this.#suspects.has(piece) ? [[piece, bytes] as const] : [];
      }),
    );
    for (const { habits: { name: source, roundTripMs, connections = 1 } } of this.#seeds.values()) {
      if (roundTripMs === undefined) continue;
      this.#tell({ kind: "measured", source, roundTripMs, connections });
    }
    const { maxInFlight = 32 } = this.plan;
    const windowPieces = this.plan.stream?.windowPieces;
    const window = windowPieces === undefined ? {} : { windowPieces };
    this.#tell({ kind: "opened", layout: this.#layout, missing, begun, maxInFlight, ...window });
  }

  get #firstPiece(): number {
    return Math.min(this.plan.stream?.firstPiece ?? 0, this.#layout.count);
  }

  #ask({ request, piece, source }: DownloadCommand & { kind: "request" }): void {
    this.#check(piece, source);
    for (const other of this.#orders.values()) if (other.piece === piece) this.#keep(other);
    const begun = this.#begun.get(this.#keyOf(piece, source)) ?? NOTHING;
    this.#orders.set(request, { piece, seed: source, begun, received: 0, wrong: false });
    const bytes = this.#bytesOf(piece) - begun.bytes;
    // Nothing is left to fetch of a piece whose read was stopped before it was verified.
    if (bytes === 0) return this.#timeline.at(this.#timeline.nowMs, () => this.done(request));
    this.#seeds.get(source)!.ask({ id: request, bytes, listener: this });
  }

  #takeBack(order: number): void {
    const asked = this.#orders.get(order)!;
    this.#orders.delete(order);
    this.#keep(asked);
    this.#seeds.get(asked.seed)!.takeBack(order, this);
  }

  #cancel(): void {
    if (this.how) return;
    for (const order of Array.from(this.#orders.keys())) this.#takeBack(order);
    this.#end("cancelled");
  }

  #end(how: HowItEnded): void {
    this.how = how;
    this.endedMs = this.#timeline.nowMs;
  }

  /** The rules that hold at every instant. */
  #check(piece: number, seed: string): void {
    const { holds = "content", sizeOnly, roundTripMs = 0 } = this.#seeds.get(seed)!.habits;
    if (!sizeOnly && holds !== this.#content) this.faults.push(`${seed} has another content`);
    if (!this.#seeds.get(seed)!.has(piece)) this.faults.push(`${seed} lacks piece ${piece}`);
    if (this.#stored.has(piece)) {
      this.faults.push(`piece ${piece} was asked for after it was stored`);
    }
    const { windowPieces = Infinity } = this.plan.stream ?? {};
    if (piece < this.#next) this.faults.push(`piece ${piece} was asked for after it was passed on`);
    if (piece >= this.#next + windowPieces) {
      this.faults.push(`piece ${piece} is beyond the window, which begins with ${this.#next}`);
    }
    const same = Array.from(this.#orders.values()).filter((order) => order.piece === piece);
    if (same.some((order) => order.seed === seed)) {
      this.faults.push(`piece ${piece} was asked twice of ${seed}`);
    }
    if (same.length > 1) this.faults.push(`piece ${piece} was asked three times`);
    if (this.#orders.size >= (this.plan.maxInFlight ?? 32)) {
      this.faults.push("too many pieces in flight");
    }
    // The piece that a stream passes on next goes ahead of what else a seed has to send.
    const spare = this.plan.stream && piece === this.#next ? 1 : 0;
    const isLong = roundTripMs >= LONG_ROUND_TRIP_MS;
    if (!isLong && this.#seeds.get(seed)!.inFlightOf(this) >= MAX_WINDOW + spare) {
      this.faults.push(`too many pieces in flight to ${seed}`);
    }
  }

  #bytesOf(piece: number): number {
    return lengthOf(rangeOfPiece(this.#layout, piece));
  }
}

function layoutWith(size: number, pieceSize: number | undefined): PieceLayout {
  if (pieceSize === undefined) return layoutOf(size);
  return { size, pieceSize, count: Math.ceil(size / pieceSize) };
}

function withBytesOf({ begun, seed, received, wrong }: Asked): Beginning {
  if (received === 0) return begun;
  return { bytes: begun.bytes + received, parts: [...begun.parts, { seed, wrong }] };
}
