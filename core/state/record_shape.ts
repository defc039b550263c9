/**
 * Whether what was read from a run's files is what a run writes. The files
 * outlive their program: one of another version, or a damaged disk, may have
 * written them, and one odd line must not hide all tasks.
 */
import { TASK_STATES, type TaskEvent } from "../events.ts";
import type { RunNow } from "./run_record.ts";

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
  const { time, tasks } = Object(value) as Fields;
  if (!isNumber(time)) return undefined;
  const sound = Object.entries(Object(tasks)).filter(([, now]) => {
    const { downloaded, rate, seeds } = Object(now) as Fields;
    return isNumber(downloaded) && isNumber(rate) && isTexts(seeds);
  });
  return { time, tasks: Object.fromEntries(sound) } as RunNow;
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
function isNumber(value: unknown): boolean {
  return Number.isFinite(value);
}
