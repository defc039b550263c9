/** The events of `get --json`, read as strictly as `commands/README.md` specifies them. */
import { assert, assertEquals } from "@std/assert";
import type { Ended, RunningProcess } from "./harness.ts";

export interface TaskLine {
  readonly event: "task";
  readonly task: string;
  readonly name: string;
  readonly size: number;
  readonly id: string | null;
  readonly verified: boolean;
  readonly seeds: readonly string[];
}

export interface ProgressLine {
  readonly event: "progress";
  readonly task: string;
  readonly name: string;
  readonly state: string;
  readonly downloaded: number;
}

export interface SeedLine {
  readonly event: "seed";
  readonly task: string;
  readonly seed: string;
  readonly what: string;
}

export interface DoneLine {
  readonly event: "done";
  readonly task: string;
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly sha256: string | null;
  readonly id: string | null;
  readonly verified: boolean;
  readonly elapsedMs: number;
  readonly bytesBySeed: Readonly<Record<string, number>>;
}

export interface FailedLine {
  readonly event: "failed";
  readonly task: string;
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly exit: number;
}

export interface SummaryLine {
  readonly event: "summary";
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly bytes: number;
  readonly elapsedMs: number;
  readonly tasks: readonly SummaryTask[];
}

export interface SummaryTask {
  readonly task: string;
  readonly name: string;
  readonly state: string;
  readonly path: string | null;
  readonly size: number | null;
  readonly sha256: string | null;
  readonly verified: boolean;
  readonly error: string | null;
}

export type Line = TaskLine | ProgressLine | SeedLine | DoneLine | FailedLine | SummaryLine;

type Check = (value: unknown) => boolean;

const STATES = [
  "waiting",
  "finding",
  "downloading",
  "verifying",
  "paused",
  "done",
  "failed",
  "cancelled",
];

const isText: Check = (value) => typeof value === "string" && value !== "";
const isFlag: Check = (value) => typeof value === "boolean";
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isNumber: Check = (value) => typeof value === "number" && value >= 0;
const isDigest: Check = (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const isState: Check = (value) => STATES.includes(value as string);
const isTime: Check = (value) =>
  typeof value === "string" && new Date(value).toISOString() === value;
const isSeed: Check = (value) => typeof value === "string" && /^(tls:\/\/)?.+:\d+$/.test(value);
const isSeeds: Check = (value) => Array.isArray(value) && value.every(isSeed);
const isBytesBySeed: Check = (value) =>
  typeof value === "object" && value !== null &&
  Object.entries(value).every(([seed, bytes]) => isSeed(seed) && isCount(bytes));
const orNull = (check: Check): Check => (value) => value === null || check(value);

const SUMMARY_TASK: Record<string, Check> = {
  task: isText,
  name: isText,
  state: isState,
  path: orNull(isText),
  size: orNull(isCount),
  sha256: orNull(isDigest),
  verified: isFlag,
  error: orNull(isText),
};

/** The fields that each event must have. */
const FIELDS: Record<Line["event"], Record<string, Check>> = {
  task: {
    task: isText,
    name: isText,
    size: isCount,
    id: orNull(isDigest),
    verified: isFlag,
    seeds: isSeeds,
  },
  progress: { task: isText, name: isText, state: isState, downloaded: isCount, rate: isNumber },
  seed: { task: isText, seed: isSeed, what: isText },
  done: {
    task: isText,
    name: isText,
    path: isText,
    size: isCount,
    sha256: orNull(isDigest),
    id: orNull(isDigest),
    verified: isFlag,
    elapsedMs: isNumber,
    bytesBySeed: isBytesBySeed,
  },
  failed: { task: isText, name: isText, code: isText, message: isText, exit: isCount },
  summary: {
    done: isCount,
    failed: isCount,
    cancelled: isCount,
    bytes: isCount,
    elapsedMs: isNumber,
    tasks: (value) => Array.isArray(value) && value.every((task) => fits(task, SUMMARY_TASK)),
  },
};

/** All events of a run that has ended: nothing else is on stdout, and the last one is the summary. */
export function eventsOf({ stdout, stderr }: Ended): Line[] {
  assert(stdout.endsWith("\n"), `stdout must end with a line end: ${stdout}\n${stderr}`);
  const lines = stdout.slice(0, -1).split("\n").map(parseEvent);
  const summaries = lines.flatMap(({ event }, i) => event === "summary" ? [i] : []);
  assertEquals(summaries, [lines.length - 1], "the summary comes once, and last");
  return lines;
}

export function parseEvent(line: string): Line {
  const value = JSON.parse(line) as Line & { time: unknown };
  const fields = FIELDS[value.event];
  assert(fields, `unknown event: ${line}`);
  assert(isTime(value.time), `no ISO 8601 time: ${line}`);
  assert(fits(value, fields), `a field is missing or of a wrong type: ${line}`);
  return value;
}

function fits(value: unknown, fields: Record<string, Check>): boolean {
  if (typeof value !== "object" || value === null) return false;
  const object = value as Record<string, unknown>;
  return Object.entries(fields).every(([name, check]) => check(object[name]));
}

/** The events of one kind, of a run that has ended. */
export function eventsOfKind<K extends Line["event"]>(
  ended: Ended,
  kind: K,
): Extract<Line, { event: K }>[] {
  return eventsOf(ended).filter((line) => line.event === kind) as Extract<Line, { event: K }>[];
}

/** The only `done` of a run that has ended. */
export function doneOf(ended: Ended): DoneLine {
  const all = eventsOfKind(ended, "done");
  assertEquals(all.length, 1, `one done event; stdout:\n${ended.stdout}\n${ended.stderr}`);
  return all[0]!;
}

/** The only `failed` of a run that has ended. */
export function failedOf(ended: Ended): FailedLine {
  const all = eventsOfKind(ended, "failed");
  assertEquals(all.length, 1, `one failed event; stdout:\n${ended.stdout}\n${ended.stderr}`);
  return all[0]!;
}

export function summaryOf(ended: Ended): SummaryLine {
  return eventsOfKind(ended, "summary")[0]!;
}

/** Waits until a running `get --json` has stored at least so many bytes of a file. */
export async function downloaded(
  running: RunningProcess,
  bytes: number,
  name?: string,
): Promise<void> {
  await running.stdout.find((line) => {
    const event = parseEvent(line);
    return event.event === "progress" && event.downloaded >= bytes &&
      (name === undefined || event.name === name);
  }, `${bytes} downloaded bytes`);
}
