/**
 * What deciding costs: whole downloads in which seeds answer at once, so that nothing but the
 * scheduler takes time. Where ten times the pieces take more than ten times as long, it grows.
 */
import { layoutOf } from "../../core/base/pieces.ts";
import type { TransferCommand, TransferEvent } from "../../core/plan/transfer_messages.ts";
import { Scheduler } from "../../core/plan/scheduler.ts";

const MIB = 1024 * 1024;
/** What one of three downloads at a time may have. */
const MAX_IN_FLIGHT = 21;
/** A piece comes in parts, each told. */
const PARTS = 2;

const downloads = [
  { pieces: 1000, seeds: 1 },
  { pieces: 1000, seeds: 4 },
  { pieces: 1000, seeds: 32 },
  { pieces: 10_000, seeds: 4 },
];
for (const { pieces, seeds } of downloads) {
  const name = `schedule ${pieces} pieces from ${seeds} seeds`;
  Deno.bench(name, { group: "schedule", baseline: seeds === 1 }, () => download(pieces, seeds));
}

/** @throws {Error} if it does not end: then nothing was measured. */
function download(pieces: number, seeds: number): void {
  const names = Array.from({ length: seeds }, (_, i) => `seed-${i}`);
  let nowMs = 0;
  const scheduler = new Scheduler({
    layout: layoutOf(pieces * MIB),
    missing: Array.from({ length: pieces }, (_, i) => i),
    seeds: names.map((name) => ({ name, holds: true })),
    maxInFlight: MAX_IN_FLIGHT,
    connections: 4,
    minBytesPerSecond: 128,
    giveUpMs: 120_000,
    random: () => 0.5,
  }, nowMs);
  const orders: number[] = [];
  const obey = (actions: readonly TransferCommand[]) => {
    for (const action of actions) {
      if (action.kind === "request") orders.push(action.order);
      if (action.kind === "complete") return true;
    }
    return false;
  };
  const tell = (fact: TransferEvent) => obey(scheduler.handle(fact, nowMs));
  let complete = obey(scheduler.start(nowMs));
  for (let next = 0; !complete; next++, nowMs++) {
    const order = orders[next];
    if (order === undefined) throw new Error("The scheduler asks for nothing more");
    for (let i = 0; i < PARTS; i++) tell({ kind: "received", order, bytes: MIB / PARTS });
    complete = tell({ kind: "stored", order });
  }
}
