/** The figures of a task's time account in words. */
import {
  type SeedSummary,
  type Span,
  SPANS,
  type TaskCase,
  type TimeReport,
} from "../../../core/mod.ts";
import { formatElapsed, formatRate } from "../units.ts";

export const LABELS: Record<Span, string> = {
  place: "in the queue",
  paused: "paused",
  room: "waiting for disk space",
  asking: "asking seeds",
  pending: "waiting for seeds to hash",
  busy: "waiting for busy seeds",
  unreachable: "without a reachable seed",
  checking: "checking this disk",
  limit: "your limit",
  bytes: "receiving",
  finishing: "syncing",
};

/** From here, a slow network and a slow seed look alike. */
export const WHICH = "(p2p cannot tell which)";

export function totalOf({ spent }: TimeReport): number {
  return SPANS.reduce((sum, span) => sum + (spent[span] ?? 0), 0);
}

export function percentText(part: number, all: number): string {
  return `${Math.round(part * 100 / all)}%`;
}

/** The time for each thing, the longest first; what rounds to 0 % is left out. */
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

/** Current bytes a second; for a finished task the average. */
export function rateOf({ bytes, rate }: SeedSummary, { now, spent }: TimeReport): number {
  const ms = (spent.bytes ?? 0) + (spent.limit ?? 0);
  return now === null && ms > 0 ? bytes * 1000 / ms : rate;
}

/** Why the seeds with that standing do not send; "" if unknown. */
export function reasonsOf(account: TimeReport | null, standing: SeedSummary["standing"]): string {
  const seeds = (account?.seeds ?? []).filter((seed) => seed.standing === standing);
  return seeds.map(({ seed, reason }) => withSeed(seed, reason)).join("; ");
}

/** Most reasons name their seed. */
export function withSeed(seed: string, reason: string | null): string {
  if (reason === null) return seed;
  return reason.includes(seed) ? reason : `${seed}: ${reason}`;
}

/** The user's own limits, as they were set. */
export function limitOf({ limits }: TaskCase): string {
  const { limit = null, taskLimit = null } = limits ?? {};
  const texts = [
    ...limit === null ? [] : [`--limit ${formatRate(limit)} over all downloads`],
    ...taskLimit === null ? [] : [`--task-limit ${formatRate(taskLimit)} each`],
  ];
  return texts.join(" and ") || "your limit";
}

/** The flags of the limits that were set; both if unknown. */
export function limitFlagsOf({ limits }: TaskCase): string {
  const { limit = null, taskLimit = null } = limits ?? {};
  if (limit !== null && taskLimit === null) return "--limit";
  if (limit === null && taskLimit !== null) return "--task-limit";
  return "--limit or --task-limit";
}
