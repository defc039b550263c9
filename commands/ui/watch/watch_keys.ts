/** What each key does in `status --watch`. */
import { type ControlAction, isOver, type TaskStatus } from "../../../core/mod.ts";
import type { Key, NamedKey } from "./keys.ts";
import { FILTERS } from "./watch_filter.ts";
import { stay, type Step, type WatchModel, withTasks } from "./watch_model.ts";
import { scroll } from "./watch_scroll.ts";

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
