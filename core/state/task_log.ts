/**
 * The log of one task: a file of JSON Lines, one an event, which any process can
 * read. The only place that uses @std/log.
 */
import { Logger, RotatingFileHandler } from "@std/log";
import { join } from "@std/path";
import type { Clock } from "../base/clock.ts";
import { isOver, type TaskEvent, type TaskNews } from "../events.ts";
import { withoutHarm } from "./state_faults.ts";

export interface LogLine {
  /** ISO 8601. */
  readonly time: string;
  readonly level: LogLevel;
  readonly task: string;
  readonly event: TaskNews;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** A log is kept to twice this: some hundred thousand lines, and no disk is filled by one task. */
const MOST_BYTES = 8 * 1024 * 1024;

/** A log that cannot be written must not stop the download that it tells of, nor, when it closes at the end of the process, that end. */
class HarmlessHandler extends RotatingFileHandler {
  override destroy(): void {
    withoutHarm(() => super.destroy());
  }
}

export class TaskLog implements Disposable {
  readonly #task: string;
  readonly #handler: HarmlessHandler;
  readonly #logger: Logger;

  constructor(stateDir: string, task: string) {
    this.#task = task;
    this.#handler = new HarmlessHandler("DEBUG", {
      filename: logPath(stateDir, task),
      mode: "a",
      maxBytes: MOST_BYTES,
      maxBackupCount: 1,
      formatter: ({ msg }) => msg,
      // A line that is only in memory is lost when it matters most.
      bufferSize: 0,
    });
    withoutHarm(() => this.#handler.setup());
    this.#logger = new Logger("task", "DEBUG", { handlers: [this.#handler] });
  }

  add(event: TaskEvent): void {
    const level = levelOf(event);
    if (level === undefined) return;
    const { task: _task, time, ...rest } = event;
    const line: LogLine = {
      time: new Date(time).toISOString(),
      level,
      task: this.#task,
      event: rest,
    };
    withoutHarm(() => this.#logger[level](JSON.stringify(line)));
  }

  [Symbol.dispose](): void {
    this.#handler.destroy();
  }
}

export function logsFolder(stateDir: string): string {
  return join(stateDir, "logs");
}

function logPath(stateDir: string, task: string): string {
  return join(logsFolder(stateDir), `${task}.jsonl`);
}

/** undefined for what would only fill the disk. */
function levelOf(event: TaskEvent): LogLevel | undefined {
  switch (event.kind) {
    case "received":
    case "pieces":
    case "flight":
      return undefined;
    case "stored":
      return "debug";
    case "failed":
      return event.failure.code === "interrupted" ? "info" : "error";
    case "note":
      return event.level;
    case "seed":
      return event.what === "joined" || event.what === "back" ? "info" : "warn";
    default:
      return "info";
  }
}

/** How often a followed log is looked at. */
const FOLLOW_MS = 200;

/** All lines of a task's log, oldest first; with `follow` also those to come, until the task is over or `signal` aborts. */
export async function* readLog(
  stateDir: string,
  task: string,
  { follow }: { readonly follow: boolean },
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<LogLine> {
  const path = logPath(stateDir, task);
  yield* linesOf(await textOf(`${path}.1`));
  for (let text = "";;) {
    const now = await textOf(path);
    // A shorter text is a new file: the old one was rotated away.
    const fresh = linesOf(now.slice(now.length < text.length ? 0 : text.length));
    yield* fresh;
    // An earlier run may have ended it, and this one goes on: the last word counts.
    if (!follow || fresh.slice(-1).some(endsTask)) return;
    // A line that is still being written is read next time.
    text = now.slice(0, now.lastIndexOf("\n") + 1);
    await clock.sleep(FOLLOW_MS, signal).catch(() => {});
    if (signal.aborted) return;
  }
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
