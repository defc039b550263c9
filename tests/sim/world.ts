/** A simulated world: real state machines, simulated seeds, a simulated clock. */
import { diceOf } from "./dice.ts";
import { type DownloadPlan, type HowItEnded, SimDownload } from "./sim_download.ts";
import { type Habits, SimSeed } from "./sim_seed.ts";
import { Timeline } from "./timeline.ts";

export interface WorldPlan {
  readonly downloads: readonly DownloadPlan[];
  readonly seeds: readonly Habits[];
  readonly dice?: number;
  /** The computer that downloads is suspended then. */
  readonly suspended?: { readonly fromMs: number; readonly ms: number };
}

export interface DownloadEnd {
  readonly how: HowItEnded | "stuck";
  /** From its start to its end. */
  readonly ms: number;
  /** Bytes that came beyond the file's own, wrong ones not counted. */
  readonly twice: number;
  /** The most actions in one simulated second. */
  readonly busiestSecond: number;
  /** Broken rules, in words; none is right. */
  readonly faults: readonly string[];
}

export interface WorldEnd {
  readonly downloads: readonly DownloadEnd[];
  /** Bytes sent by each seed. */
  readonly sent: Readonly<Record<string, number>>;
}

/** Longer than any world may take. */
const MAX_WORLD_MS = 24 * 3600 * 1000;

export function runWorld(plan: WorldPlan): WorldEnd {
  const timeline = new Timeline();
  const random = diceOf(plan.dice ?? 1);
  if (plan.suspended) timeline.suspend(plan.suspended.fromMs, plan.suspended.ms);
  const seeds = new Map(
    plan.seeds.map((habits) => [habits.name, new SimSeed(habits, timeline, random)]),
  );
  const downloads = plan.downloads.map((download) =>
    new SimDownload(download, seeds, timeline, random)
  );
  while (downloads.some(({ how }) => !how) && timeline.step(MAX_WORLD_MS));
  return {
    downloads: downloads.map(endOf),
    sent: Object.fromEntries(Array.from(seeds, ([name, { sent }]) => [name, sent])),
  };
}

function endOf(download: SimDownload): DownloadEnd {
  const { how, plan, endedMs, receivedBytes, usefulBytes, busiestSecond, faults } = download;
  return {
    how: how ?? "stuck",
    ms: endedMs - (plan.startMs ?? 0),
    twice: how === "complete" ? receivedBytes - usefulBytes : 0,
    busiestSecond,
    faults,
  };
}
