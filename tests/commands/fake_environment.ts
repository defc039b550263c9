/** A fake environment for commands: no terminal, no variables, no network. */
import {
  type Directories,
  RunProgress,
  type TaskEvent,
  type TaskOutcome,
  type TaskResult,
  type TimeReport,
} from "../../core/mod.ts";
import type { Core, Environment, Input, Output } from "../../commands/environment.ts";
import type { StopSignal } from "../../commands/ui/failure.ts";

/** Applies each event at the time that it carries. */
export class StampedProgress extends RunProgress {
  override apply(event: TaskEvent, nowMs = event.time): TimeReport | undefined {
    return super.apply(event, nowMs);
  }
}

export interface FakeOutput extends Output {
  text: string;
  readonly shut: AbortController;
}

export function fakeOutput({ terminal = false, columns = 80, rows = 24 } = {}): FakeOutput {
  const shut = new AbortController();
  return {
    text: "",
    terminal,
    shut,
    closed: shut.signal,
    write(text) {
      this.text += text;
    },
    writeSoon(text) {
      this.text += text;
      return Promise.resolve();
    },
    writeBytes(bytes) {
      if (shut.signal.aborted) return Promise.reject(shut.signal.reason);
      this.text += new TextDecoder().decode(bytes);
      return Promise.resolve();
    },
    size: () => ({ columns, rows }),
  };
}

/** Thrown instead of ending the process. */
export class Exited extends Error {
  constructor(readonly code: number) {
    super(`Exited with ${code}`);
  }
}

/** A keyboard that returns what is typed, and records whether the terminal is in raw mode. */
export class FakeInput implements Input {
  isRaw = false;
  readonly #typed: Uint8Array[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(readonly terminal = false) {}

  type(text: string): void {
    this.#typed.push(new TextEncoder().encode(text));
    this.#wake.resolve();
  }

  raw(): Disposable {
    this.isRaw = true;
    return { [Symbol.dispose]: () => void (this.isRaw = false) };
  }

  async *read(signal: AbortSignal): AsyncIterable<Uint8Array> {
    signal.addEventListener("abort", () => this.#wake.resolve(), { once: true });
    while (!signal.aborted) {
      const next = this.#typed.shift();
      if (next !== undefined) yield next;
      else {
        await this.#wake.promise;
        this.#wake = Promise.withResolvers();
      }
    }
  }
}

export interface FakeEnvironment extends Environment {
  readonly stdin: FakeInput;
  readonly stdout: FakeOutput;
  readonly stderr: FakeOutput;
  /** Simulates a signal. */
  send(signal: StopSignal): void;
  /** Simulates a resize. */
  changeTerminal(): void;
}

export function fakeEnvironment(
  { core = {}, env = {}, directory = "/nowhere", stdin, stdout, stderr }: {
    core?: Partial<Core>;
    env?: Record<string, string>;
    directory?: string;
    stdin?: FakeInput;
    stdout?: FakeOutput;
    stderr?: FakeOutput;
  } = {},
): FakeEnvironment {
  const handlers = new Set<(signal: StopSignal) => void>();
  const terminalHandlers = new Set<() => void>();
  return {
    core: {
      directoriesOf: () => directoriesIn(directory),
      resolveNames: asTheyAre,
      nearbySeeds: () => Promise.resolve([]),
      ...core,
    } as Core,
    version: "1.2.3",
    stdin: stdin ?? new FakeInput(),
    stdout: stdout ?? fakeOutput(),
    stderr: stderr ?? fakeOutput(),
    platform: "linux",
    env: (name) => env[name],
    now: () => 1000,
    wallTime: () => 1000,
    // One turn of the event loop instead of the time.
    sleep: () => new Promise((resolve) => setTimeout(resolve, 0)),
    onSignal(handler) {
      handlers.add(handler);
      return { [Symbol.dispose]: () => void handlers.delete(handler) };
    },
    onTerminalChange(handler) {
      terminalHandlers.add(handler);
      return { [Symbol.dispose]: () => void terminalHandlers.delete(handler) };
    },
    exit(code) {
      throw new Exited(code);
    },
    changeTerminal: () => terminalHandlers.forEach((handler) => handler()),
    send: (signal) => handlers.forEach((handler) => handler(signal)),
  };
}

/** Without globs, names resolve to themselves. */
function asTheyAre(patterns: readonly string[]): Promise<{ name: string }[]> {
  return Promise.resolve(patterns.map((name) => ({ name })));
}

export function directoriesIn(directory: string): Directories {
  return { config: directory, state: directory, cache: directory };
}

type Bare<Event> = Event extends unknown ? Omit<Event, "task" | "time"> : never;

/** An event of task `t1` at noon, local time. */
export function event(bare: Bare<TaskEvent>, { task = "t1", at = 0 } = {}): TaskEvent {
  return { ...bare, task, time: NOON + at } as TaskEvent;
}

export const NOON = new Date(2026, 10, 22, 12, 0, 0).getTime();

export function resultOf(changes: Partial<TaskResult> = {}): TaskResult {
  return {
    path: "out/a.iso",
    size: 2048,
    sha256: "ab".repeat(32),
    id: "cd".repeat(32),
    verified: true,
    elapsedMs: 2000,
    bytesBySeed: { "nas1:7270": 1536, "nas2:7270": 512 },
    how: "downloaded",
    ...changes,
  };
}

export function doneOutcome(name: string): TaskOutcome {
  const outcome = { ok: true, result: resultOf({ path: name }) } as const;
  return { task: name, name, state: "done", outcome };
}

export function failedOutcome(
  name: string,
  code: Extract<TaskOutcome["outcome"], { ok: false }>["failure"]["code"],
): TaskOutcome {
  const failure = { code, message: `Cannot get "${name}": because` };
  return { task: name, name, state: "failed", outcome: { ok: false, failure } };
}
