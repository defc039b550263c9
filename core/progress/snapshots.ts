/**
 * What a process writes about its tasks for other processes, twice a second: plain data, bounded in
 * size, and guards for reading it. The names of all fields and values are on disk and in `--json`
 * output: they do not change.
 */
import * as is from "../base/guards.ts";
import type { SourceChange } from "../events.ts";

/** How far a task has come. */
export type TaskSnapshot = is.Guarded<typeof isTaskSnapshot>;
export const isTaskSnapshot = is.object({
  downloaded: is.number,
  /** Bytes a second. */
  rate: is.number,
  seeds: is.arrayOf(is.string),
});

/** A seed of a running task at one moment. */
export type SeedSnapshot = is.Guarded<typeof isSeedSnapshot>;
const isSeedSnapshot = is.object({
  seed: is.string,
  /** Its last change; `joined` and `back` mean that it sends. */
  standing: is.string as is.Guard<SourceChange>,
  /** Bytes a second. */
  rate: is.number,
  /** Whether it is much slower than the fastest seed while requests to it are pending. */
  slow: is.boolean,
  /** Received from it in this run. */
  bytes: is.number,
  /** Requested pieces that have not arrived. */
  inFlight: is.number,
  /** How often it failed or sent corrupt bytes. */
  failures: is.number,
  /** Why it does not send, or why it failed last; null if it had no problem. */
  reason: is.nullOr(is.string),
  /** When the next attempt is due (ms since 1970); null if none is scheduled. */
  retryAt: is.nullOr(is.number),
});

/** Verified pieces by cell; see `cellsOf`. */
export type PiecesSnapshot = is.Guarded<typeof isPiecesSnapshot>;
const isPiecesSnapshot = is.object({ count: is.number, cells: is.arrayOf(is.number) });

export const MAX_DETAIL_SEEDS = 8;

/** The seeds and pieces of a task that is being worked on. */
export type TaskDetail = is.Guarded<typeof isTaskDetail>;
export const isTaskDetail = is.object({
  /** At most `MAX_DETAIL_SEEDS`, those that sent most first. */
  seeds: is.arrayOf(isSeedSnapshot),
  /** How many seeds there are beyond those. */
  moreSeeds: is.number,
  /** null until the part file is open. */
  pieces: is.nullOr(isPiecesSnapshot),
  /** What blocks the task, such as a full disk; null while nothing does. */
  trouble: is.nullOr(is.string),
});

/** What a task can spend its time on. */
export const SPANS = [
  /** Waiting for its turn. */
  "place",
  /** Paused by the user. */
  "paused",
  /** Waiting for free disk space. */
  "room",
  /** Waiting for the first answers of the seeds. */
  "asking",
  /** Waiting for seeds that are hashing the file. */
  "pending",
  /** Waiting for seeds that answered `BUSY`. */
  "busy",
  /** No seed can be reached. */
  "unreachable",
  /** Checking what is on the local disk. */
  "checking",
  /** Held back by the user's rate limit. */
  "limit",
  /** Waiting for requested bytes. */
  "bytes",
  /** Syncing and renaming after the last byte. */
  "finishing",
] as const;

/** What the time of a task is spent on. */
export type Span = typeof SPANS[number];
export type TimeSpent = Readonly<Partial<Record<Span, number>>>;

/** What a source is to a task. */
export type SeedStatus =
  | "gives"
  | "pending"
  | "busy"
  | "failing"
  | "lacks"
  | "dissents"
  | "dropped";

/** A seed of a task over its whole time. */
export type SeedSummary = is.Guarded<typeof isSeedSummary>;
const isSeedSummary = is.object({
  seed: is.string,
  standing: is.string as is.Guard<SeedStatus>,
  /** Why it does not send; null if it does. */
  reason: is.nullOr(is.string),
  bytes: is.number,
  /** Bytes a second, over the last seconds. */
  rate: is.number,
  failures: is.number,
  /** Pieces with a wrong digest. */
  corrupt: is.number,
});

export const MAX_REPORT_SEEDS = 12;

/** Where the time of one task went, up to `at`. */
export type TimeReport = is.Guarded<typeof isTimeReport>;
export const isTimeReport = is.object({
  /** Milliseconds. */
  spent: (value): value is TimeSpent => Object.values(Object(value)).every(is.number),
  /** What the task is waiting for; null when it has ended. */
  now: is.nullOr(is.oneOf(SPANS)),
  /** Time of the report, ms since 1970. */
  at: is.number,
  /** Local work on pieces in milliseconds, summed over everything that ran in parallel. */
  hashMs: is.number,
  diskMs: is.number,
  /** At most `MAX_REPORT_SEEDS`, those that sent most first. */
  seeds: is.arrayOf(isSeedSummary),
});
