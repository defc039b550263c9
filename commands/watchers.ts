/**
 * How `get` reports while it works: a block of bars on a terminal, plain lines, failures only; and
 * results on standard output. Each sink receives every event and never makes core wait.
 */
import type { Level, RunProgress, TaskEvent, TaskOutcome } from "../core/mod.ts";
import { type Environment, writeLines } from "./environment.ts";
import { Screen } from "./screen.ts";
import { reaches } from "./ui/event_text.ts";
import { HINT, type StopSignal } from "./ui/failure.ts";
import { withoutFolder } from "./ui/hints.ts";
import { JsonLines } from "./ui/json.ts";
import { renderEvent, renderTotal } from "./ui/plain.ts";
import { renderProgress } from "./ui/progress_block.ts";

const PAINT_INTERVAL_MS = 100;
const TOTAL_INTERVAL_MS = 30_000;

export interface WatcherOptions {
  readonly environment: Environment;
  readonly progress: RunProgress;
  readonly level: Level;
  /** As `--seed` names them, for the hints. */
  readonly seeds?: readonly string[] | undefined;
}

export interface Watcher {
  handle(event: TaskEvent): void;
  /** Writes something that is not an event. */
  note(lines: readonly string[]): void;
  /** Writes a failure that is not an event, even when quiet. */
  fail(lines: readonly string[]): void;
  /** Leaves the terminal as a finished command does; may be called more than once. */
  end(): void;
}

/** Bars on stderr, with permanent lines above them. */
export class BarWatcher implements Watcher {
  readonly #environment: Environment;
  readonly #screen: Screen;
  readonly #progress: RunProgress;
  readonly #linesOf: (event: TaskEvent) => string[];
  readonly #timer: number;
  #above: string[] = [];
  #lastHint: string | undefined;

  constructor(options: WatcherOptions) {
    const { environment, progress, level } = options;
    this.#environment = environment;
    this.#progress = progress;
    // The block shows what "info" would, except for finished files.
    this.#linesOf = eventLines({ ...options, level: level === "info" ? "warn" : level });
    this.#screen = new Screen(environment.stderr);
    this.#timer = setInterval(() => this.#paint(), PAINT_INTERVAL_MS);
  }

  handle(event: TaskEvent): void {
    this.#above.push(...this.#linesOf(event).filter((line) => !this.#isRepeatedHint(line)));
  }

  /** Hundreds of downloads may fail for one reason: each has a line, but the hint appears once. */
  #isRepeatedHint(line: string): boolean {
    if (!line.startsWith(HINT)) return false;
    const last = this.#lastHint;
    this.#lastHint = withoutFolder(line);
    return last === this.#lastHint;
  }

  fail(lines: readonly string[]): void {
    this.note(lines);
  }

  note(lines: readonly string[]): void {
    this.#above.push(...lines);
    this.#paint();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#screen.paint(this.#above.splice(0), []);
    this.#screen.clear();
  }

  #paint(): void {
    const { stderr, now } = this.#environment;
    const block = renderProgress(this.#progress, stderr.size(), now());
    this.#screen.paint(this.#above.splice(0), block);
  }
}

/** One line for each event on stderr, and a total at intervals. */
export class PlainWatcher implements Watcher {
  readonly #environment: Environment;
  readonly #linesOf: (event: TaskEvent) => string[];
  readonly #timer: number | undefined;

  constructor(options: WatcherOptions) {
    const { environment: { now, wallTime }, progress, level } = options;
    this.#environment = options.environment;
    this.#linesOf = eventLines(options);
    if (!reaches("info", level)) return;
    const total = () => this.note([renderTotal(progress.totals(now()), wallTime())]);
    this.#timer = setInterval(total, TOTAL_INTERVAL_MS);
  }

  handle(event: TaskEvent): void {
    this.note(this.#linesOf(event));
  }

  fail(lines: readonly string[]): void {
    this.note(lines);
  }

  note(lines: readonly string[]): void {
    writeLines(this.#environment.stderr, lines);
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

/** Only failures on stderr and, unless quiet, downloads that could not be verified. */
export function quietWatcher(options: WatcherOptions, quiet: boolean): Watcher {
  const linesOf = eventLines({ ...options, level: "error" });
  const fail = (lines: readonly string[]) => writeLines(options.environment.stderr, lines);
  return {
    handle(event) {
      if (event.kind === "failed" || (event.kind === "done" && !quiet)) fail(linesOf(event));
    },
    fail,
    note() {},
    end() {},
  };
}

/** Writes stdout: JSON lines, or the path of each finished file for the next program in a pipe. */
export class ResultWriter {
  readonly #environment: Environment;
  readonly #json: JsonLines | undefined;
  readonly #startedAt: number;

  constructor({ environment, progress, seeds }: Omit<WatcherOptions, "level">, json: boolean) {
    this.#environment = environment;
    this.#json = json ? new JsonLines(progress, seeds) : undefined;
    this.#startedAt = environment.now();
  }

  handle(event: TaskEvent, stopped: StopSignal | undefined): void {
    const { stdout, now } = this.#environment;
    if (this.#json !== undefined) {
      writeLines(stdout, this.#json.linesOf(event, now(), stopped));
    } else if (event.kind === "done" && event.result.how !== "skipped" && !stdout.terminal) {
      writeLines(stdout, [event.result.path]);
    }
  }

  end(outcomes: readonly TaskOutcome[]): void {
    if (this.#json === undefined) return;
    const { stdout, now, wallTime } = this.#environment;
    writeLines(stdout, [this.#json.summary(outcomes, now() - this.#startedAt, wallTime())]);
  }
}

/** Thousands of these come for each download, so they are never a line. */
const PAYLOAD: ReadonlySet<TaskEvent["kind"]> = new Set([
  "received",
  "stored",
  "flight",
  "pieces",
  "line",
]);

/** Returns the lines of an event, if it matters and is not a repeat. */
function eventLines({ progress, level, seeds }: WatcherOptions): (event: TaskEvent) => string[] {
  const repeats = new RepeatFilter();
  return (event) => {
    if (PAYLOAD.has(event.kind)) return [];
    if (repeats.isRepeat(event) && level !== "debug") return [];
    const name = progress.nameOf(event.task) ?? event.task;
    const least = event.kind === "done" && level === "warn" ? "info" : level;
    return renderEvent(event, name, least, seeds);
  };
}

/** A seed that is unreachable fails again and again, for every download; that is news only once. */
export class RepeatFilter {
  /** The last reported trouble, by seed. */
  readonly #reported = new Map<string, string>();

  /** Whether `event` repeats what was last reported of its seed. */
  isRepeat(event: TaskEvent): boolean {
    if (event.kind !== "seed") return false;
    if (event.what === "failing") {
      const repeated = this.#reported.get(event.seed) === event.reason;
      this.#reported.set(event.seed, event.reason);
      return repeated;
    }
    // After an answer, the next trouble is news again.
    if (event.what !== "dropped") this.#reported.delete(event.seed);
    return false;
  }
}
