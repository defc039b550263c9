/** The state of a task in a word. */
import type { TaskState, TaskStatus } from "../../core/mod.ts";

/**
 * A task whose process ended is "stopped": the next download of it goes on. A task that the user paused
 * stays paused until the user resumes it. For programs both are paused.
 */
export function stateWord(
  { state, pausedBy }: {
    readonly state: TaskState;
    readonly pausedBy?: TaskStatus["pausedBy"];
  },
): string {
  return state === "paused" && pausedBy === "interrupt" ? "stopped" : state;
}
