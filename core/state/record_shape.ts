/**
 * Whether what was read from a run's files is what a run writes. The files
 * outlive their program: one of another version, or a damaged disk, may have
 * written them, and one odd line must not hide all tasks.
 */
import { TASK_STATES, type TaskEvent } from "../events.ts";
import type { RunNow, TaskNow } from "./run_record.ts";
import type { SeedNow, TaskDetail } from "./task_detail.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Of an event, what `p2p status` makes use of. */
export function isTaskEvent(line: object): line is TaskEvent {
  const fields = line as Fields;
  if (typeof fields["task"] !== "string" || !isNumber(fields["time"])) return false;
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

/** `value` without the tasks whose figures are none; undefined when it is nothing of the kind. */
export function runNowOf(value: unknown): RunNow | undefined {
  const { time, tasks, details, accounts } = Object(value) as Fields;
  if (!isNumber(time)) return undefined;
  return {
    time,
    tasks: soundOf(tasks, isTaskNow),
    details: soundOf(details, isDetail),
    // Looked at by who reads one of them.
    accounts: Object(accounts),
  };
}

function soundOf<T>(values: unknown, isSound: (value: unknown) => value is T): Record<string, T> {
  const sound = Object.entries(Object(values)).filter(([, value]) => isSound(value));
  return Object.fromEntries(sound) as Record<string, T>;
}

function isTaskNow(value: unknown): value is TaskNow {
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

function isSeedNow(value: unknown): value is SeedNow {
  const { seed, standing, rate, slow, bytes, inFlight, failures, reason, retryAt } = Object(
    value,
  ) as Fields;
  return isText(seed) && isText(standing) && [rate, bytes, inFlight, failures].every(isNumber) &&
    typeof slow === "boolean" && isTextOrNull(reason) && (retryAt === null || isNumber(retryAt));
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
