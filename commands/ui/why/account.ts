/** What can limit a task, and the figures of its time account in words. */
import {
  type SeedSummary,
  type Span,
  SPANS,
  type TaskCase,
  type TimeReport,
} from "../../../core/mod.ts";
import { formatElapsed, formatRate } from "../units.ts";

/** Where its time goes, or, of the time for bytes, what of this computer they wait for. */
export type Cause = Span | "stopped" | "processor" | "disk" | "nothing";

export interface Diagnosis {
  readonly cause: Cause;
  /** Without the task's name in front. */
  readonly sentence: string;
  /** The next step; undefined where there is nothing to do. */
  readonly advice: string | undefined;
}

export const LABELS: Record<Span, string> = {
  place: "in the queue",
  paused: "paused",
  room: "no room on the disk",
  asking: "asking seeds",
  pending: "seeds hashing",
  busy: "seeds busy",
  unreachable: "no seed reachable",
  checking: "checking this disk",
  limit: "your limit",
  bytes: "receiving",
  finishing: "syncing",
};

export function totalOf({ spent }: TimeReport): number {
  return SPANS.reduce((sum, span) => sum + (spent[span] ?? 0), 0);
}

export function percentText(part: number, all: number): string {
  return `${Math.round(part * 100 / all)}%`;
}

/** So much of its time for each thing, the most first. What rounds to 0 % says nothing. */
export function timesOf(account: TimeReport): string {
  const all = totalOf(account);
  return SPANS.filter((span) => Math.round((account.spent[span] ?? 0) * 100 / all) > 0)
    .toSorted((a, b) => account.spent[b]! - account.spent[a]!)
    .map((span) => {
      const ms = account.spent[span]!;
      return `${LABELS[span]} ${formatElapsed(ms)} (${percentText(ms, all)})`;
    })
    .join(", ");
}

/** Bytes a second of late; of what is over, on average. */
export function rateOf({ bytes, rate }: SeedSummary, { now, spent }: TimeReport): number {
  const ms = (spent.bytes ?? 0) + (spent.limit ?? 0);
  return now === null && ms > 0 ? bytes * 1000 / ms : rate;
}

/** Why the seeds of that standing do not give; "" where nobody knows. */
export function reasonsOf(account: TimeReport | null, standing: SeedSummary["standing"]): string {
  const seeds = (account?.seeds ?? []).filter((seed) => seed.standing === standing);
  return seeds.map(({ seed, reason }) => withSeed(seed, reason)).join("; ");
}

/** A reason mostly names its seed. */
export function withSeed(seed: string, reason: string | null): string {
  if (reason === null) return seed;
  return reason.includes(seed) ? reason : `${seed}: ${reason}`;
}

/** The user's own limits, as they were set. */
export function limitOf({ limits }: TaskCase): string {
  const { limit = null, taskLimit = null } = limits ?? {};
  const names = [
    ...limit === null ? [] : [`--limit ${formatRate(limit)} over all downloads`],
    ...taskLimit === null ? [] : [`--task-limit ${formatRate(taskLimit)} each`],
  ];
  return names.join(" and ") || "on bytes a second";
}

/** The flags of those that were given; of all where nobody knows. */
export function limitFlagsOf({ limits }: TaskCase): string {
  const { limit = null, taskLimit = null } = limits ?? {};
  if (limit !== null && taskLimit === null) return "--limit";
  if (limit === null && taskLimit !== null) return "--task-limit";
  return "--limit or --task-limit";
}
