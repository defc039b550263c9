/**
 * What a process writes about its tasks for other processes, twice a second: plain data, bounded in
 * size. The names of all fields and values are on disk and in `--json` output: they do not change.
 */
import type { SeedChange } from "../events.ts";

/** How far a task has come. */
export interface TaskSnapshot {
  readonly downloaded: number;
  /** Bytes a second. */
  readonly rate: number;
  readonly seeds: readonly string[];
}

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

export interface SeedSnapshot {
  readonly seed: string;
  /** Its last change; `joined` and `back` mean that it sends. */
  readonly standing: SeedChange;
  /** Bytes a second. */
  readonly rate: number;
  /** Whether it is much slower than the fastest seed while requests to it are pending. */
  readonly slow: boolean;
  /** Received from it in this run. */
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

/** Verified pieces by cell; see `cellsOf`. */
export interface PiecesSnapshot {
  readonly count: number;
  readonly cells: readonly number[];
}

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

export type Span = typeof SPANS[number];
export type TimeSpent = Readonly<Partial<Record<Span, number>>>;

/** Where the time of one task went, up to `at`. */
export interface TimeReport {
  /** Milliseconds. */
  readonly spent: TimeSpent;
  /** What the task is waiting for; null when it has ended. */
  readonly now: Span | null;
  /** Time of the report, ms since 1970. */
  readonly at: number;
  /** Local work on pieces in milliseconds, summed over everything that ran in parallel. */
  readonly hashMs: number;
  readonly diskMs: number;
  /** At most `MAX_REPORT_SEEDS`, those that sent most first. */
  readonly seeds: readonly SeedSummary[];
}

/** What a source is to a task. */
export type SourceStatus =
  | "gives"
  | "pending"
  | "busy"
  | "failing"
  | "lacks"
  | "dissents"
  | "dropped";

export interface SeedSummary {
  readonly seed: string;
  readonly standing: SourceStatus;
  /** Why it does not send; null if it does. */
  readonly reason: string | null;
  readonly bytes: number;
  /** Bytes a second, over the last seconds. */
  readonly rate: number;
  readonly failures: number;
  /** Pieces with a wrong digest. */
  readonly corrupt: number;
}

export const MAX_DETAIL_SEEDS = 8;
export const MAX_REPORT_SEEDS = 12;
