/**
 * What somebody looks at in `status --watch`: a state machine without a
 * terminal. Keys and news go in, orders come out; `watch_screen.ts` draws it.
 */
import {
  isOver,
  type Order,
  type Overview,
  type TaskCase,
  type TaskStatus,
} from "../../core/mod.ts";
import type { Key } from "./keys.ts";
import type { ScreenSize } from "./progress.ts";
import { renderTaskPage } from "./task_page.ts";
import { type Filter, FILTERS, passes, ranked } from "./watch_filter.ts";

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
  /** To be cancelled, if the answer is yes. */
  readonly question: TaskStatus | undefined;
  /** What came of the last order. */
  readonly message: string;
}

export type WatchFact =
  | { readonly kind: "key"; readonly key: Key }
  | { readonly kind: "looked"; readonly overview: Overview; readonly now: number }
  | { readonly kind: "resized"; readonly size: ScreenSize }
  /** What limits the task that is looked into. */
  | { readonly kind: "explained"; readonly theCase: TaskCase }
  /** What came of an order, in a sentence. */
  | { readonly kind: "told"; readonly text: string }
  /** More lines of the log that is open. */
  | { readonly kind: "logged"; readonly task: string; readonly lines: readonly string[] };

export type WatchOrder =
  /** Look at the tasks again, now. */
  | { readonly kind: "look" }
  | { readonly kind: "control"; readonly task: TaskStatus; readonly order: Order }
  | { readonly kind: "open-log"; readonly task: string }
  | { readonly kind: "close-log" }
  | { readonly kind: "end"; readonly interrupted: boolean };

export interface Step {
  readonly model: WatchModel;
  readonly orders: readonly WatchOrder[];
}

/** Lines of a log that are kept: more than anybody scrolls through. */
const MOST_LOG_LINES = 2000;

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
    question: undefined,
    message: "",
  };
}

export function reduce(model: WatchModel, fact: WatchFact): Step {
  switch (fact.kind) {
    case "key":
      return press(model, fact.key);
    case "looked":
      return stay(withTasks({ ...model, overview: fact.overview, now: fact.now }));
    case "resized":
      return stay(inView({ ...model, size: fact.size }));
    case "explained":
      return stay(withCase(model, fact.theCase));
    case "told":
      return stay({ ...model, message: fact.text });
    case "logged":
      return stay(withLog(model, fact));
  }
}

/** Whether tasks that are over are to be looked at as well. */
export function wantsOver({ filter, page }: WatchModel): boolean {
  return page.kind !== "list" || filter === "all" || filter === "done" || filter === "failed";
}

/** The task that keys act on. */
function pickedTask({ page, shown, at }: WatchModel): TaskStatus | undefined {
  return page.kind === "list" ? shown[at] : page.task;
}

/** Lines for tasks: all but the first, and those at the bottom. */
export function listRows({ rows }: ScreenSize): number {
  return Math.max(1, rows - 1 - footerRows(rows));
}

/** On a low screen one line must do for what is said and for the keys. */
export function footerRows(rows: number): number {
  return rows < 3 ? 0 : rows < 8 ? 1 : 2;
}

function stay(model: WatchModel): Step {
  return { model, orders: [] };
}

function withTasks(model: WatchModel): WatchModel {
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

function withCase(model: WatchModel, theCase: TaskCase): WatchModel {
  const { page } = model;
  // Another page may have been opened meanwhile.
  if (page.kind !== "task" || page.task.task !== theCase.task.task) return model;
  return { ...model, page: { ...page, theCase } };
}

function withLog(model: WatchModel, { task, lines }: WatchFact & { kind: "logged" }): WatchModel {
  const { page } = model;
  if (page.kind !== "log" || page.task.task !== task) return model;
  const all = [...page.lines, ...lines].slice(-MOST_LOG_LINES);
  // Who scrolled up goes on reading the same lines.
  const up = page.up === 0 ? 0 : Math.min(page.up + lines.length, all.length);
  return { ...model, page: { ...page, lines: all, up } };
}

/** The picked task is on the screen, and the screen is full if there is enough. */
function inView(model: WatchModel): WatchModel {
  const rows = listRows(model.size);
  const at = Math.max(0, Math.min(model.at, model.shown.length - 1));
  const lowest = Math.max(0, model.shown.length - rows);
  const top = Math.max(0, at - rows + 1, Math.min(model.top, at, lowest));
  return { ...model, at, top };
}

function press(model: WatchModel, key: Key): Step {
  if (key.kind === "interrupt") return { model, orders: [{ kind: "end", interrupted: true }] };
  if (model.question !== undefined) return answer(model, model.question, key);
  const quiet = { ...model, message: "" };
  return key.kind === "character"
    ? pressCharacter(quiet, key.character)
    : pressNamed(quiet, key.kind);
}

function answer(model: WatchModel, task: TaskStatus, key: Key): Step {
  const asked = { ...model, question: undefined };
  const yes = key.kind === "character" && key.character.toLowerCase() === "y";
  if (!yes) return stay({ ...asked, message: "not cancelled" });
  return { model: asked, orders: [{ kind: "control", task, order: "cancel" }] };
}

function pressCharacter(model: WatchModel, character: string): Step {
  switch (character) {
    case "q":
      return { model, orders: [{ kind: "end", interrupted: false }] };
    case "j":
      return pressNamed(model, "down");
    case "k":
      return pressNamed(model, "up");
    case "g":
      return pressNamed(model, "home");
    case "G":
      return pressNamed(model, "end");
    case " ":
      return pressNamed(model, "page-down");
    case "f":
      return filterBy(model, 1);
    case "F":
      return filterBy(model, FILTERS.length - 1);
    case "p":
      return withPicked(model, (task) => order(model, task, "pause"));
    case "r":
      return withPicked(model, (task) => order(model, task, "resume"));
    case "c":
      return withPicked(model, (task) => ask(model, task));
    case "l":
      return withPicked(model, (task) => openLog(model, task));
    default:
      return stay(model);
  }
}

function withPicked(model: WatchModel, act: (task: TaskStatus) => Step): Step {
  const task = pickedTask(model);
  return task === undefined ? stay({ ...model, message: "there is no task to pick" }) : act(task);
}

function order(model: WatchModel, task: TaskStatus, order: Order): Step {
  return { model, orders: [{ kind: "control", task, order }] };
}

function ask(model: WatchModel, task: TaskStatus): Step {
  if (isOver(task.state)) return stay({ ...model, message: `it is ${task.state} already` });
  return stay({ ...model, question: task });
}

function openLog(model: WatchModel, task: TaskStatus): Step {
  if (model.page.kind === "log") return stay(model);
  return {
    model: { ...model, page: { kind: "log", task, lines: [], up: 0 } },
    orders: [{ kind: "open-log", task: task.task }],
  };
}

function filterBy(model: WatchModel, steps: number): Step {
  if (model.page.kind !== "list") return stay(model);
  const filter = FILTERS[(FILTERS.indexOf(model.filter) + steps) % FILTERS.length]!;
  // What is over may not be known yet: it is looked for at once.
  return { model: withTasks({ ...model, filter }), orders: [{ kind: "look" }] };
}

function pressNamed(model: WatchModel, kind: Exclude<Key["kind"], "character">): Step {
  if (kind === "escape" || kind === "left" || kind === "backspace") return leave(model, kind);
  if (kind !== "enter" && kind !== "right") return stay(scroll(model, kind));
  if (model.page.kind !== "list") return stay(model);
  return withPicked(model, (task) => ({
    model: { ...model, page: { kind: "task", task, top: 0 } },
    orders: [{ kind: "look" }],
  }));
}

/** From a page back to the list; Escape there is the way out. */
function leave(model: WatchModel, kind: string): Step {
  if (model.page.kind === "list") {
    return kind === "escape"
      ? { model, orders: [{ kind: "end", interrupted: false }] }
      : stay(model);
  }
  return {
    model: { ...model, page: { kind: "list" } },
    orders: model.page.kind === "log" ? [{ kind: "close-log" }] : [],
  };
}

function scroll(model: WatchModel, kind: string): WatchModel {
  const rows = listRows(model.size);
  const steps: Record<string, number> = {
    up: -1,
    down: 1,
    "page-up": -rows,
    "page-down": rows,
    home: -Infinity,
    end: Infinity,
  };
  const by = steps[kind] ?? 0;
  const { page } = model;
  switch (page.kind) {
    case "list": {
      // A page is turned as a whole: the picked one stays at its height.
      const top = kind.startsWith("page") ? Math.max(0, model.top + by) : model.top;
      const at = Math.max(0, Math.min(model.at + by, model.shown.length - 1));
      return inView({ ...model, at, top });
    }
    case "task": {
      const lines = renderTaskPage(page, model.now, model.size.columns - 1).length;
      const lowest = Math.max(0, lines - rows);
      const top = Math.max(0, Math.min(page.top + by, lowest));
      return { ...model, page: { ...page, top } };
    }
    case "log":
      return {
        ...model,
        page: { ...page, up: Math.min(page.lines.length, Math.max(0, page.up - by)) },
      };
  }
}
