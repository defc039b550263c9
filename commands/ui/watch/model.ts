/**
 * What somebody looks at in `status --watch`: a state without a terminal, and
 * what keeps it whole. Keys (`watch_keys.ts`) and news (`watch_reduce.ts`) change
 * it, orders come out; `watch_screen.ts` draws it.
 */
import {
  type ControlAction,
  isActive,
  isOver,
  type Overview,
  type TaskCase,
  type TaskState,
  type TaskStatus,
} from "../../../core/mod.ts";
import type { ScreenSize } from "../progress_block.ts";

export type Page =
  | { readonly kind: "list" }
  | {
    readonly kind: "task";
    /** As it was seen last. */
    readonly task: TaskStatus;
    /** Where its time goes; undefined until that was looked up. */
    readonly theCase?: TaskCase;
    /** Lines scrolled down. */
    readonly top: number;
  }
  | {
    readonly kind: "log";
    readonly task: TaskStatus;
    readonly lines: readonly string[];
    /** Lines scrolled up from the end: 0 follows what comes. */
    readonly up: number;
    /** The page that it was opened from, and that Escape leads back to. */
    readonly from: Exclude<Page, { readonly kind: "log" }>;
  };

export interface WatchModel {
  readonly size: ScreenSize;
  /** When the tasks were looked at (ms since 1970); 0 before the first time. */
  readonly now: number;
  readonly overview: Overview;
  readonly filter: Filter;
  /** What passes the filter, in the order of the list. */
  readonly shown: readonly TaskStatus[];
  /** The place in `shown` that keys act on, and the first one on the screen. */
  readonly at: number;
  readonly top: number;
  readonly page: Page;
  /** Whether the keys are explained, over the page. */
  readonly help: boolean;
  /** To be cancelled, if the answer is yes. */
  readonly question: TaskStatus | undefined;
  /** What came of the last order. */
  readonly message: string;
}

export type WatchCommand =
  /** Look at the tasks again, now. */
  | { readonly kind: "look" }
  | { readonly kind: "control"; readonly task: TaskStatus; readonly order: ControlAction }
  | { readonly kind: "open-log"; readonly task: string }
  | { readonly kind: "close-log" }
  | { readonly kind: "end"; readonly interrupted: boolean };

export interface Step {
  readonly model: WatchModel;
  readonly orders: readonly WatchCommand[];
}

/** @param task to look into from the beginning. */
export function watchModel(size: ScreenSize, task?: TaskStatus): WatchModel {
  return {
    size,
    now: 0,
    overview: { tasks: [], moreWaiting: 0 },
    filter: "unfinished",
    shown: [],
    at: 0,
    top: 0,
    page: task === undefined ? { kind: "list" } : { kind: "task", task, top: 0 },
    help: false,
    question: undefined,
    message: "",
  };
}

/** Whether tasks that are over are to be looked at as well: they may be a hundred thousand. */
export function wantsOver({ filter }: WatchModel): boolean {
  return filter === "all" || filter === "done" || filter === "failed";
}

/** Lines for tasks: all but the first, and those at the bottom. */
export function listRows({ rows }: ScreenSize): number {
  return Math.max(1, rows - 1 - footerRows(rows));
}

/** On a low screen one line must do for what is said and for the keys. */
export function footerRows(rows: number): number {
  return rows < 3 ? 0 : rows < 8 ? 1 : 2;
}

export function stay(model: WatchModel): Step {
  return { model, orders: [] };
}

/** The list anew, the task that was picked still picked. */
export function withTasks(model: WatchModel): WatchModel {
  const { overview: { tasks }, filter, page } = model;
  const before = model.shown[model.at]?.task;
  const shown = ranked(tasks.filter(({ state }) => passes(state, filter)));
  const found = shown.findIndex(({ task }) => task === before);
  const at = found >= 0 ? found : model.at;
  return inView({ ...model, shown, at, page: withFresh(page, tasks) });
}

/** A task that is looked into is shown as it is now. */
function withFresh(page: Page, tasks: readonly TaskStatus[]): Page {
  if (page.kind === "list") return page;
  const task = tasks.find(({ task }) => task === page.task.task) ?? page.task;
  return { ...page, task };
}

/** The picked task is on the screen, and the screen is full if there is enough. */
export function inView(model: WatchModel): WatchModel {
  const rows = listRows(model.size);
  const at = Math.max(0, Math.min(model.at, model.shown.length - 1));
  const lowest = Math.max(0, model.shown.length - rows);
  const top = Math.max(0, at - rows + 1, Math.min(model.top, at, lowest));
  return { ...model, at, top };
}

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
