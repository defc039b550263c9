/**
 * What a run writes, and whether what was read from its files is that. The files
 * outlive their program: one of another version, or a damaged disk, may have
 * written them, and one odd line must not hide all tasks.
 */
import { TASK_STATES, type TaskEvent } from "../events.ts";
import {
  type SeedSnapshot,
  SPANS,
  type TaskDetail,
  type TaskSnapshot,
  type TimeReport,
} from "../progress/snapshots.ts";

export interface RunHeader {
  readonly pid: number;
  readonly startedAt: number;
  /** The user's own limits in this run. */
  readonly limits?: RunLimits;
}

export interface RunLimits {
  readonly max: number;
  /** Bytes a second over all tasks, and for each; null: none. */
  readonly limit: number | null;
  readonly taskLimit: number | null;
}

/** Many tasks in one line: the queue may be a hundred thousand names long. */
export interface QueuedLine {
  readonly time: number;
  readonly queued: {
    /** What every target begins with; the name follows. */
    readonly base: string;
    readonly tasks: (readonly [task: string, name: string])[];
  };
}

/** What is written to the file that is replaced as bytes come in. */
export interface RunSnapshot {
  readonly time: number;
  readonly tasks: Readonly<Record<string, TaskSnapshot>>;
  /** Of those at work; of the first of them, where they are many. */
  readonly details?: Readonly<Record<string, TaskDetail>>;
  /** What the time of the tasks that are not over goes to. */
  readonly accounts?: Readonly<Record<string, TimeReport>>;
}

/** What was read of it. Maps, because a damaged file may name a task "__proto__" or "constructor". */
export interface StoredSnapshot {
  readonly time: number;
  readonly tasks: ReadonlyMap<string, TaskSnapshot>;
  readonly details: ReadonlyMap<string, TaskDetail>;
  readonly accounts: ReadonlyMap<string, TimeReport>;
}

type Fields = Readonly<Record<string, unknown>>;

/** Ids become parts of file names, so a record must not make up others. */
const TASK_ID = /^[0-9a-z]{1,64}$/;

export function isTaskId(value: unknown): value is string {
  return isText(value) && TASK_ID.test(value);
}

export function isHeader(line: object): line is RunHeader {
  return isNumber((line as Partial<RunHeader>).pid);
}

export function isQueued(line: object): line is QueuedLine {
  const { base, tasks } = Object((line as Partial<QueuedLine>).queued) as Fields;
  return isText(base) && Array.isArray(tasks) && tasks.every(isPair);
}

function isPair(value: unknown): boolean {
  return Array.isArray(value) && isTaskId(value[0]) && isText(value[1]);
}

/** Of an event, what `p2p status` makes use of. */
export function isTaskEvent(line: object): line is TaskEvent {
  const fields = line as Fields;
  if (!isTaskId(fields["task"]) || !isNumber(fields["time"])) return false;
  switch (fields["kind"]) {
    case "queued":
      return isText(fields["name"]) && isText(fields["target"]);
    case "state":
      return TASK_STATES.some((state) => state === fields["state"]);
    case "target":
      return isText(fields["path"]);
    case "found":
      return isNumber(fields["size"]) && isTextOrNull(fields["id"]) && isTexts(fields["seeds"]);
    case "resumed":
      return isNumber(fields["bytes"]);
    case "done":
      return isResult(Object(fields["result"]));
    case "failed":
      return isText(Object(fields["failure"]).message);
    default:
      return isText(fields["kind"]);
  }
}

/** Whether the event changes a status; only of these are all fields checked. */
export function isStatusEvent({ kind }: TaskEvent): boolean {
  return STATUS_KINDS.has(kind);
}

const STATUS_KINDS: ReadonlySet<TaskEvent["kind"]> = new Set(
  ["queued", "state", "target", "found", "resumed", "done", "failed"] as const,
);

/** `value` without the tasks whose figures are not valid; undefined when it is something else. */
export function storedNowOf(value: unknown): StoredSnapshot | undefined {
  const { time, tasks, details, accounts } = Object(value) as Fields;
  if (!isNumber(time)) return undefined;
  return {
    time,
    tasks: validOf(tasks, isTaskNow),
    details: validOf(details, isDetail),
    accounts: validOf(accounts, isAccount),
  };
}

function validOf<T>(values: unknown, isValid: (value: unknown) => value is T): Map<string, T> {
  const entries = Object.entries(Object(values)) as [string, unknown][];
  return new Map(entries.filter((entry): entry is [string, T] => isValid(entry[1])));
}

function isTaskNow(value: unknown): value is TaskSnapshot {
  const { downloaded, rate, seeds } = Object(value) as Fields;
  return isNumber(downloaded) && isNumber(rate) && isTexts(seeds);
}

function isDetail(value: unknown): value is TaskDetail {
  const { seeds, moreSeeds, pieces, trouble } = Object(value) as Fields;
  const { count, cells } = Object(pieces) as Fields;
  const arePieces = isNumber(count) && Array.isArray(cells) && cells.every(isNumber);
  return Array.isArray(seeds) && seeds.every(isSeedNow) && isNumber(moreSeeds) &&
    (pieces === null || arePieces) && isTextOrNull(trouble);
}

function isSeedNow(value: unknown): value is SeedSnapshot {
  const { seed, standing, rate, slow, bytes, inFlight, failures, reason, retryAt } = Object(
    value,
  ) as Fields;
  return isText(seed) && isText(standing) && [rate, bytes, inFlight, failures].every(isNumber) &&
    typeof slow === "boolean" && isTextOrNull(reason) && (retryAt === null || isNumber(retryAt));
}

/** undefined where they are not told, or are none. */
export function limitsOf(header: RunHeader | undefined): RunLimits | undefined {
  const { max, limit, taskLimit } = Object(header?.limits) as Fields;
  const isLimit = (value: unknown): value is number | null => value === null || isNumber(value);
  if (!isNumber(max) || !isLimit(limit) || !isLimit(taskLimit)) return undefined;
  return { max, limit, taskLimit };
}

export function isAccount(value: unknown): value is TimeReport {
  const { spent, now, at, hashMs, diskMs, seeds } = Object(value) as Fields;
  return [at, hashMs, diskMs, ...Object.values(Object(spent))].every(isNumber) &&
    (now === null || SPANS.some((span) => span === now)) && Array.isArray(seeds) &&
    seeds.every(isSeedAccount);
}

function isSeedAccount(value: unknown): boolean {
  const { seed, standing, reason, ...counts } = Object(value) as Fields;
  const { bytes, rate, failures, corrupt } = counts;
  return isText(seed) && isText(standing) && isTextOrNull(reason) &&
    [bytes, rate, failures, corrupt].every(isNumber);
}

function isResult({ path, size, verified }: Fields): boolean {
  return isText(path) && isNumber(size) && typeof verified === "boolean";
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTextOrNull(value: unknown): boolean {
  return value === null || isText(value);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

/** JSON's 1e999 is Infinity here, and no figure. */
function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}
