/** What is known of a task, and of which tasks it is asked for. */
import type { TaskState } from "../events.ts";
import type { TaskDetail } from "../progress/snapshots.ts";

/** A task as any process of this user sees it. */
export interface TaskStatus {
  readonly task: string;
  readonly name: string;
  readonly state: TaskState;
  /** null until a seed said it. */
  readonly size: number | null;
  readonly downloaded: number;
  /** 0 to 100, one decimal; null while the size is unknown. */
  readonly percent: number | null;
  /** Bytes a second. */
  readonly rate: number;
  /** null where nobody can tell. */
  readonly etaMs: number | null;
  readonly seeds: readonly string[];
  /** Where the file is, or will be. */
  readonly path: string;
  /** Where it was asked to go: `path`, unless other bytes have that name. */
  readonly target: string;
  /** The process that works on it, or null. */
  readonly pid: number | null;
  readonly verified: boolean;
  /** The content's id; null until it is known, and where no seed offers a manifest. */
  readonly id: string | null;
  /** Why it failed, or null. */
  readonly error: string | null;
  readonly updatedAt: number;
  /**
   * Of a paused task, who paused it: the user, so that it stays paused until the user resumes it, or
   * the end of its process, so that the next download of it goes on. null for every other task.
   */
  readonly pausedBy: "user" | "interrupt" | null;
  /** When its state began (ms since 1970). */
  readonly since: number;
  /** What goes on inside; null for what nobody works on, and for most of many. */
  readonly detail: TaskDetail | null;
}

/** Which of the tasks whose process is gone are read; those of runs that live always are. */
export type TaskFilter =
  | "all"
  /** Those that can go on. */
  | "paused"
  /** Those that can go on, and those that failed. */
  | "unfinished"
  /** Those that a text could mean; of a long run that lives only these. */
  | { readonly named: string }
  /** Those whose id or name begins so, the newest of many. */
  | { readonly beginning: string };
