/** How much an event matters to somebody who looks on, and what is too little to be told. */
import { isTrouble, type Level, LEVELS, type TaskEvent } from "../../core/mod.ts";

export function reaches(level: Level, least: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}

/** On a screen only what changes something is news; a task's log, which core keeps, says more. */
export function levelOf(event: TaskEvent): Level {
  switch (event.kind) {
    case "failed":
      return "error";
    case "note":
      return event.level;
    case "seed":
      return isTrouble(event.what) ? "warn" : event.what === "back" ? "info" : "debug";
    case "state":
      // Somebody said so, maybe in another terminal.
      return event.state === "paused" || event.state === "cancelled" ? "info" : "debug";
    case "found":
    case "target":
    case "resumed":
    case "done":
      return "info";
    case "queued":
    case "pieces":
    case "flight":
    case "received":
    case "stored":
      return "debug";
  }
}
