/** Reading a task's log: from its file, or, where its story was too short for one, from the run's record. */
import type { Clock } from "../base/clock.ts";
import { isOver, type TaskEvent } from "../events.ts";
import { HOLD_MS, lineOf, type LogLine, logPath } from "./task_log.ts";
import { readRuns, taskRunsOf } from "./run_reader.ts";
import { TaskArchive } from "./task_archive.ts";

/** How often a followed log is looked at. */
const FOLLOW_INTERVAL_MS = 200;

/**
 * The lines of a task's log, oldest first, those that are there now in one
 * array; with `follow` also those to come, until the task is over or `signal` aborts.
 */
export async function* readLog(
  stateDir: string,
  task: string,
  { follow }: { readonly follow: boolean },
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<LogLine[]> {
  const path = logPath(stateDir, task);
  const rotated = linesOf(await textOf(`${path}.1`));
  const told = new Set<string>();
  for (let text = "", first = true;; first = false) {
    const now = await textOf(path);
    // A shorter text is a new file: the old one was rotated away.
    const added = linesOf(now.slice(now.length < text.length ? 0 : text.length));
    const stored = first ? [...rotated, ...added] : added;
    const untold = now === "" && stored.length === 0;
    const lines = (untold ? await shortStory(stateDir, task) : stored)
      .filter((line) => isNews(line, told, untold));
    if (first || lines.length > 0) yield lines;
    // An earlier run may have ended it, and this one goes on: the last word counts.
    if (!follow || lines.slice(-1).some(endsTask)) return;
    // A line that is still being written is read next time.
    text = now.slice(0, now.lastIndexOf("\n") + 1);
    // The records of all runs are more to read than one log.
    await clock.sleep(untold ? HOLD_MS : FOLLOW_INTERVAL_MS, signal).catch(() => {});
    if (signal.aborted) return;
  }
}

/** A line that the record told before the task had a file comes again in the file. */
function isNews(line: LogLine, told: Set<string>, remember: boolean): boolean {
  if (!remember && told.size === 0) return true;
  const key = line.time + JSON.stringify(line.event);
  if (told.has(key)) return false;
  if (remember) told.add(key);
  return true;
}

/** What is recorded of a task that has no log: every change of its state, and how it ended. */
async function shortStory(stateDir: string, task: string): Promise<LogLine[]> {
  const runs = await readRuns(stateDir, (each) => each === task);
  const recorded = runs.flatMap((run) => taskRunsOf(run, task).get(task)?.events ?? []);
  // Looked at last: what was in no record by then has been archived.
  using archive = TaskArchive.open(stateDir);
  const archived = archive?.taskRun(task)?.events ?? [];
  const events = withoutRepeats([...archived, ...recorded]);
  return events.filter(isWhole).flatMap((event) => lineOf(event) ?? []);
}

/** A run may have been archived after its record was read: then it is in both. */
function withoutRepeats(events: readonly TaskEvent[]): TaskEvent[] {
  return Array.from(new Map(events.map((event) => [JSON.stringify(event), event])).values());
}

/** Anybody may have edited a record. */
function isWhole({ kind, time }: TaskEvent): boolean {
  return typeof kind === "string" && Math.abs(time) < 8.64e15;
}

function endsTask({ event }: LogLine): boolean {
  return event.kind === "done" || event.kind === "failed" ||
    (event.kind === "state" && isOver(event.state));
}

async function textOf(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  });
}

/** A line that a crash tore is passed over. */
function linesOf(text: string): LogLine[] {
  return text.split("\n").slice(0, -1).flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return isLogLine(value) ? [value] : [];
    } catch {
      return [];
    }
  });
}

function isLogLine(value: unknown): value is LogLine {
  const { time, level, event } = Object(value) as Record<string, unknown>;
  const { kind } = Object(event) as Record<string, unknown>;
  return typeof time === "string" && typeof level === "string" && typeof kind === "string";
}
