/** Which of thousands of tasks are shown, and in which order. */
import { isActive, isOver, type TaskState, type TaskStatus } from "../../../core/mod.ts";

/** In the order in which a key goes through them. */
export const FILTERS = [
  "unfinished",
  "active",
  "waiting",
  "paused",
  "failed",
  "done",
  "all",
] as const;

export type Filter = typeof FILTERS[number];

export function passes(state: TaskState, filter: Filter): boolean {
  switch (filter) {
    case "unfinished":
      return !isOver(state);
    case "active":
      return isActive(state);
    case "failed":
      return state === "failed" || state === "cancelled";
    case "all":
      return true;
    default:
      return state === filter;
  }
}

/** What moves comes first, what is over last; within each, the order given. */
export function ranked(tasks: readonly TaskStatus[]): TaskStatus[] {
  const ranks: TaskStatus[][] = [[], [], [], []];
  for (const task of tasks) ranks[rankOf(task.state)]!.push(task);
  return ranks.flat();
}

function rankOf(state: TaskState): 0 | 1 | 2 | 3 {
  if (isActive(state)) return 0;
  if (state === "paused") return 1;
  return isOver(state) ? 3 : 2;
}
