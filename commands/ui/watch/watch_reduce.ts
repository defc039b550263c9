/** What keys and news make of `status --watch`: the next model, and what is to be done. */
import type { Overview, TaskCase } from "../../../core/mod.ts";
import type { Key } from "./keys.ts";
import type { ScreenSize } from "../progress.ts";
import { press } from "./watch_keys.ts";
import { inView, stay, type Step, type WatchModel, withTasks } from "./watch_model.ts";

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
