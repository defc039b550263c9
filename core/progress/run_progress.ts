/** The progress of all tasks of one run. The cost of a frame depends on the tasks that it shows, not on how many wait. */
import { RateMeter } from "../base/rate.ts";
import { isOver, type TaskEvent, type TaskState } from "../events.ts";
import type { TaskDetail, TimeReport } from "./snapshots.ts";
import { etaMs, isActive, TaskProgress, type TaskView } from "./task_progress.ts";

/** A task that is being worked on. */
export interface ActiveTask extends TaskView {
  /** Its seeds and pieces; null before its turn. */
  readonly detail: TaskDetail | null;
}

/** Sums over all tasks of a run. */
export interface Totals {
  /** Tasks that ended well. */
  readonly done: number;
  /** Tasks that failed. */
  readonly failed: number;
  /** Tasks that the user cancelled. */
  readonly cancelled: number;
  /** Tasks that are finding, downloading or verifying. */
  readonly active: number;
  /** Tasks that wait for their turn, a seed or disk space. */
  readonly waiting: number;
  /** Tasks that the user paused, or that were interrupted. */
  readonly paused: number;
  /** Verified bytes of all tasks but the failed and cancelled ones, including earlier runs. */
  readonly downloaded: number;
  /** Bytes of all tasks whose size is known, but the failed and cancelled ones. */
  readonly size: number;
  /** Bytes received over the network in this run. */
  readonly received: number;
  /** Whether the size of every task is known. */
  readonly sizeKnown: boolean;
  /** Bytes a second. */
  readonly rate: number;
  /** Milliseconds until every task that is not paused has ended; null when it is unknown. */
  readonly etaMs: number | null;
}

/** The progress of a run, kept up to date by its events. */
export class RunProgress {
  readonly #tasks = new Map<string, TaskProgress>();
  /** Tasks whose turn has come and that have not ended. */
  readonly #started = new Set<TaskProgress>();
  readonly #sums = new Sums();
  readonly #rate = new RateMeter();

  /**
   * Adds an event of any task.
   *
   * @param nowMs the monotonic time at which `event` happened.
   * @returns where the time of the task went, if it ended with this event.
   */
  apply(event: TaskEvent, nowMs: number): TimeReport | undefined {
    const task = this.#tasks.get(event.task) ?? this.#add(event, nowMs);
    if (event.kind === "received") {
      this.#sums.received += event.bytes;
      this.#rate.add(event.bytes, nowMs);
      return task.apply(event, nowMs);
    }
    this.#sums.count(task, -1);
    const report = task.apply(event, nowMs);
    this.#sums.count(task, 1);
    if (task.ended) this.#started.delete(task);
    else if (event.kind === "state") this.#started.add(task);
    return report;
  }

  /** At most `max` of the tasks whose turn has come and that have not ended: active ones first, then in their order. */
  active(nowMs: number, max = Infinity): ActiveTask[] {
    const tasks = [...this.#started];
    const chosen = tasks.length <= max ? tasks : [
      ...tasks.filter(({ state }) => isActive(state)),
      ...tasks.filter(({ state }) => !isActive(state)),
    ].slice(0, max);
    return chosen.map((task) => ({ ...task.view(nowMs), detail: task.detail(nowMs) ?? null }));
  }

  /** One task at `nowMs`, a monotonic time; undefined if no event came of it. */
  view(id: string, nowMs: number): TaskView | undefined {
    return this.#tasks.get(id)?.view(nowMs);
  }

  /** The file name of a task; undefined if no event came of it. */
  nameOf(id: string): string | undefined {
    return this.#tasks.get(id)?.name;
  }

  /** @internal Can be changed, so it is for the record of the run only. */
  task(id: string): TaskProgress | undefined {
    return this.#tasks.get(id);
  }

  /** Bytes received over the network in this run, for all tasks. */
  get received(): number {
    return this.#sums.received;
  }

  /** The sums at `nowMs`. */
  totals(nowMs: number): Totals {
    const { unsized, resting, ...sums } = this.#sums;
    const { size, downloaded, active, waiting, paused } = sums;
    const rate = this.#rate.displayRateAt(nowMs);
    const sizeKnown = unsized === 0;
    // Paused tasks do not count, unless there are no others.
    const hasEta = sizeKnown && (active + waiting > 0 || paused === 0);
    return {
      ...sums,
      ...{ sizeKnown, rate },
      etaMs: hasEta ? etaMs(size - downloaded - resting, rate) : null,
    };
  }

  #add({ task: id, time }: TaskEvent, nowMs: number): TaskProgress {
    const task = new TaskProgress(id, time, nowMs);
    this.#tasks.set(id, task);
    this.#sums.count(task, 1);
    return task;
  }
}

/** Sums over all tasks: a task is subtracted before it changes and added again afterwards. */
class Sums {
  done = 0;
  failed = 0;
  cancelled = 0;
  active = 0;
  waiting = 0;
  paused = 0;
  downloaded = 0;
  /** Bytes of all tasks whose size is known. */
  size = 0;
  received = 0;
  /** Unfinished tasks of unknown size. */
  unsized = 0;
  /** Missing bytes of paused tasks. */
  resting = 0;

  count({ state, size, downloaded }: TaskProgress, sign: 1 | -1): void {
    this[columnOf(state)] += sign;
    // Failed and cancelled tasks are not waited for.
    if (state === "failed" || state === "cancelled") return;
    this.size += sign * (size ?? 0);
    this.downloaded += sign * downloaded;
    if (size === null) this.unsized += sign;
    else if (state === "paused") this.resting += sign * (size - downloaded);
  }
}

function columnOf(
  state: TaskState,
): "done" | "failed" | "cancelled" | "active" | "waiting" | "paused" {
  if (isOver(state) || state === "paused") return state;
  return isActive(state) ? "active" : "waiting";
}
