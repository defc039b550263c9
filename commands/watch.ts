/** `p2p status --watch` on a terminal: keys and looks at the tasks go into the model, frames and orders come out. */
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
import { wantsOver, type WatchCommand, watchModel } from "./ui/watch/model.ts";
import { reduce, type WatchEvent } from "./ui/watch/reduce.ts";
import { renderWatch } from "./ui/watch/screen.ts";

/** Processes tell how they stand twice a second; a person reads no faster than this. */
const LOOK_MS = 1000;
/** Looking at a very long queue takes its time: no more than a tenth of it all. */
const LOOK_SHARE = 10;
/** More waiting tasks are counted, but cannot be picked. */
const MAX_WAITING_TASKS = 10_000;
/** News that come together are painted together. */
const PAINT_MS = 20;

/**
 * Shows the tasks until somebody has seen enough.
 *
 * @param task to look into from the beginning.
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
    // The process ends on the spot: nobody else would give the terminal back.
    told: (times) => times > 1 && giveBack(screen, typing),
  });
  const { closed } = environment.stdout;
  const signal = AbortSignal.any([interruption.signal, closed]);
  await using watch = new Watch(environment, directories, screen, signal, task);
  await watch.untilEnd();
  const stoppedBy = watch.interrupted ? "SIGINT" : interruption.stoppedBy();
  if (stoppedBy !== undefined) throw new Interrupted(stoppedBy);
}

function giveBack(screen: Disposable, typing: Disposable | undefined): void {
  screen[Symbol.dispose]();
  typing?.[Symbol.dispose]();
}

class Watch implements AsyncDisposable {
  interrupted = false;
  readonly #environment: Environment;
  readonly #directories: Directories;
  readonly #screen: FullScreen;
  readonly #jobs: TaskGroup;
  readonly #terminal: Disposable;
  readonly #end = Promise.withResolvers<void>();
  #model;
  #looking: Promise<void> | undefined;
  #lookAt: number | undefined;
  #paintAt: number | undefined;
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
    this.#terminal = environment.onTerminalChange(() => this.#repaint());
  }

  /** Until somebody pressed a key for it, or a signal came. @throws what could not be read. */
  async untilEnd(): Promise<void> {
    this.#paint();
    if (this.#environment.stdin.terminal) this.#jobs.spawn((signal) => this.#type(signal));
    this.#look();
    if (!this.#jobs.signal.aborted) await this.#end.promise;
    this.#jobs.abort();
    await this.#jobs.join();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#terminal[Symbol.dispose]();
    await this.#jobs[Symbol.asyncDispose]();
    clearTimeout(this.#lookAt);
    clearTimeout(this.#paintAt);
  }

  #take(fact: WatchEvent): void {
    const { model, orders } = reduce(this.#model, fact);
    this.#model = model;
    for (const order of orders) this.#obey(order);
    this.#paintAt ??= setTimeout(() => this.#paint(), PAINT_MS);
  }

  #obey(order: WatchCommand): void {
    switch (order.kind) {
      case "look":
        return this.#look();
      case "control":
        return this.#jobs.spawn(() => this.#control(order.task, order.order));
      case "open-log":
        return this.#openLog(order.task);
      case "close-log":
        return this.#log?.abort();
      case "end":
        this.interrupted = order.interrupted;
        return this.#end.resolve();
    }
  }

  #paint(): void {
    this.#paintAt = undefined;
    const size = this.#environment.stdout.size();
    if (size.columns !== this.#model.size.columns || size.rows !== this.#model.size.rows) {
      // Whatever the terminal made of the old lines.
      this.#screen.forget();
      this.#model = reduce(this.#model, { kind: "resized", size }).model;
    }
    this.#screen.paint(renderWatch(this.#model));
  }

  /** Another size, or another program had the terminal meanwhile. */
  #repaint(): void {
    const { stdin } = this.#environment;
    if (stdin.terminal) stdin.raw();
    this.#screen.forget();
    this.#take({ kind: "resized", size: this.#environment.stdout.size() });
  }

  /** Looks at all tasks, now and again and again; once more when it is looking already. */
  #look(): void {
    clearTimeout(this.#lookAt);
    if (this.#jobs.signal.aborted) return;
    const before = this.#looking ?? Promise.resolve();
    const looking = this.#looking = before.then(async () => {
      // Somebody asked again meanwhile: the last one looks for all.
      if (this.#looking !== looking || this.#jobs.signal.aborted) return;
      const tookMs = await this.#lookOnce();
      this.#lookAt = setTimeout(() => this.#look(), Math.max(LOOK_MS, LOOK_SHARE * tookMs));
    });
    this.#jobs.spawn(() => looking);
  }

  async #lookOnce(): Promise<number> {
    const { core, now, wallTime } = this.#environment;
    const startedAt = now();
    const options = { all: wantsOver(this.#model) };
    const overview = await core.overview(this.#directories, MAX_WAITING_TASKS, options);
    this.#take({ kind: "looked", overview, now: wallTime() });
    await this.#explain();
    return now() - startedAt;
  }

  /** Looks up how the task that is looked into stands, and what limits it. */
  async #explain(): Promise<void> {
    const { page } = this.#model;
    if (page.kind === "list") return;
    try {
      const theCase = await this.#environment.core.why(this.#directories, page.task.task);
      this.#take({ kind: "explained", theCase });
    } catch (error) {
      // Its record is gone: the page shows what was seen last.
      if (!(error instanceof P2pError)) throw error;
    }
  }

  async #control(task: TaskStatus, order: ControlAction): Promise<void> {
    try {
      const obedience = await this.#environment.core.control(this.#directories, task, order);
      this.#take({ kind: "told", text: renderControlOutcome(order, task, obedience) });
    } catch (error) {
      if (!(error instanceof P2pError)) throw error;
      this.#take({ kind: "told", text: error.message });
    }
    this.#look();
  }

  #openLog(task: string): void {
    this.#log?.abort();
    const log = this.#log = new AbortController();
    this.#jobs.spawn((signal) => this.#followLog(task, AbortSignal.any([signal, log.signal])));
  }

  async #followLog(task: string, signal: AbortSignal): Promise<void> {
    const { core } = this.#environment;
    const fresh: string[] = [];
    let tellAt: number | undefined;
    const tell = () => {
      tellAt = undefined;
      this.#take({ kind: "logged", task, lines: fresh.splice(0) });
    };
    try {
      for await (const lines of core.logLines(this.#directories, task, { follow: true }, signal)) {
        const matter = lines.filter(({ level }) => reaches(level, "info"));
        fresh.push(...matter.map(renderLogLine));
        // What is told in bursts is painted in one go.
        tellAt ??= setTimeout(tell, PAINT_MS);
      }
      if (tellAt !== undefined && !signal.aborted) tell();
    } finally {
      clearTimeout(tellAt);
    }
  }

  async #type(signal: AbortSignal): Promise<void> {
    await readKeys(this.#environment.stdin, (key) => this.#take({ kind: "key", key }), signal);
    // Nobody types any more: the terminal is gone.
    this.#end.resolve();
  }
}

/** A terminal sends a whole sequence at once: what comes later was typed later. */
const ESCAPE_MS = 50;

/** Calls `press` with each key, until `signal` aborts or the terminal is gone. */
export async function readKeys(
  stdin: Input,
  press: (key: Key) => void,
  signal: AbortSignal,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  let escapeAt: number | undefined;
  try {
    for await (const bytes of stdin.read(signal)) {
      clearTimeout(escapeAt);
      const parsed = parseKeys(rest + decoder.decode(bytes, { stream: true }));
      rest = parsed.rest;
      parsed.keys.forEach(press);
      if (rest === "") continue;
      escapeAt = setTimeout(() => {
        const keys = keysOfRest(rest);
        rest = "";
        keys.forEach(press);
      }, ESCAPE_MS);
    }
  } finally {
    clearTimeout(escapeAt);
  }
}
