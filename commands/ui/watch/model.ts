/**
 * The state of `status --watch`, without a terminal. Keys and events change it and produce commands
 * (`reduce.ts`); `screen.ts` draws it.
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
    /** As last read. */
    readonly task: TaskStatus;
    /** Where its time goes; undefined until read. */
    readonly theCase?: TaskCase;
    readonly top: number;
  }
  | {
    readonly kind: "log";
    readonly task: TaskStatus;
    readonly lines: readonly string[];
    /** Lines scrolled up from the end; 0 follows new lines. */
    readonly up: number;
    /** The page that it was opened from, to which Escape returns. */
    readonly from: Exclude<Page, { readonly kind: "log" }>;
  };

export interface WatchModel {
  readonly size: ScreenSize;
  /** When the tasks were read (ms since 1970); 0 before the first time. */
  readonly now: number;
  readonly overview: Overview;
  readonly filter: Filter;
  /** The tasks that pass the filter, in the order of the list. */
  readonly shown: readonly TaskStatus[];
  /** The index in `shown` of the picked task, and of the first one on the screen. */
  readonly at: number;
  readonly top: number;
  readonly page: Page;
  /** Whether the help for the keys covers the page. */
  readonly help: boolean;
  /** The task to cancel if the user answers yes. */
  readonly question: TaskStatus | undefined;
  readonly message: string;
}

export type WatchCommand =
  | { readonly kind: "poll" }
  | { readonly kind: "control"; readonly task: TaskStatus; readonly action: ControlAction }
  | { readonly kind: "open-log"; readonly task: string }
  | { readonly kind: "close-log" }
  | { readonly kind: "end"; readonly interrupted: boolean };

export interface Step {
  readonly model: WatchModel;
  readonly commands: readonly WatchCommand[];
}

/** @param task whose details are shown first. */
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

/** In the order in which a key steps through them. */
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

function passes(state: TaskState, filter: Filter): boolean {
  if (filter === "unfinished") return !isOver(state);
  if (filter === "active") return isActive(state);
  if (filter === "failed") return state === "failed" || state === "cancelled";
  return filter === "all" || state === filter;
}

/** Whether finished tasks must be read as well; there may be a hundred thousand. */
export function wantsFinished({ filter }: WatchModel): boolean {
  return filter === "all" || filter === "done" || filter === "failed";
}

/** Active tasks first, finished ones last; otherwise in the given order. */
function rankOf({ state }: TaskStatus): number {
  if (isActive(state)) return 0;
  if (state === "paused") return 1;
  return isOver(state) ? 3 : 2;
}

/** Lines for tasks: all but the first, and those at the bottom. */
export function listRows({ rows }: ScreenSize): number {
  return Math.max(1, rows - 1 - footerRows(rows));
}

/** On a low screen, message and keys share one line. */
export function footerRows(rows: number): number {
  return rows < 3 ? 0 : rows < 8 ? 1 : 2;
}

export function only(model: WatchModel): Step {
  return { model, commands: [] };
}

/** Rebuilds the list and keeps the picked task. */
export function withTasks(model: WatchModel): WatchModel {
  const { overview: { tasks }, filter, page } = model;
  const before = model.shown[model.at]?.task;
  const shown = tasks.filter(({ state }) => passes(state, filter))
    .sort((a, b) => rankOf(a) - rankOf(b));
  const found = shown.findIndex(({ task }) => task === before);
  const at = found >= 0 ? found : model.at;
  return inView({ ...model, shown, at, page: withFresh(page, tasks) });
}

function withFresh(page: Page, tasks: readonly TaskStatus[]): Page {
  if (page.kind === "list") return page;
  const task = tasks.find(({ task }) => task === page.task.task) ?? page.task;
  return { ...page, task };
}

/** Scrolls so that the picked task is on the screen, and the screen is full if possible. */
export function inView(model: WatchModel): WatchModel {
  const rows = listRows(model.size);
  const at = Math.max(0, Math.min(model.at, model.shown.length - 1));
  const lowest = Math.max(0, model.shown.length - rows);
  const top = Math.max(0, at - rows + 1, Math.min(model.top, at, lowest));
  return { ...model, at, top };
}
