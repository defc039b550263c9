/** What keys and events do in `status --watch`: the next model, and the commands to run. */
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
import { FILTERS, inView, listRows, only, type Step, type WatchModel, withTasks } from "./model.ts";
import { renderTaskPage } from "./task_page.ts";

export type WatchEvent =
  | { readonly kind: "key"; readonly key: Key }
  | { readonly kind: "tasks"; readonly overview: Overview; readonly now: number }
  | { readonly kind: "resized"; readonly size: ScreenSize }
  /** How the task on the page is doing, and what limits it. */
  | { readonly kind: "details"; readonly theCase: TaskCase }
  | { readonly kind: "message"; readonly text: string }
  | { readonly kind: "logged"; readonly task: string; readonly lines: readonly string[] };

const MAX_LOG_LINES = 2000;

export function reduce(model: WatchModel, event: WatchEvent): Step {
  const { page } = model;
  switch (event.kind) {
    case "key":
      return press(model, event.key);
    case "tasks":
      return only(withTasks({ ...model, overview: event.overview, now: event.now }));
    case "resized":
      return only(inView({ ...model, size: event.size }));
    case "message":
      return only({ ...model, message: event.text });
    case "details": {
      const { theCase } = event;
      const { task } = theCase;
      // Another page may have been opened meanwhile.
      if (page.kind === "list" || page.task.task !== task.task) return only(model);
      const details = page.kind === "task" ? { task, theCase } : { task };
      return only({ ...model, page: { ...page, ...details } });
    }
    case "logged": {
      if (page.kind !== "log" || page.task.task !== event.task) return only(model);
      const lines = [...page.lines, ...event.lines].slice(-MAX_LOG_LINES);
      // While scrolled up, the same lines stay in view.
      const up = page.up === 0 ? 0 : Math.min(page.up + event.lines.length, lines.length);
      return only({ ...model, page: { ...page, lines, up } });
    }
  }
}

function press(model: WatchModel, key: Key): Step {
  if (key.kind === "interrupt") return { model, commands: [{ kind: "end", interrupted: true }] };
  if (model.question !== undefined) return answer(model, model.question, key);
  if (model.help) return only({ ...model, help: false });
  const quiet = { ...model, message: "" };
  return key.kind === "character"
    ? pressCharacter(quiet, key.character)
    : pressNamed(quiet, key.kind);
}

function answer(model: WatchModel, task: TaskStatus, key: Key): Step {
  const answered = { ...model, question: undefined };
  const yes = key.kind === "character" && key.character.toLowerCase() === "y";
  if (!yes) return only({ ...answered, message: "not cancelled" });
  return { model: answered, commands: [{ kind: "control", task, action: "cancel" }] };
}

const ALIASES = new Map<string, NamedKey>(
  [["j", "down"], ["k", "up"], ["g", "home"], ["G", "end"], [" ", "page-down"]],
);

function pressCharacter(model: WatchModel, character: string): Step {
  const alias = ALIASES.get(character);
  if (alias !== undefined) return pressNamed(model, alias);
  switch (character) {
    case "q":
      return { model, commands: [{ kind: "end", interrupted: false }] };
    case "?":
      return only({ ...model, help: true });
    case "f":
      return filterBy(model, 1);
    case "F":
      return filterBy(model, FILTERS.length - 1);
    case "p":
      return withPicked(model, (task) => control(model, task, "pause"));
    case "r":
      return withPicked(model, (task) => control(model, task, "resume"));
    case "c":
      return withPicked(
        model,
        (task) =>
          isOver(task.state)
            ? only({ ...model, message: `it is ${task.state} already` })
            : only({ ...model, question: task }),
      );
    case "l":
      return withPicked(model, (task) => openLog(model, task));
    default:
      return only(model);
  }
}

function withPicked(model: WatchModel, act: (task: TaskStatus) => Step): Step {
  const { page, shown, at } = model;
  const task = page.kind === "list" ? shown[at] : page.task;
  return task === undefined ? only({ ...model, message: "there is no task to pick" }) : act(task);
}

function control(model: WatchModel, task: TaskStatus, action: ControlAction): Step {
  return { model, commands: [{ kind: "control", task, action }] };
}

function openLog(model: WatchModel, task: TaskStatus): Step {
  const from = model.page;
  if (from.kind === "log") return only(model);
  return {
    model: { ...model, page: { kind: "log", task, lines: [], up: 0, from } },
    commands: [{ kind: "open-log", task: task.task }],
  };
}

function filterBy(model: WatchModel, steps: number): Step {
  if (model.page.kind !== "list") return only(model);
  const filter = FILTERS[(FILTERS.indexOf(model.filter) + steps) % FILTERS.length]!;
  // Finished tasks may not have been read yet.
  return { model: withTasks({ ...model, filter }), commands: [{ kind: "poll" }] };
}

function pressNamed(model: WatchModel, kind: NamedKey): Step {
  if (kind === "escape" || kind === "left" || kind === "backspace") return leave(model);
  if (kind !== "enter" && kind !== "right") return only(scroll(model, kind));
  if (model.page.kind !== "list") return only(model);
  return withPicked(model, (task) => ({
    model: { ...model, page: { kind: "task", task, top: 0 } },
    commands: [{ kind: "poll" }],
  }));
}

/** Returns to the page before. Only q leaves the list, so one Escape too many does not quit. */
function leave(model: WatchModel): Step {
  const { page } = model;
  if (page.kind === "list") return only({ ...model, message: "q quits" });
  if (page.kind === "task") return only({ ...model, page: { kind: "list" } });
  const { from, task } = page;
  const back = from.kind === "task" ? { ...from, task } : from;
  return { model: { ...model, page: back }, commands: [{ kind: "close-log" }, { kind: "poll" }] };
}

function scroll(model: WatchModel, kind: NamedKey): WatchModel {
  const rows = listRows(model.size);
  const steps: Partial<Record<NamedKey, number>> = {
    ...{ up: -1, down: 1, home: -Infinity, end: Infinity },
    ...{ "page-up": -rows, "page-down": rows },
  };
  const by = steps[kind] ?? 0;
  const { page } = model;
  if (page.kind === "list") {
    // Paging keeps the picked task at its height on the screen.
    const top = kind.startsWith("page") ? model.top + by : model.top;
    return inView({ ...model, at: model.at + by, top });
  }
  if (page.kind === "log") {
    const up = Math.min(page.lines.length, Math.max(0, page.up - by));
    return { ...model, page: { ...page, up } };
  }
  const lines = renderTaskPage(page, model.now, lineWidth(model.size.columns)).length;
  const top = Math.max(0, Math.min(page.top + by, Math.max(0, lines - rows)));
  return { ...model, page: { ...page, top } };
}
