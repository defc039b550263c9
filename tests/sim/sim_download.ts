/** One download of a simulated world: the real scheduler, and the rules that it must keep. */
import { layoutOf, type PieceLayout, rangeOfPiece } from "../../core/base/pieces.ts";
import { lengthOf } from "../../core/base/ranges.ts";
import type { Failure, TransferCommand, TransferEvent } from "../../core/plan/transfer_messages.ts";
import { Scheduler } from "../../core/plan/scheduler.ts";
import type { Listener, SimSeed } from "./sim_seed.ts";
import type { Timeline } from "./timeline.ts";

export interface DownloadPlan {
  readonly size: number;
  readonly startMs?: number;
  /** It is cancelled then, if it is not through. */
  readonly cancelMs?: number;
  readonly maxInFlight?: number;
  readonly giveUpMs?: number;
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

/** What one seed may have in flight for one download: `WIDEST_WINDOW` of the scheduler. */
const WIDEST_WINDOW = 16;

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
  readonly #scheduler: Scheduler;
  readonly #orders = new Map<number, Asked>();
  /** Beginnings of unfinished pieces; of a suspect piece one for each seed. */
  readonly #begun = new Map<string, Beginning>();
  /** Pieces that were wrong and of several seeds: fetched whole from one, then the liars are blamed. */
  readonly #suspects = new Map<number, Beginning["parts"]>();
  readonly #stored = new Set<number>();
  readonly #actionsIn = new Map<number, number>();
  #wakes = 0;

  constructor(
    plan: DownloadPlan,
    seeds: ReadonlyMap<string, SimSeed>,
    timeline: Timeline,
    random: () => number,
  ) {
    this.plan = plan;
    this.#timeline = timeline;
    this.#seeds = seeds;
    this.#layout = layoutOf(plan.size);
    this.#scheduler = new Scheduler({
      layout: this.#layout,
      missing: Array.from({ length: this.#layout.count }, (_, piece) => piece),
      seeds: Array.from(seeds, ([name, { habits }]) => ({ name, holds: !habits.late })),
      maxInFlight: plan.maxInFlight ?? 32,
      connections: 4,
      giveUpMs: plan.giveUpMs ?? 120_000,
      minBytesPerSecond: 128,
      random,
    }, plan.startMs ?? 0);
    timeline.at(plan.startMs ?? 0, () => this.#perform(this.#scheduler.start(timeline.nowMs)));
    if (plan.cancelMs !== undefined) timeline.at(plan.cancelMs, () => this.#cancel());
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
    this.#tell({ kind: "received", order, bytes });
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
      this.#tell({ kind: "failed", order, failure: { kind: "doubtful", reason: "wrong digest" } });
    } else {
      this.#tell({ kind: "failed", order, failure: { kind: "corrupt", reason: "wrong digest" } });
    }
  }

  failed(order: number, failure: Failure): void {
    const asked = this.#orders.get(order);
    if (!asked) return;
    this.#orders.delete(order);
    this.#tell({ kind: "failed", order, failure, kept: this.#keep(asked) });
  }

  #store(order: number, piece: number): void {
    if (this.#stored.has(piece)) this.faults.push(`piece ${piece} was stored twice`);
    this.#stored.add(piece);
    this.usefulBytes += this.#bytesOf(piece);
    for (const { seed, wrong } of this.#suspects.get(piece) ?? []) {
      if (wrong) this.#tell({ kind: "blamed", seed, reason: "wrong digest" });
    }
    this.#tell({ kind: "stored", order });
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

  #tell(fact: TransferEvent): void {
    if (!this.how) this.#perform(this.#scheduler.handle(fact, this.#timeline.nowMs));
  }

  #perform(actions: readonly TransferCommand[]): void {
    const second = Math.floor(this.#timeline.nowMs / 1000);
    this.#actionsIn.set(second, (this.#actionsIn.get(second) ?? 0) + actions.length);
    for (const action of actions) this.#performOne(action);
  }

  #performOne(action: TransferCommand): void {
    switch (action.kind) {
      case "request":
        return this.#ask(action);
      case "cancel":
        return this.#takeBack(action.order);
      case "probe":
        return this.#timeline.at(this.#timeline.nowMs + 2, () => this.#answer(action.seed));
      case "set-timer": {
        const wake = ++this.#wakes;
        return this.#timeline.at(action.atMs, () => {
          if (wake === this.#wakes) this.#tell({ kind: "timer" });
        });
      }
      case "complete":
        if (this.#stored.size !== this.#layout.count) {
          this.faults.push("complete before every piece was stored");
        }
        return this.#end("complete");
      case "give-up":
        return this.#end("give-up");
    }
  }

  #ask(action: TransferCommand & { kind: "request" }): void {
    this.#check(action);
    const { order, piece, seed } = action;
    for (const other of this.#orders.values()) if (other.piece === piece) this.#keep(other);
    const begun = this.#begun.get(this.#keyOf(piece, seed)) ?? NOTHING;
    this.#orders.set(order, { piece, seed, begun, received: 0, wrong: false });
    const bytes = this.#bytesOf(piece) - begun.bytes;
    // Nothing is left to fetch of a piece whose fetching was stopped before it was checked.
    if (bytes === 0) return this.#timeline.at(this.#timeline.nowMs, () => this.done(order));
    this.#seeds.get(seed)!.ask({ id: order, bytes, listener: this });
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

  #answer(seed: string): void {
    if (!this.#seeds.get(seed)!.isAway()) return this.#tell({ kind: "holds", seed });
    this.#tell({
      kind: "probe-failed",
      seed,
      failure: { kind: "lost", reason: "connection refused" },
    });
  }

  /** The rules that hold at every instant. */
  #check({ piece, seed }: TransferCommand & { kind: "request" }): void {
    if (this.#stored.has(piece)) {
      this.faults.push(`piece ${piece} was asked for after it was stored`);
    }
    const same = Array.from(this.#orders.values()).filter((order) => order.piece === piece);
    if (same.some((order) => order.seed === seed)) {
      this.faults.push(`piece ${piece} was asked twice of ${seed}`);
    }
    if (same.length > 1) this.faults.push(`piece ${piece} was asked three times`);
    if (this.#orders.size >= (this.plan.maxInFlight ?? 32)) {
      this.faults.push("too many pieces in flight");
    }
    if (this.#seeds.get(seed)!.inFlightOf(this) >= WIDEST_WINDOW) {
      this.faults.push(`too many pieces in flight to ${seed}`);
    }
  }

  #bytesOf(piece: number): number {
    return lengthOf(rangeOfPiece(this.#layout, piece));
  }
}

function withBytesOf({ begun, seed, received, wrong }: Asked): Beginning {
  if (received === 0) return begun;
  return { bytes: begun.bytes + received, parts: [...begun.parts, { seed, wrong }] };
}
