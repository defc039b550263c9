/**
 * Finds the lines of a long record that tell of a few tasks. A process that downloads a hundred thousand
 * files has a record of a hundred megabytes: to parse all of it takes seconds, to search it does not.
 */
import { isQueued, isTaskEvent } from "./record_shape.ts";
import { linesIn } from "./run_files.ts";

export type Wanted = (task: string, name: string) => boolean;

/** A shorter record is parsed in a few milliseconds. */
const MIN_CHARACTERS = 256 * 1024;
/** Each costs a search through all of the text; for more tasks it is parsed. */
const MAX_TASKS = 8;

/** The lines of `text` about the tasks that are wanted, in their order, and all others where that is simpler. */
export function wantedLines(text: string, wanted: Wanted): object[] {
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

function positionsOf(text: string, words: string): number[] {
  const positions: number[] = [];
  for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + words.length)) {
    positions.push(at);
  }
  return positions;
}

/** The lines at these positions, each with where it begins; a line without its end is still being written. */
function linesAround(
  text: string,
  positions: readonly number[],
): { readonly at: number; readonly line: object }[] {
  const found: { at: number; line: object }[] = [];
  let end = -1;
  for (const position of positions) {
    // Another word of the line before.
    if (position < end) continue;
    const at = position === 0 ? 0 : text.lastIndexOf("\n", position) + 1;
    end = text.indexOf("\n", position) + 1;
    if (end === 0) break;
    const [line] = linesIn(text.slice(at, end));
    found.push({ at, line: line ?? {} });
  }
  return found;
}
