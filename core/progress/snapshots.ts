/**
 * What a process writes about its tasks for other processes, twice a second: plain data, bounded in
 * size, and guards for reading it. The names of all fields and values are on disk and in `--json`
 * output: they do not change.
 */
import * as is from "../base/guards.ts";
import type { LineFigures, SourceChange } from "../events.ts";

/** How far a task has come. */
export interface TaskSnapshot {
  /** Verified bytes, including those of earlier runs. */
  readonly downloaded: number;
  /** Bytes a second. */
  readonly rate: number;
  /** The seeds that take part. */
  readonly seeds: readonly string[];
}

export const isTaskSnapshot: is.Guard<TaskSnapshot> = is.object({
  downloaded: is.number,
  rate: is.number,
  seeds: is.arrayOf(is.string),
});

/** A seed of a running task at one moment. */
export interface SeedSnapshot {
  /** Its address. */
  readonly seed: string;
  /** Its last change; `joined` and `back` mean that it sends. */
  readonly standing: SourceChange;
  /** Bytes a second. */
  readonly rate: number;
  /** Whether it is much slower than the fastest seed while requests to it are pending. */
  readonly slow: boolean;
  /** Bytes received from it in this run. */
  readonly bytes: number;
  /** Requested pieces that have not arrived. */
  readonly inFlight: number;
  /** How often it failed or sent corrupt bytes. */
  readonly failures: number;
  /** Why it does not send, or why it failed last; null if it had no problem. */
  readonly reason: string | null;
  /** When the next attempt is due (ms since 1970); null if none is scheduled. */
  readonly retryAt: number | null;
}

const isSeedSnapshot: is.Guard<SeedSnapshot> = is.object({
  seed: is.string,
  standing: is.string as is.Guard<SourceChange>,
  rate: is.number,
  slow: is.boolean,
  bytes: is.number,
  inFlight: is.number,
  failures: is.number,
  reason: is.nullOr(is.string),
  retryAt: is.nullOr(is.number),
});

/** Verified pieces by cell: the pieces of a file in at most 64 groups, for a picture of it. */
export interface PiecesSnapshot {
  /** Pieces of the file. */
  readonly count: number;
  /** Verified pieces of each cell; `sizeOfCell` is the number of pieces that it has. */
  readonly cells: readonly number[];
}

const isPiecesSnapshot: is.Guard<PiecesSnapshot> = is.object({
  count: is.number,
  cells: is.arrayOf(is.number),
});

export const MAX_DETAIL_SEEDS = 8;

/** The seeds and pieces of a task that is being worked on. */
export interface TaskDetail {
  /** At most `MAX_DETAIL_SEEDS`, those that sent most first. */
  readonly seeds: readonly SeedSnapshot[];
  /** How many seeds there are beyond those. */
  readonly moreSeeds: number;
  /** null until the part file is open. */
  readonly pieces: PiecesSnapshot | null;
  /** What blocks the task, such as a full disk; null while nothing does. */
  readonly trouble: string | null;
}

export const isTaskDetail: is.Guard<TaskDetail> = is.object({
  seeds: is.arrayOf(isSeedSnapshot),
  moreSeeds: is.number,
  pieces: is.nullOr(isPiecesSnapshot),
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
/** Milliseconds by what they were spent on. */
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
export interface SeedSummary {
  /** Its address. */
  readonly seed: string;
  /** What it is to the task now, or was at the end. */
  readonly standing: SeedStatus;
  /** Why it does not send; null if it does. */
  readonly reason: string | null;
  /** Bytes received from it in this run. */
  readonly bytes: number;
  /** Bytes a second, over the last seconds. */
  readonly rate: number;
  /** How often it failed, without corrupt pieces. */
  readonly failures: number;
  /** Pieces with a wrong digest. */
  readonly corrupt: number;
  /** The network path to it, as measured last; absent until it was measured. */
  readonly line?: LineFigures;
}

const isLineFigures: is.Guard<LineFigures> = is.object({
  roundTripMs: is.nullOr(is.number),
  connections: is.number,
  windowBytes: is.number,
  goodput: is.number,
  memoryBound: is.boolean,
});

function isSeedSummary(value: unknown): value is SeedSummary {
  return isSummaryBase(value) && (!("line" in value) || isLineFigures(value.line));
}

const isSummaryBase: is.Guard<Omit<SeedSummary, "line">> = is.object({
  seed: is.string,
  standing: is.string as is.Guard<SeedStatus>,
  reason: is.nullOr(is.string),
  bytes: is.number,
  rate: is.number,
  failures: is.number,
  corrupt: is.number,
});

export const MAX_REPORT_SEEDS = 12;

/** Where the time of one task went, up to `at`. */
export interface TimeReport {
  /** Where the time went; what took none is absent. */
  readonly spent: TimeSpent;
  /** What the task is waiting for; null when it has ended. */
  readonly now: Span | null;
  /** Time of the report, ms since 1970. */
  readonly at: number;
  /** Hashing of pieces in milliseconds, summed over everything that ran in parallel. */
  readonly hashMs: number;
  /** Writing of pieces in milliseconds, summed likewise. */
  readonly diskMs: number;
  /** At most `MAX_REPORT_SEEDS`, those that sent most first. */
  readonly seeds: readonly SeedSummary[];
}

export const isTimeReport: is.Guard<TimeReport> = is.object({
  spent: (value): value is TimeSpent => Object.values(Object(value)).every(is.number),
  now: is.nullOr(is.oneOf(SPANS)),
  at: is.number,
  hashMs: is.number,
  diskMs: is.number,
  seeds: is.arrayOf(isSeedSummary),
});
