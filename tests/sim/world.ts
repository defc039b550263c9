/** One download in a simulated world: the real scheduler, made-up seeds, a made-up clock. */
import { layoutOf, rangeOfPiece } from "../../core/base/pieces.ts";
import { lengthOf } from "../../core/base/ranges.ts";
import type { Action, Fact } from "../../core/plan/facts.ts";
import { Scheduler } from "../../core/plan/scheduler.ts";
import { diceOf } from "./dice.ts";
import { type Habits, SimSeed } from "./sim_seed.ts";
import { Timeline } from "./timeline.ts";

export interface WorldPlan {
  readonly size: number;
  readonly seeds: readonly Habits[];
  readonly mostInFlight?: number;
  readonly giveUpMs?: number;
  readonly dice?: number;
}

export interface WorldEnd {
  readonly how: "complete" | "give-up" | "stuck";
  readonly ms: number;
  /** Bytes sent by each seed. */
  readonly sent: Readonly<Record<string, number>>;
  /** Bytes that came beyond the file's own, wrong ones not counted. */
  readonly twice: number;
  /** The most actions in one simulated second. */
  readonly busiestSecond: number;
  /** Broken rules, in words; none is right. */
  readonly faults: readonly string[];
}

/** Longer than any world may take. */
const LONGEST_MS = 24 * 3600 * 1000;

export function runWorld(plan: WorldPlan): WorldEnd {
  return new World(plan).run();
}

class World {
  readonly #plan: WorldPlan;
  readonly #timeline = new Timeline();
  readonly #random: () => number;
  readonly #layout;
  readonly #seeds: Map<string, SimSeed>;
  readonly #scheduler: Scheduler;
  readonly #orders = new Map<number, { seed: string; piece: number }>();
  readonly #stored = new Set<number>();
  readonly #faults: string[] = [];
  readonly #actionsIn = new Map<number, number>();
  #wakes = 0;
  #wrong = 0;
  #how: "complete" | "give-up" | undefined;

  constructor(plan: WorldPlan) {
    this.#plan = plan;
    this.#random = diceOf(plan.dice ?? 1);
    this.#layout = layoutOf(plan.size);
    this.#seeds = new Map(plan.seeds.map((habits) => [habits.name, this.#seed(habits)]));
    this.#scheduler = new Scheduler({
      layout: this.#layout,
      missing: Array.from({ length: this.#layout.count }, (_, piece) => piece),
      seeds: plan.seeds.map(({ name, late }) => ({ name, holds: !late })),
      mostInFlight: plan.mostInFlight ?? 32,
      giveUpMs: plan.giveUpMs ?? 120_000,
      random: this.#random,
    }, 0);
  }

  run(): WorldEnd {
    this.#perform(this.#scheduler.start(0));
    while (!this.#how && this.#timeline.step(LONGEST_MS));
    const sent = Object.fromEntries(
      Array.from(this.#seeds.values(), ({ habits, sent }) => [habits.name, sent]),
    );
    const all = Object.values(sent).reduce((sum, bytes) => sum + bytes, 0);
    if (this.#how === "complete" && this.#stored.size !== this.#layout.count) {
      this.#faults.push("complete before every piece was stored");
    }
    return {
      how: this.#how ?? "stuck",
      ms: this.#timeline.nowMs,
      sent,
      twice: this.#how === "complete" ? all - this.#wrong - this.#plan.size : 0,
      busiestSecond: Math.max(...this.#actionsIn.values()),
      faults: this.#faults,
    };
  }

  #seed(habits: Habits): SimSeed {
    return new SimSeed(habits, this.#timeline, this.#random, {
      received: (order, bytes) => this.#tell({ kind: "received", order, bytes }),
      done: (order) => this.#done(order),
      failed: (order, failure) => {
        const piece = this.#orders.get(order)?.piece;
        if (failure.kind === "corrupt" && piece !== undefined) this.#wrong += this.#bytesOf(piece);
        if (this.#orders.delete(order)) this.#tell({ kind: "failed", order, failure });
      },
    });
  }

  #done(order: number): void {
    const asked = this.#orders.get(order);
    if (!asked) return;
    this.#orders.delete(order);
    if (this.#stored.has(asked.piece)) this.#faults.push(`piece ${asked.piece} was stored twice`);
    this.#stored.add(asked.piece);
    this.#tell({ kind: "stored", order });
  }

  #tell(fact: Fact): void {
    this.#perform(this.#scheduler.handle(fact, this.#timeline.nowMs));
  }

  #perform(actions: readonly Action[]): void {
    const second = Math.floor(this.#timeline.nowMs / 1000);
    this.#actionsIn.set(second, (this.#actionsIn.get(second) ?? 0) + actions.length);
    for (const action of actions) this.#performOne(action);
  }

  #performOne(action: Action): void {
    switch (action.kind) {
      case "ask":
        this.#check(action);
        this.#orders.set(action.order, action);
        return this.#seeds.get(action.seed)!.ask({
          id: action.order,
          bytes: this.#bytesOf(action.piece),
        });
      case "take-back": {
        const asked = this.#orders.get(action.order)!;
        this.#orders.delete(action.order);
        return this.#seeds.get(asked.seed)!.takeBack(action.order);
      }
      case "inquire":
        return this.#timeline.at(this.#timeline.nowMs + 2, () => this.#answer(action.seed));
      case "wake": {
        const wake = ++this.#wakes;
        return this.#timeline.at(action.atMs, () => {
          if (wake === this.#wakes) this.#tell({ kind: "woken" });
        });
      }
      case "complete":
      case "give-up":
        this.#how = action.kind;
    }
  }

  #answer(seed: string): void {
    if (!this.#seeds.get(seed)!.isAway()) return this.#tell({ kind: "holds", seed });
    this.#tell({ kind: "inquired", seed, failure: { kind: "lost", reason: "connection refused" } });
  }

  /** The rules that hold at every instant. */
  #check({ piece, seed }: Action & { kind: "ask" }): void {
    if (this.#stored.has(piece)) {
      this.#faults.push(`piece ${piece} was asked for after it was stored`);
    }
    const same = Array.from(this.#orders.values()).filter((order) => order.piece === piece);
    if (same.some((order) => order.seed === seed)) {
      this.#faults.push(`piece ${piece} was asked twice of ${seed}`);
    }
    if (same.length > 1) this.#faults.push(`piece ${piece} was asked three times`);
    if (this.#orders.size >= (this.#plan.mostInFlight ?? 32)) {
      this.#faults.push("too many pieces in flight");
    }
    if (this.#seeds.get(seed)!.inFlight >= 16) {
      this.#faults.push(`too many pieces in flight to ${seed}`);
    }
  }

  #bytesOf(piece: number): number {
    return lengthOf(rangeOfPiece(this.#layout, piece));
  }
}
