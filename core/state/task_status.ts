/** The status of a task, and how a user names one. */
import { NotFoundError, UsageError } from "../base/errors.ts";
import { invalidNameReason } from "../base/names.ts";
import { isOver, type TaskState } from "../events.ts";
import type { TaskDetail } from "../progress/snapshots.ts";

/** A task as any process of this user sees it. The archive stores it as JSON: fields keep their names. */
export interface TaskStatus {
  /** Its id. */
  readonly task: string;
  /** The requested name. */
  readonly name: string;
  /** Its state. */
  readonly state: TaskState;
  /** Bytes; null until a seed reported it. */
  readonly size: number | null;
  /** Verified bytes, including those of earlier runs. */
  readonly downloaded: number;
  /** 0 to 100, one decimal; null while the size is unknown. */
  readonly percent: number | null;
  /** Bytes a second. */
  readonly rate: number;
  /** Milliseconds to its end; null when they are unknown. */
  readonly etaMs: number | null;
  /** The seeds that take part; of a task without a process, those that have its content. */
  readonly seeds: readonly string[];
  /** Where the file is or will be. */
  readonly path: string;
  /** The path that was requested: `path`, unless other content is there. */
  readonly target: string;
  /** The process that works on it, or null. */
  readonly pid: number | null;
  /** Whether the bytes that are there were checked against a digest of a seed or the user. */
  readonly verified: boolean;
  /** The content's id; null while it is unknown, and if no seed offers a manifest. */
  readonly id: string | null;
  /** Why it failed, or null. */
  readonly error: string | null;
  /** When its last event came (ms since 1970). */
  readonly updatedAt: number;
  /**
   * Who paused a paused task: the user, so that it stays paused until `resume`, or the end of its
   * process, so that its next download continues it. null for every other task.
   */
  readonly pausedBy: "user" | "interrupt" | null;
  /** When its state began (ms since 1970). */
  readonly since: number;
  /** null for tasks that no process works on, and for most of many. */
  readonly detail: TaskDetail | null;
}

/** Which tasks without a process are read; tasks of running processes always are. */
export type TaskFilter =
  | "all"
  /** Those that can be continued. */
  | "paused"
  /** Those that can be continued, and those that failed. */
  | "unfinished"
  /** Those that a text can mean; of a long record of a running process only these. */
  | { readonly named: string }
  /** Those whose id or name begins with a text, the newest of many. */
  | { readonly beginning: string };

/**
 * The task that `text` means: an id, the unique beginning of one, or a file name or its last part. A
 * name means its newest task that `isCurrent`, or the newest if none is.
 *
 * @throws {NotFoundError} if there is none. @throws {UsageError} if it may be several.
 */
export function taskNamed(
  tasks: readonly TaskStatus[],
  text: string,
  isCurrent: (task: TaskStatus) => boolean = ({ state }) => !isOver(state),
): TaskStatus {
  const newest = (some: readonly TaskStatus[]) => some.findLast(isCurrent) ?? some.at(-1);
  const exact = tasks.find(({ task }) => task === text) ??
    newest(tasks.filter(({ name }) => name === text));
  if (exact) return exact;
  const begun = text === "" ? [] : tasks.filter(({ task }) => task.startsWith(text));
  if (begun.length === 1) return begun[0]!;
  const ending = text === "" ? [] : tasks.filter(({ name }) => name.endsWith(`/${text}`));
  const names = new Set(ending.map(({ name }) => name));
  if (names.size === 1) return newest(ending)!;
  if (begun.length > 0) throw ambiguous(text, "begin", begun.map(({ task }) => task));
  if (names.size > 0) throw ambiguous(text, "end", Array.from(names));
  const fault = invalidNameReason(text);
  if (fault !== undefined) {
    throw new UsageError(`Cannot find task "${text}": as a file name, ${fault}`, {
      problem: "task-unknown",
    });
  }
  throw new NotFoundError(`Cannot find task "${text}"`, { problem: "task-unknown" });
}

function ambiguous(text: string, how: "begin" | "end", words: readonly string[]): UsageError {
  const shown = words.slice(0, 5).join(", ");
  return new UsageError(`Cannot tell which task "${text}" is: several ${how} so (${shown})`, {
    problem: "task-unknown",
  });
}
