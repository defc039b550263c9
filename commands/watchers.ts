/**
 * Those who look on while `get` works: a block on a terminal, plain lines, JSON
 * lines, or only failures. Each gets every event; none ever makes core wait.
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

const PAINT_EVERY_MS = 100;
const TOTAL_EVERY_MS = 30_000;

export interface Watcher {
  handle(event: TaskEvent): void;
  /** Says something that is no event. */
  note(lines: readonly string[]): void;
  /** Says what failed that is no event: quiet or not. */
  fail(lines: readonly string[]): void;
  /** Leaves the terminal as a finished command does; may be called more than once. */
  end(): void;
}

/** Bars on stderr; what must stay is written above them. */
export class BarWatcher implements Watcher {
  readonly #environment: Environment;
  readonly #screen: Screen;
  readonly #progress: RunProgress;
  readonly #lines: EventLines;
  readonly #timer: number;
  #above: string[] = [];
  #lastHint: string | undefined;

  constructor(
    environment: Environment,
    progress: RunProgress,
    least: Level,
    seeds?: readonly string[],
  ) {
    this.#environment = environment;
    this.#progress = progress;
    // The block itself tells what "info" would, but for what is done.
    this.#lines = new EventLines(progress, least === "info" ? "warn" : least, seeds);
    this.#screen = new Screen(environment.stderr);
    this.#timer = setInterval(() => this.#paint(), PAINT_EVERY_MS);
  }

  handle(event: TaskEvent): void {
    this.#above.push(...this.#lines.of(event).filter((line) => !this.#isOldHint(line)));
  }

  /** Hundreds may fail for one reason: a line each, and what to do about it once. */
  #isOldHint(line: string): boolean {
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

/** A line an event on stderr, and one for all now and then. */
export class PlainWatcher implements Watcher {
  readonly #environment: Environment;
  readonly #progress: RunProgress;
  readonly #lines: EventLines;
  readonly #timer: number | undefined;

  constructor(
    environment: Environment,
    progress: RunProgress,
    least: Level,
    seeds?: readonly string[],
  ) {
    this.#environment = environment;
    this.#progress = progress;
    this.#lines = new EventLines(progress, least, seeds);
    if (!reaches("info", least)) return;
    this.#timer = setInterval(() => this.#total(), TOTAL_EVERY_MS);
  }

  handle(event: TaskEvent): void {
    this.note(this.#lines.of(event));
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

  #total(): void {
    const { now, wallTime } = this.#environment;
    this.note([renderTotal(this.#progress.totals(now()), wallTime())]);
  }
}

/** Nothing on stderr but failures and, unless quiet, downloads that could not be verified. */
export class QuietWatcher implements Watcher {
  readonly #environment: Environment;
  readonly #lines: EventLines;
  readonly #shown: ReadonlySet<TaskEvent["kind"]>;

  constructor(
    environment: Environment,
    progress: RunProgress,
    quiet: boolean,
    seeds?: readonly string[],
  ) {
    this.#environment = environment;
    this.#lines = new EventLines(progress, "error", seeds);
    this.#shown = new Set(quiet ? ["failed"] : ["failed", "done"]);
  }

  handle(event: TaskEvent): void {
    if (!this.#shown.has(event.kind)) return;
    writeLines(this.#environment.stderr, this.#lines.of(event));
  }

  fail(lines: readonly string[]): void {
    writeLines(this.#environment.stderr, lines);
  }

  note(): void {}
  end(): void {}
}

/** What goes to stdout: JSON lines, or the path of each finished file for the next program in a pipe. */
export class ResultWriter {
  readonly #environment: Environment;
  readonly #json: JsonLines | undefined;
  readonly #startedAt: number;

  constructor(
    environment: Environment,
    progress: RunProgress,
    json: boolean,
    seeds?: readonly string[],
  ) {
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

const PAYLOAD: ReadonlySet<TaskEvent["kind"]> = new Set(["received", "stored", "flight", "pieces"]);

/** The lines of events that matter, and say something new. */
class EventLines {
  readonly #progress: RunProgress;
  readonly #least: Level;
  readonly #seeds: readonly string[];
  readonly #repeats = new Repeats();

  /** @param seeds as `--seed` names them, for the hints. */
  constructor(progress: RunProgress, least: Level, seeds: readonly string[] = []) {
    this.#progress = progress;
    this.#least = least;
    this.#seeds = seeds;
  }

  of(event: TaskEvent): string[] {
    // Payload comes by the thousand, and is never a line.
    if (PAYLOAD.has(event.kind)) return [];
    if (this.#repeats.isRepeat(event) && this.#least !== "debug") return [];
    const name = this.#progress.task(event.task)?.name ?? event.task;
    const least = event.kind === "done" && this.#least === "warn" ? "info" : this.#least;
    return renderEvent(event, name, least, this.#seeds);
  }
}

export class Repeats {
  /** The last trouble told, by seed. */
  readonly #told = new Map<string, string>();

  /** Whether `event` says again what was said of its seed last. */
  isRepeat(event: TaskEvent): boolean {
    if (event.kind !== "seed") return false;
    if (event.what === "failing") {
      const repeated = this.#told.get(event.seed) === event.reason;
      this.#told.set(event.seed, event.reason);
      return repeated;
    }
    // An answer makes the next trouble news again.
    if (event.what !== "dropped") this.#told.delete(event.seed);
    return false;
  }
}
