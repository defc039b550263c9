/**
 * The log of one task: a file of JSON Lines, one an event, which any process can
 * read. Most tasks are over before anybody could look, and went well: such a
 * short story gets no file of its own, because a file costs as much as a small
 * download. The only place that uses @std/log.
 */
import { Logger, RotatingFileHandler } from "@std/log";
import { join } from "@std/path";
import type { Clock } from "../base/clock.ts";
import { isTrouble, type Level, type TaskEvent, type TaskEventData } from "../events.ts";
import { PRIVATE_FILE } from "./folders.ts";
import { ignoringErrors } from "./errors.ts";

export interface LogLine {
  /** ISO 8601. */
  readonly time: string;
  readonly level: Level;
  readonly task: string;
  readonly event: TaskEventData;
}

/** A log is kept to twice this: some hundred thousand lines, and no disk is filled by one task. */
const MAX_BYTES = 8 * 1024 * 1024;
/** Nobody looks for the log of what began a moment ago; a process that is killed loses so much of it. */
export const HOLD_MS = 1000;
/** In that time a task tells of some pieces and seeds; a thousand tasks at a time may hold that much. */
const MAX_HELD = 100;

/** A log that cannot be written must not stop the download that it tells of, nor, when it closes at the end of the process, that end. */
class HarmlessHandler extends RotatingFileHandler {
  readonly #path: string;

  constructor(path: string) {
    super("DEBUG", {
      filename: path,
      mode: "a",
      maxBytes: MAX_BYTES,
      maxBackupCount: 1,
      formatter: ({ msg }) => msg,
      // A line that is only in memory is lost when it matters most.
      bufferSize: 0,
    });
    this.#path = path;
  }

  /** Makes the file readable for its user only; the handler would leave its mode to the umask. */
  override setup(): void {
    Deno.openSync(this.#path, { create: true, append: true, mode: PRIVATE_FILE }).close();
    super.setup();
  }

  override rotateLogFiles(): void {
    super.rotateLogFiles();
    if (Deno.build.os !== "windows") Deno.chmodSync(this.#path, PRIVATE_FILE);
  }

  override destroy(): void {
    ignoringErrors(() => super.destroy());
  }
}

export class TaskLog implements Disposable {
  readonly #path: string;
  readonly #clock: Clock;
  #held: TaskEvent[] = [];
  /** Until then lines are only held. */
  #holding: Disposable | undefined;
  #file: { readonly handler: HarmlessHandler; readonly logger: Logger } | undefined;

  /** @param goesOn whether an earlier run began it: then its file is there, and it is no short story. */
  constructor(stateDir: string, task: string, clock: Clock, goesOn = false) {
    this.#path = logPath(stateDir, task);
    this.#clock = clock;
    if (goesOn) this.#write();
  }

  add(event: TaskEvent): void {
    const level = levelOf(event);
    if (level === undefined) return;
    this.#held.push(event);
    // A thousand lines a second tell of pieces that came as they should: those go together.
    const urgent = level === "warn" || level === "error" || (this.#file && level === "info");
    if (urgent || this.#held.length > MAX_HELD) this.#write();
    else this.#holding ??= this.#clock.after(HOLD_MS, () => this.#write());
  }

  /** All that was told, when no line of it is in a file, to be kept elsewhere. */
  takeShort(): TaskEvent[] {
    return this.#held.splice(0);
  }

  [Symbol.dispose](): void {
    if (this.#held.length > 0) this.#write();
    this.#holding?.[Symbol.dispose]();
    this.#file?.handler.destroy();
    this.#file = undefined;
  }

  /** Writes what is held, all at once. */
  #write(): void {
    this.#holding?.[Symbol.dispose]();
    this.#holding = undefined;
    this.#file ??= openLog(this.#path);
    const lines = this.#held.splice(0).flatMap((event) => lineOf(event) ?? []);
    const text = lines.map((line) => JSON.stringify(line)).join("\n");
    const { logger } = this.#file;
    if (text !== "") ignoringErrors(() => logger.info(text));
  }
}

function openLog(path: string): { handler: HarmlessHandler; logger: Logger } {
  const handler = new HarmlessHandler(path);
  ignoringErrors(() => handler.setup());
  return { handler, logger: new Logger("task", "DEBUG", { handlers: [handler] }) };
}

/** The line for an event, or undefined for what gets none. */
export function lineOf(event: TaskEvent): LogLine | undefined {
  const level = levelOf(event);
  if (level === undefined) return undefined;
  const { task, time, ...rest } = event;
  return { time: new Date(time).toISOString(), level, task, event: rest };
}

export function logsFolder(stateDir: string): string {
  return join(stateDir, "logs");
}

export function logPath(stateDir: string, task: string): string {
  return join(logsFolder(stateDir), `${task}.jsonl`);
}

/**
 * undefined for what would only fill the disk. A log tells the whole story to who
 * asks for it later, so that what a screen passes over matters here; and that
 * somebody stopped a download is no error.
 */
function levelOf(event: TaskEvent): Level | undefined {
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
      return isTrouble(event.what) ? "warn" : "info";
    default:
      return "info";
  }
}
