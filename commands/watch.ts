/** `p2p status --watch` on a terminal: keys and snapshots go into the model, frames and commands come out. */
import {
  type ControlAction,
  type Directories,
  P2pError,
  TaskGroup,
  type TaskStatus,
} from "../core/mod.ts";
import type { Environment, Input } from "./environment.ts";
import { Interrupted, interruptible } from "./exit.ts";
import { FullScreen } from "./screen.ts";
import { reaches, renderLogLine } from "./ui/event_text.ts";
import { renderControlOutcome } from "./ui/status.ts";
import { type Key, keysOfRest, parseKeys } from "./ui/watch/key_parser.ts";
import { wantsFinished, type WatchCommand, watchModel } from "./ui/watch/model.ts";
import { reduce, type WatchEvent } from "./ui/watch/reduce.ts";
import { renderWatch } from "./ui/watch/screen.ts";

/** Processes write their progress twice a second; once a second is enough for a reader. */
const POLL_INTERVAL_MS = 1000;
/** Reading a very long queue takes time: the pause is at least this many times as long. */
const POLL_PAUSE_FACTOR = 10;
/** Further waiting tasks are counted, but cannot be picked. */
const MAX_WAITING_TASKS = 10_000;
/** Events that arrive together are painted together. */
const PAINT_DELAY_MS = 20;
/** A terminal sends an escape sequence at once: what comes later is a key of its own. */
const ESCAPE_TIMEOUT_MS = 50;

/**
 * Shows the tasks until the user quits.
 *
 * @param task whose details are shown first.
 * @throws {Interrupted} after Ctrl-C or a signal.
 */
export async function watchTasks(
  environment: Environment,
  directories: Directories,
  task?: TaskStatus,
): Promise<void> {
  using screen = new FullScreen(environment.stdout);
  using typing = environment.stdin.terminal ? environment.stdin.raw() : undefined;
  using interruption = interruptible(environment, {
    onSignal(times) {
      if (times === 1) return;
      // The process exits now, so `using` would not restore the terminal.
      screen[Symbol.dispose]();
      typing?.[Symbol.dispose]();
    },
  });
  const signal = AbortSignal.any([interruption.signal, environment.stdout.closed]);
  await using watch = new Watch(environment, directories, screen, signal, task);
  await watch.untilEnd();
  if (watch.interrupted) throw new Interrupted("SIGINT");
  interruption.throwIfInterrupted();
}

class Watch implements AsyncDisposable {
  /** Whether the user pressed Ctrl-C, which is a key here. */
  interrupted = false;
  readonly #environment: Environment;
  readonly #directories: Directories;
  readonly #screen: FullScreen;
  readonly #jobs: TaskGroup;
  readonly #terminal: Disposable;
  readonly #end = Promise.withResolvers<void>();
  #model;
  #polling: Promise<void> | undefined;
  #pollTimer: number | undefined;
  #paintTimer: number | undefined;
  #log: AbortController | undefined;

  constructor(
    environment: Environment,
    directories: Directories,
    screen: FullScreen,
    signal: AbortSignal,
    task: TaskStatus | undefined,
  ) {
    this.#environment = environment;
    this.#directories = directories;
    this.#screen = screen;
    this.#model = watchModel(environment.stdout.size(), task);
    this.#jobs = new TaskGroup(signal);
    this.#jobs.signal.addEventListener("abort", () => this.#end.resolve(), { once: true });
    this.#terminal = environment.onTerminalChange(() => this.#restore());
  }

  /** Resolves when the user quits or a signal came. @throws what could not be read. */
  async untilEnd(): Promise<void> {
    this.#paint();
    if (this.#environment.stdin.terminal) this.#jobs.spawn((signal) => this.#readKeys(signal));
    this.#poll();
    if (!this.#jobs.signal.aborted) await this.#end.promise;
    this.#jobs.abort();
    await this.#jobs.join();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#terminal[Symbol.dispose]();
    await this.#jobs[Symbol.asyncDispose]();
    clearTimeout(this.#pollTimer);
    clearTimeout(this.#paintTimer);
  }

  #handle(event: WatchEvent): void {
    const { model, commands } = reduce(this.#model, event);
    this.#model = model;
    for (const command of commands) this.#run(command);
    this.#paintTimer ??= setTimeout(() => this.#paint(), PAINT_DELAY_MS);
  }

  #run(command: WatchCommand): void {
    switch (command.kind) {
      case "poll":
        return this.#poll();
      case "control":
        return this.#jobs.spawn(() => this.#control(command.task, command.action));
      case "open-log":
        return this.#openLog(command.task);
      case "close-log":
        return this.#log?.abort();
      case "end":
        this.interrupted = command.interrupted;
        return this.#end.resolve();
    }
  }

  #paint(): void {
    this.#paintTimer = undefined;
    const size = this.#environment.stdout.size();
    if (size.columns !== this.#model.size.columns || size.rows !== this.#model.size.rows) {
      // The terminal has moved or wrapped the old lines.
      this.#screen.forget();
      this.#model = reduce(this.#model, { kind: "resized", size }).model;
    }
    this.#screen.paint(renderWatch(this.#model));
  }

  /** The terminal was resized, or another program used it meanwhile. */
  #restore(): void {
    const { stdin } = this.#environment;
    if (stdin.terminal) stdin.raw();
    this.#screen.forget();
    this.#handle({ kind: "resized", size: this.#environment.stdout.size() });
  }

  /** Reads all tasks, now and at intervals; once more if it is reading already. */
  #poll(): void {
    clearTimeout(this.#pollTimer);
    if (this.#jobs.signal.aborted) return;
    const before = this.#polling ?? Promise.resolve();
    const polling = this.#polling = before.then(async () => {
      // A later request reads for this one, too.
      if (this.#polling !== polling || this.#jobs.signal.aborted) return;
      const pauseMs = Math.max(POLL_INTERVAL_MS, POLL_PAUSE_FACTOR * await this.#readTasks());
      this.#pollTimer = setTimeout(() => this.#poll(), pauseMs);
    });
    this.#jobs.spawn(() => polling);
  }

  /** @returns how many milliseconds it took. */
  async #readTasks(): Promise<number> {
    const { core, now, wallTime } = this.#environment;
    const startedAt = now();
    const options = { all: wantsFinished(this.#model) };
    const overview = await core.overview(this.#directories, MAX_WAITING_TASKS, options);
    this.#handle({ kind: "tasks", overview, now: wallTime() });
    const { page } = this.#model;
    if (page.kind !== "list") await this.#readDetails(page.task.task);
    return now() - startedAt;
  }

  async #readDetails(task: string): Promise<void> {
    try {
      const theCase = await this.#environment.core.why(this.#directories, task);
      this.#handle({ kind: "details", theCase });
    } catch (error) {
      // The record is gone: the page keeps what it last showed.
      if (!(error instanceof P2pError)) throw error;
    }
  }

  async #control(task: TaskStatus, action: ControlAction): Promise<void> {
    try {
      const outcome = await this.#environment.core.control(this.#directories, task, action);
      this.#handle({ kind: "message", text: renderControlOutcome(action, task, outcome) });
    } catch (error) {
      if (!(error instanceof P2pError)) throw error;
      this.#handle({ kind: "message", text: error.message });
    }
    this.#poll();
  }

  #openLog(task: string): void {
    this.#log?.abort();
    const log = this.#log = new AbortController();
    this.#jobs.spawn((signal) => this.#followLog(task, AbortSignal.any([signal, log.signal])));
  }

  async #followLog(task: string, signal: AbortSignal): Promise<void> {
    const { core } = this.#environment;
    const fresh: string[] = [];
    let timer: number | undefined;
    const flush = () => {
      timer = undefined;
      this.#handle({ kind: "logged", task, lines: fresh.splice(0) });
    };
    try {
      for await (const lines of core.logLines(this.#directories, task, { follow: true }, signal)) {
        fresh.push(...lines.filter(({ level }) => reaches(level, "info")).map(renderLogLine));
        // Lines that arrive in bursts are shown together.
        timer ??= setTimeout(flush, PAINT_DELAY_MS);
      }
      if (timer !== undefined && !signal.aborted) flush();
    } finally {
      clearTimeout(timer);
    }
  }

  async #readKeys(signal: AbortSignal): Promise<void> {
    await readKeys(this.#environment.stdin, (key) => this.#handle({ kind: "key", key }), signal);
    // No more keys can come: the terminal is gone.
    this.#end.resolve();
  }
}

/** Calls `onKey` with each key, until `signal` aborts or the terminal is gone. */
async function readKeys(
  stdin: Input,
  onKey: (key: Key) => void,
  signal: AbortSignal,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  let timer: number | undefined;
  try {
    for await (const bytes of stdin.read(signal)) {
      clearTimeout(timer);
      const parsed = parseKeys(rest + decoder.decode(bytes, { stream: true }));
      rest = parsed.rest;
      parsed.keys.forEach(onKey);
      if (rest === "") continue;
      timer = setTimeout(() => {
        const keys = keysOfRest(rest);
        rest = "";
        keys.forEach(onKey);
      }, ESCAPE_TIMEOUT_MS);
    }
  } finally {
    clearTimeout(timer);
  }
}
