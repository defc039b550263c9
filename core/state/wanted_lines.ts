/**
 * Finds the lines of a long record that belong to a few tasks. A process that downloads a hundred
 * thousand files has a record of a hundred megabytes: parsing it takes seconds, searching it does not.
 */
import { isQueued, isTaskEvent } from "./record_shape.ts";
import { linesIn } from "./run_files.ts";

/** Which lines of a long record are read. */
export type Wanted = "unfinished" | ((task: string, name: string) => boolean);

/** Shorter records are parsed in a few milliseconds. */
const MIN_CHARACTERS = 256 * 1024;

/** The lines of `text` without those of tasks that are not wanted. */
export function wantedLines(text: string, wanted: Wanted): object[] {
  if (text.length < MIN_CHARACTERS) return linesIn(text);
  const done = wanted === "unfinished" ? doneTasksIn(text) : new Set<string>();
  const isWanted = wanted === "unfinished" ? (task: string) => !done.has(task) : wanted;
  /** Names are only in the lines that queue a task, which come first. */
  const queued = new Map<string, boolean>();
  const lines: object[] = [];
  for (let at = 0, end = 0; (end = text.indexOf("\n", at) + 1) > 0; at = end) {
    const slice = text.slice(at, end);
    const task = taskIn(slice);
    if (task !== undefined && queued.get(task) === false) continue;
    const [line] = linesIn(slice);
    if (line === undefined) continue;
    if (isQueued(line)) {
      const { base, tasks } = line.queued;
      for (const [task, name] of tasks) queued.set(task, isWanted(task, name));
      lines.push({ ...line, queued: { base, tasks: tasks.filter(([task]) => queued.get(task)) } });
    } else if (isTaskEvent(line) && line.kind === "queued") {
      queued.set(line.task, isWanted(line.task, line.name));
      if (queued.get(line.task)) lines.push(line);
    } else lines.push(line);
  }
  return lines;
}

function doneTasksIn(text: string): Set<string> {
  const kind = '"kind":"done"';
  const done = new Set<string>();
  for (let at = text.indexOf(kind); at >= 0; at = text.indexOf(kind, at + 1)) {
    const task = taskIn(text.slice(at, text.indexOf("\n", at)));
    if (task !== undefined) done.add(task);
  }
  return done;
}

/** The task of the event in a line. Inside a JSON string these quotes would be escaped. */
function taskIn(line: string): string | undefined {
  const key = '"task":"';
  const at = line.indexOf(key);
  return at < 0 ? undefined : line.slice(at + key.length, line.indexOf('"', at + key.length));
}
