/** What keys and events make of `status --watch`: the next model, and the commands to run. */
import {
  type ControlAction,
  isOver,
  type Overview,
  type TaskCase,
  type TaskStatus,
} from "../../../core/mod.ts";
import type { ScreenSize } from "../progress_block.ts";
import { lineWidth } from "../width.ts";
import type { Key, NamedKey } from "./key_parser.ts";
import { FILTERS, inView, listRows, stay, type Step, type WatchModel, withTasks } from "./model.ts";
import { renderTaskPage } from "./task_page.ts";

export type WatchEvent =
  | { readonly kind: "key"; readonly key: Key }
  | { readonly kind: "looked"; readonly overview: Overview; readonly now: number }
  | { readonly kind: "resized"; readonly size: ScreenSize }
  /** How the task that is looked into stands, and what limits it. */
  | { readonly kind: "explained"; readonly theCase: TaskCase }
  /** What came of an order, in a sentence. */
  | { readonly kind: "told"; readonly text: string }
  /** More lines of the log that is open. */
  | { readonly kind: "logged"; readonly task: string; readonly lines: readonly string[] };

export function reduce(model: WatchModel, fact: WatchEvent): Step {
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

/** Lines of a log that are kept: more than anybody scrolls through. */
const MAX_LOG_LINES = 2000;

function withCase(model: WatchModel, theCase: TaskCase): WatchModel {
  const { page } = model;
  // Another page may have been opened meanwhile.
  if (page.kind === "list" || page.task.task !== theCase.task.task) return model;
  const { task } = theCase;
  // It is not among those that are looked at once it is over.
  return { ...model, page: page.kind === "task" ? { ...page, task, theCase } : { ...page, task } };
}

function withLog(model: WatchModel, { task, lines }: WatchEvent & { kind: "logged" }): WatchModel {
  const { page } = model;
  if (page.kind !== "log" || page.task.task !== task) return model;
  const all = [...page.lines, ...lines].slice(-MAX_LOG_LINES);
  // Who scrolled up goes on reading the same lines.
  const up = page.up === 0 ? 0 : Math.min(page.up + lines.length, all.length);
  return { ...model, page: { ...page, lines: all, up } };
}

export function press(model: WatchModel, key: Key): Step {
  if (key.kind === "interrupt") return { model, orders: [{ kind: "end", interrupted: true }] };
  if (model.question !== undefined) return answer(model, model.question, key);
  if (model.help) return stay({ ...model, help: false });
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
    case "?":
      return stay({ ...model, help: true });
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

function order(model: WatchModel, task: TaskStatus, order: ControlAction): Step {
  return { model, orders: [{ kind: "control", task, order }] };
}

function ask(model: WatchModel, task: TaskStatus): Step {
  if (isOver(task.state)) return stay({ ...model, message: `it is ${task.state} already` });
  return stay({ ...model, question: task });
}

function openLog(model: WatchModel, task: TaskStatus): Step {
  const from = model.page;
  if (from.kind === "log") return stay(model);
  return {
    model: { ...model, page: { kind: "log", task, lines: [], up: 0, from } },
    orders: [{ kind: "open-log", task: task.task }],
  };
}

function filterBy(model: WatchModel, steps: number): Step {
  if (model.page.kind !== "list") return stay(model);
  const filter = FILTERS[(FILTERS.indexOf(model.filter) + steps) % FILTERS.length]!;
  // What is over may not be known yet: it is looked for at once.
  return { model: withTasks({ ...model, filter }), orders: [{ kind: "look" }] };
}

function pressNamed(model: WatchModel, kind: NamedKey): Step {
  if (kind === "escape" || kind === "left" || kind === "backspace") return leave(model);
  if (kind !== "enter" && kind !== "right") return stay(scroll(model, kind));
  if (model.page.kind !== "list") return stay(model);
  return withPicked(model, (task) => ({
    model: { ...model, page: { kind: "task", task, top: 0 } },
    orders: [{ kind: "look" }],
  }));
}

/** From a page back to the one before it. The list is left with q only: who presses Escape once too often stays. */
function leave(model: WatchModel): Step {
  const { page } = model;
  switch (page.kind) {
    case "list":
      return stay({ ...model, message: "q quits" });
    case "task":
      return stay({ ...model, page: { kind: "list" } });
    case "log": {
      const { from, task } = page;
      const back = from.kind === "task" ? { ...from, task } : from;
      return { model: { ...model, page: back }, orders: [{ kind: "close-log" }, { kind: "look" }] };
    }
  }
}

/** The task that keys act on. */
function pickedTask({ page, shown, at }: WatchModel): TaskStatus | undefined {
  return page.kind === "list" ? shown[at] : page.task;
}

/** Any other key moves nothing. */
export function scroll(model: WatchModel, kind: NamedKey): WatchModel {
  const rows = listRows(model.size);
  const steps: Partial<Record<NamedKey, number>> = {
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
      const top = kind.startsWith("page") ? model.top + by : model.top;
      return inView({ ...model, at: model.at + by, top });
    }
    case "task": {
      const lines = renderTaskPage(page, model.now, lineWidth(model.size.columns)).length;
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
