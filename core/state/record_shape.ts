/** The content of a run's files. One invalid line must not hide all tasks, so everything is checked. */
import * as is from "../base/guards.ts";
import { TASK_STATES, type TaskEvent } from "../events.ts";
import {
  isTaskDetail,
  isTaskSnapshot,
  isTimeReport,
  type TaskDetail,
  type TaskSnapshot,
  type TimeReport,
} from "../progress/snapshots.ts";

/** The user's own limits in a run. */
export interface RunLimits {
  /** Downloads at a time. */
  readonly max: number;
  /** Bytes a second over all tasks; null: none. */
  readonly limit: number | null;
  /** Bytes a second for each task; null: none. */
  readonly taskLimit: number | null;
  /** Bytes of memory for pieces on their way, over all tasks; absent in records of older versions. */
  readonly memory?: number;
  /** Connections to one seed, or "auto" for as many as help; absent in records of older versions. */
  readonly seedConnections?: number | "auto";
}

function isRunLimits(value: unknown): value is RunLimits {
  if (!isBaseLimits(value)) return false;
  const { memory = 0, seedConnections = 0 } = value as Record<string, unknown>;
  return is.number(memory) && (is.number(seedConnections) || seedConnections === "auto");
}

const isBaseLimits: is.Guard<Pick<RunLimits, "max" | "limit" | "taskLimit">> = is.object({
  max: is.number,
  limit: is.nullOr(is.number),
  taskLimit: is.nullOr(is.number),
});

/** The first line of a record. */
export interface RunHeader {
  readonly pid: number;
  readonly startedAt: number;
  readonly limits?: RunLimits;
}

export function isHeader(line: object): line is RunHeader {
  return is.number((line as Partial<RunHeader>).pid);
}

/** undefined if the header has none, or invalid ones. */
export function limitsOf(header: RunHeader | undefined): RunLimits | undefined {
  return isRunLimits(header?.limits) ? header.limits : undefined;
}

/** Ids become parts of file names, so a damaged record must not contain other characters. */
export function isTaskId(value: unknown): value is string {
  return is.string(value) && /^[0-9a-z]{1,64}$/.test(value);
}

/** Many tasks in one line, because the queue may have a hundred thousand. */
export interface QueuedLine {
  readonly time: number;
  readonly queued: is.Guarded<typeof isQueue>;
}

const isQueue = is.object({
  /** The beginning of every target; the name follows. */
  base: is.string,
  tasks: is.arrayOf((pair): pair is readonly [task: string, name: string] =>
    Array.isArray(pair) && isTaskId(pair[0]) && is.string(pair[1])
  ),
});

export function isQueued(line: object): line is QueuedLine {
  return "queued" in line && isQueue(line.queued);
}

/** The fields of the events that change a status; no others are checked. */
const STATUS_EVENTS: ReadonlyMap<unknown, is.Guard<unknown>> = new Map(Object.entries({
  queued: is.object({ name: is.string, target: is.string }),
  state: is.object({ state: is.oneOf(TASK_STATES) }),
  target: is.object({ path: is.string }),
  found: is.object({ size: is.number, id: is.nullOr(is.string), seeds: is.arrayOf(is.string) }),
  resumed: is.object({ bytes: is.number }),
  done: is.object({
    result: is.object({ path: is.string, size: is.number, verified: is.boolean }),
  }),
  failed: is.object({ failure: is.object({ message: is.string }) }),
}));

/** Milliseconds since 1970 that a Date can have. */
function isTime(value: unknown): boolean {
  return is.number(value) && Math.abs(value) < 8.64e15;
}

export function isTaskEvent(line: object): line is TaskEvent {
  const { task, time, kind } = line as Readonly<Record<string, unknown>>;
  return isTaskId(task) && isTime(time) && (STATUS_EVENTS.get(kind)?.(line) ?? is.string(kind));
}

export function isStatusEvent({ kind }: TaskEvent): boolean {
  return STATUS_EVENTS.has(kind);
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

/** Maps, because a damaged file may name a task "__proto__". */
export type StoredSnapshot = NonNullable<ReturnType<typeof storedSnapshotOf>>;

/** `value` without the tasks whose parts are invalid; undefined if it is no snapshot. */
export function storedSnapshotOf(value: unknown) {
  const { time, tasks, details, accounts } = Object(value);
  if (!is.number(time)) return undefined;
  return {
    time,
    tasks: validOf(tasks, isTaskSnapshot),
    details: validOf(details, isTaskDetail),
    accounts: validOf(accounts, isTimeReport),
  };
}

function validOf<T>(values: unknown, isValid: is.Guard<T>): ReadonlyMap<string, T> {
  return new Map(Object.entries<T>(Object(values)).filter(([, value]) => isValid(value)));
}
