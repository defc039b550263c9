/**
 * The content of a run's files, and guards for what was read from them: another version or a damaged
 * disk may have written it, and one invalid line must not hide all tasks.
 */
import { TASK_STATES, type TaskEvent } from "../events.ts";
import {
  SPANS,
  type TaskDetail,
  type TaskSnapshot,
  type TimeReport,
} from "../progress/snapshots.ts";

export interface RunHeader {
  readonly pid: number;
  readonly startedAt: number;
  readonly limits?: RunLimits;
}

/** The user's own limits in a run. */
export interface RunLimits {
  readonly max: number;
  /** Bytes a second over all tasks, and for each; null: none. */
  readonly limit: number | null;
  readonly taskLimit: number | null;
}

/** Many tasks in one line, because the queue may have a hundred thousand. */
export interface QueuedLine {
  readonly time: number;
  readonly queued: {
    /** The beginning of every target; the name follows. */
    readonly base: string;
    readonly tasks: (readonly [task: string, name: string])[];
  };
}

/** The file that is replaced while bytes arrive. */
export interface RunSnapshot {
  readonly time: number;
  readonly tasks: Readonly<Record<string, TaskSnapshot>>;
  /** Of the first tasks at work. */
  readonly details?: Readonly<Record<string, TaskDetail>>;
  /** Of tasks that have not ended. */
  readonly accounts?: Readonly<Record<string, TimeReport>>;
}

/** A snapshot as it was read. Maps, because a damaged file may name a task "__proto__". */
export interface StoredSnapshot {
  readonly time: number;
  readonly tasks: ReadonlyMap<string, TaskSnapshot>;
  readonly details: ReadonlyMap<string, TaskDetail>;
  readonly accounts: ReadonlyMap<string, TimeReport>;
}

type Guard = (value: unknown) => boolean;

const isText = (value: unknown): value is string => typeof value === "string";
/** Not `1e999`, which JSON.parse turns into Infinity. */
const isNumber = (value: unknown): value is number => Number.isFinite(value);
const isFlag: Guard = (value) => typeof value === "boolean";
const isTextOrNull: Guard = (value) => value === null || isText(value);
const isNumberOrNull: Guard = (value) => value === null || isNumber(value);
const isArrayOf = (isElement: Guard): Guard => (value) =>
  Array.isArray(value) && value.every(isElement);
const isOneOf = (values: readonly unknown[]): Guard => (value) => values.includes(value);

function isObject(fields: Readonly<Record<string, Guard>>): Guard {
  const guards = Object.entries(fields);
  return (value) => {
    const object = Object(value);
    return guards.every(([name, isValid]) => isValid(object[name]));
  };
}

/** Ids become parts of file names, so a damaged record must not contain other characters. */
export function isTaskId(value: unknown): value is string {
  return isText(value) && /^[0-9a-z]{1,64}$/.test(value);
}

export function isHeader(line: object): line is RunHeader {
  return isNumber((line as Partial<RunHeader>).pid);
}

const isQueue = isObject({
  base: isText,
  tasks: isArrayOf((pair) => Array.isArray(pair) && isTaskId(pair[0]) && isText(pair[1])),
});

export function isQueued(line: object): line is QueuedLine {
  return "queued" in line && isQueue(line.queued);
}

/** The fields of the events that change a status; no others are checked. */
const STATUS_EVENTS: ReadonlyMap<unknown, Guard> = new Map(Object.entries({
  queued: isObject({ name: isText, target: isText }),
  state: isObject({ state: isOneOf(TASK_STATES) }),
  target: isObject({ path: isText }),
  found: isObject({ size: isNumber, id: isTextOrNull, seeds: isArrayOf(isText) }),
  resumed: isObject({ bytes: isNumber }),
  done: isObject({ result: isObject({ path: isText, size: isNumber, verified: isFlag }) }),
  failed: isObject({ failure: isObject({ message: isText }) }),
}));

export function isTaskEvent(line: object): line is TaskEvent {
  const { task, time, kind } = line as Readonly<Record<string, unknown>>;
  return isTaskId(task) && isNumber(time) && (STATUS_EVENTS.get(kind)?.(line) ?? isText(kind));
}

export function isStatusEvent({ kind }: TaskEvent): boolean {
  return STATUS_EVENTS.has(kind);
}

const isTaskSnapshot = isObject({
  downloaded: isNumber,
  rate: isNumber,
  seeds: isArrayOf(isText),
});

const isSeedSnapshot = isObject({
  seed: isText,
  standing: isText,
  rate: isNumber,
  slow: isFlag,
  bytes: isNumber,
  inFlight: isNumber,
  failures: isNumber,
  reason: isTextOrNull,
  retryAt: isNumberOrNull,
});

const isPieces = isObject({ count: isNumber, cells: isArrayOf(isNumber) });

const isDetail = isObject({
  seeds: isArrayOf(isSeedSnapshot),
  moreSeeds: isNumber,
  pieces: (value) => value === null || isPieces(value),
  trouble: isTextOrNull,
});

const isReport = isObject({
  spent: (value) => Object.values(Object(value)).every(isNumber),
  now: isOneOf([null, ...SPANS]),
  at: isNumber,
  hashMs: isNumber,
  diskMs: isNumber,
  seeds: isArrayOf(isObject({
    seed: isText,
    standing: isText,
    reason: isTextOrNull,
    bytes: isNumber,
    rate: isNumber,
    failures: isNumber,
    corrupt: isNumber,
  })),
});

export function isTimeReport(value: unknown): value is TimeReport {
  return isReport(value);
}

const isLimits = isObject({ max: isNumber, limit: isNumberOrNull, taskLimit: isNumberOrNull });

/** undefined if the header has none, or invalid ones. */
export function limitsOf(header: RunHeader | undefined): RunLimits | undefined {
  return isLimits(header?.limits) ? header?.limits : undefined;
}

/** `value` without the tasks whose parts are invalid; undefined if it is no snapshot. */
export function storedSnapshotOf(value: unknown): StoredSnapshot | undefined {
  const { time, tasks, details, accounts } = Object(value);
  if (!isNumber(time)) return undefined;
  return {
    time,
    tasks: validOf(tasks, isTaskSnapshot),
    details: validOf(details, isDetail),
    accounts: validOf(accounts, isReport),
  };
}

function validOf<T>(values: unknown, isValid: Guard): Map<string, T> {
  return new Map(Object.entries<T>(Object(values)).filter(([, value]) => isValid(value)));
}
