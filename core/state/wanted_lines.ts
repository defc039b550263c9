/**
 * Finds the lines of a long record that belong to a few tasks. A process that downloads a hundred
 * thousand files has a record of a hundred megabytes: parsing it takes seconds, searching it does not.
 */
import { isQueued, isTaskEvent, type QueuedLine } from "./record_shape.ts";
import { linesIn } from "./run_files.ts";

/** Which lines of a long record are read. */
export type Wanted = "unfinished" | ((task: string, name: string) => boolean);

/** Shorter records are parsed in a few milliseconds. */
const MIN_CHARACTERS = 256 * 1024;
/** Each task costs a search through the whole text; beyond this it is parsed. */
const MAX_TASKS = 8;

/** The lines of `text` that belong to the wanted tasks, in their order, and possibly others. */
export function wantedLines(text: string, wanted: Wanted): object[] {
  if (wanted === "unfinished") return unfinishedLines(text);
  if (text.length < MIN_CHARACTERS) return linesIn(text);
  const [header, ...queued] = linesAround(text, [0, ...positionsOf(text, '"queued"')]);
  const lines = new Map<number, object>();
  const tasks = new Set<string>();
  for (const { at, line } of [header!, ...queued]) {
    if (isQueued(line)) {
      const chosen = line.queued.tasks.filter(([task, name]) => wanted(task, name));
      for (const [task] of chosen) tasks.add(task);
      lines.set(at, { ...line, queued: { ...line.queued, tasks: chosen } });
    } else if (isTaskEvent(line) && line.kind === "queued") {
      if (!wanted(line.task, line.name)) continue;
      tasks.add(line.task);
      lines.set(at, line);
    } else if (at === 0) lines.set(at, line);
  }
  if (tasks.size > MAX_TASKS) return linesIn(text);
  for (const task of tasks) {
    const positions = positionsOf(text, `"task":"${task}"`);
    for (const { at, line } of linesAround(text, positions)) lines.set(at, line);
  }
  return Array.from(lines).sort(([a], [b]) => a - b).map(([, line]) => line);
}

/** The lines of `text` except those of tasks that are done. */
function unfinishedLines(text: string): object[] {
  if (text.length < MIN_CHARACTERS) return linesIn(text);
  const done = new Set<string>();
  for (const at of positionsOf(text, '"kind":"done"')) {
    const task = taskAfter(text, at, text.indexOf("\n", at));
    if (task !== undefined) done.add(task);
  }
  const lines: object[] = [];
  for (let at = 0, end = 0; (end = text.indexOf("\n", at) + 1) > 0; at = end) {
    const task = taskAfter(text, at, end);
    if (task !== undefined && done.has(task)) continue;
    const [line] = linesIn(text.slice(at, end));
    if (line === undefined) continue;
    lines.push(isQueued(line) ? without(line, done) : line);
  }
  return lines;
}

function without(line: QueuedLine, tasks: ReadonlySet<string>): QueuedLine {
  const left = line.queued.tasks.filter(([task]) => !tasks.has(task));
  return { ...line, queued: { ...line.queued, tasks: left } };
}

/** The task of the event between two positions. Inside a JSON string these quotes would be escaped. */
function taskAfter(text: string, from: number, to: number): string | undefined {
  const words = '"task":"';
  // `indexOf` on the whole text would search all of it for a line without a task.
  const line = text.slice(from, to);
  const at = line.indexOf(words);
  if (at < 0) return undefined;
  return line.slice(at + words.length, line.indexOf('"', at + words.length));
}

function positionsOf(text: string, words: string): number[] {
  const positions: number[] = [];
  for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + words.length)) {
    positions.push(at);
  }
  return positions;
}

/** The lines at these positions, each with its start; an incomplete line is still being written. */
function linesAround(
  text: string,
  positions: readonly number[],
): { readonly at: number; readonly line: object }[] {
  const found: { at: number; line: object }[] = [];
  let end = -1;
  for (const position of positions) {
    // In the same line as the position before.
    if (position < end) continue;
    const at = position === 0 ? 0 : text.lastIndexOf("\n", position) + 1;
    end = text.indexOf("\n", position) + 1;
    if (end === 0) break;
    const [line] = linesIn(text.slice(at, end));
    found.push({ at, line: line ?? {} });
  }
  return found;
}
