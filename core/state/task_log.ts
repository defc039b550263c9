/**
 * The log of a task: a file of JSON Lines, one per event, that any process can read. A task that ends
 * well within `LOG_DELAY_MS` gets no file, because creating one costs as much as a small download: its
 * log is read from the record of its run. Only this file uses @std/log.
 */
import { Logger, type LogRecord, RotatingFileHandler } from "@std/log";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import * as is from "../base/guards.ts";
import { isOver, isTrouble, type Level, type TaskEvent, type TaskEventData } from "../events.ts";
import { linesIn } from "./run_files.ts";
import { readRuns, taskRunsOf } from "./run_reader.ts";
import { ignoringErrors, PRIVATE_FILE } from "./state_files.ts";
import { openArchive } from "./archive.ts";

/** One line of a log. */
export interface LogLine {
  /** ISO 8601, in UTC. */
  readonly time: string;
  /** How important it is. */
  readonly level: Level;
  /** The task's id. */
  readonly task: string;
  /** What happened. Another version may have written it, with kinds and fields that are unknown here. */
  readonly event: TaskEventData;
}

/** The log of one task takes at most twice this, because one old file is kept. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;
/** How long lines of a new task are kept in memory, and how much a killed process loses. */
export const LOG_DELAY_MS = 1000;
/** Limits the memory of a thousand tasks that run at a time. */
const MAX_BUFFERED_EVENTS = 100;
const FOLLOW_INTERVAL_MS = 200;

export function logsFolder(stateDir: string): string {
  return join(stateDir, "logs");
}

function logPath(stateDir: string, task: string): string {
  return join(logsFolder(stateDir), `${task}.jsonl`);
}

/** Rotates the file of a task, and keeps it readable by its user only. */
class TaskLogHandler extends RotatingFileHandler {
  readonly #path: string;

  constructor(path: string) {
    super("DEBUG", {
      filename: path,
      mode: "a",
      maxBytes: MAX_FILE_BYTES,
      maxBackupCount: 1,
      formatter: formatRecord,
    });
    this.#path = path;
  }

  override setup(): void {
    // The base class would leave the mode to the umask.
    Deno.openSync(this.#path, { create: true, append: true, mode: PRIVATE_FILE }).close();
    super.setup();
  }

  override rotateLogFiles(): void {
    super.rotateLogFiles();
    if (Deno.build.os !== "windows") Deno.chmodSync(this.#path, PRIVATE_FILE);
  }

  /** Called at the end of the process, too, which a full disk must not disturb. */
  override destroy(): void {
    ignoringErrors(() => super.destroy());
  }
}

function formatRecord({ levelName, args: [event] }: LogRecord): string {
  return JSON.stringify(lineOf(event as TaskEvent, levelName.toLowerCase() as Level));
}

/** Errors while writing are ignored: they must not stop the download. */
export class TaskLog implements Disposable {
  readonly #path: string;
  readonly #clock: Clock;
  #buffer: TaskEvent[] = [];
  /** The timer that writes the buffer. */
  #delay: Disposable | undefined;
  #logger: Logger | undefined;
  #handler: TaskLogHandler | undefined;

  /** @param continued whether an earlier run began the log. */
  constructor(stateDir: string, task: string, clock: Clock, continued = false) {
    this.#path = logPath(stateDir, task);
    this.#clock = clock;
    if (continued) this.#write();
  }

  add(event: TaskEvent): void {
    const level = levelOf(event);
    if (level === undefined) return;
    this.#buffer.push(event);
    // There may be a thousand "debug" lines a second: these are written together.
    const isUrgent = level === "warn" || level === "error" || (this.#handler && level === "info");
    if (isUrgent || this.#buffer.length > MAX_BUFFERED_EVENTS) this.#write();
    else this.#delay ??= this.#clock.after(LOG_DELAY_MS, () => this.#write());
  }

  /** Takes the events that are in no file yet. */
  takeBuffered(): TaskEvent[] {
    return this.#buffer.splice(0);
  }

  [Symbol.dispose](): void {
    if (this.#buffer.length > 0) this.#write();
    this.#delay?.[Symbol.dispose]();
    this.#handler?.destroy();
    this.#handler = this.#logger = undefined;
  }

  #write(): void {
    this.#delay?.[Symbol.dispose]();
    this.#delay = undefined;
    ignoringErrors(() => {
      const logger = this.#logger ??= this.#open();
      for (const event of this.#buffer.splice(0)) logger[levelOf(event)!](event.kind, event);
      // Lines that are only in memory are lost when they matter most.
      this.#handler!.flush();
    });
  }

  #open(): Logger {
    const handler = this.#handler = new TaskLogHandler(this.#path);
    ignoringErrors(() => handler.setup());
    return new Logger("task", "DEBUG", { handlers: [handler] });
  }
}

function lineOf({ task, time, ...event }: TaskEvent, level: Level): LogLine {
  return { time: new Date(time).toISOString(), level, task, event };
}

/**
 * undefined for events that are not logged. A log is the complete history of a task, so it has more
 * than a screen; an interruption by the user is no error.
 */
function levelOf(event: TaskEvent): Level | undefined {
  switch (event.kind) {
    case "received":
    case "given":
    case "pieces":
    case "flight":
      return undefined;
    case "line":
    case "stored":
      return "debug";
    case "failed":
      return event.failure.code === "interrupted" ? "info" : "error";
    case "note":
      return event.level;
    case "seed":
      return isTrouble(event.what) ? "warn" : "info";
    default:
      return "info";
  }
}

/**
 * The lines of a task's log, oldest first: those that exist now in one array; with `follow` also later
 * ones, until the task is over or `signal` aborts. Without a file, the records of its runs are read.
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
  const fromRecord = new Set<string>();
  for (let text = "", first = true;; first = false) {
    const current = await textOf(path);
    // A shorter text is a new file: the old one was rotated.
    const added = linesOf(current.slice(current.length < text.length ? 0 : text.length));
    const stored = first ? [...rotated, ...added] : added;
    const hasFile = current !== "" || stored.length > 0;
    const lines = (hasFile ? stored : await recordedLines(stateDir, task))
      .filter((line) => isNew(line, fromRecord, !hasFile));
    if (first || lines.length > 0) yield lines;
    // An earlier run may have ended the task and this one continues it: the last line counts.
    if (!follow || lines.slice(-1).some(endsTask)) return;
    // An incomplete line is read again next time.
    text = current.slice(0, current.lastIndexOf("\n") + 1);
    // Reading all records takes longer than reading one log.
    await clock.sleep(hasFile ? FOLLOW_INTERVAL_MS : LOG_DELAY_MS, signal).catch(() => {});
    if (signal.aborted) return;
  }
}

/** Lines that came from the record before the task had a file are in the file again. */
function isNew(line: LogLine, fromRecord: Set<string>, isFromRecord: boolean): boolean {
  if (!isFromRecord && fromRecord.size === 0) return true;
  const key = line.time + JSON.stringify(line.event);
  if (fromRecord.has(key)) return false;
  if (isFromRecord) fromRecord.add(key);
  return true;
}

async function recordedLines(stateDir: string, task: string): Promise<LogLine[]> {
  const runs = await readRuns(stateDir, (each) => each === task);
  const recorded = runs.flatMap((run) => taskRunsOf(run, task).get(task)?.events ?? []);
  // Read last: a run may be archived meanwhile, and is then in both.
  using archive = await openArchive(stateDir);
  const archived = archive?.taskRun(task)?.events ?? [];
  const events = new Map([...archived, ...recorded].map((event) => [JSON.stringify(event), event]));
  return Array.from(events.values()).flatMap((event) => {
    const level = levelOf(event);
    return level === undefined ? [] : [lineOf(event, level)];
  });
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

function linesOf(text: string): LogLine[] {
  return linesIn(text).filter((line): line is LogLine => isLogLine(line));
}

const isLogLine = is.object({
  time: is.string,
  level: is.string,
  event: is.object({ kind: is.string }),
});
