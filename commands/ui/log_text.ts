/** A stored line of a task's log as a line for people. */
import type { LogLine, TaskEvent } from "../../core/mod.ts";
import { eventText } from "./event_text.ts";
import { formatMoment } from "./units.ts";

export function renderLogLine(line: LogLine): string {
  const time = Date.parse(line.time);
  const event = { ...line.event, task: line.task, time } as TaskEvent;
  const moment = Number.isNaN(time) ? "-" : formatMoment(time);
  return `${moment} ${line.level.padEnd(5)} ${eventText(event)}`;
}
