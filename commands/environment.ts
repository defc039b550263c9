/** All that a command meets outside of itself, so that tests need no real terminal, environment or network. */
import type * as core from "../core/mod.ts";
import type { StopSignal } from "./ui/failure.ts";
import { lineWidth } from "./ui/width.ts";

/** What commands ask of core. */
export type Core = Pick<
  typeof core,
  | "asides"
  | "control"
  | "directoriesOf"
  | "tasksBeginning"
  | "download"
  | "findTask"
  | "list"
  | "logLines"
  | "overview"
  | "resolveNames"
  | "seedHealth"
  | "serve"
  | "setMax"
  | "runningMax"
  | "tasks"
  | "verify"
  | "why"
>;

/** Standard output or standard error. */
export interface Output {
  /** Whether a person looks at it. */
  readonly terminal: boolean;
  /** Aborts when nothing can be told any more; with a `P2pError` where that is a failure. */
  readonly closed: AbortSignal;
  /** Never throws: those who tell must not disturb those who work. */
  write(text: string): void;
  /** As `write`, but a reader that does not read holds up only who waits for this. One at a time. */
  writeSoon(text: string): Promise<void>;
  /** Columns and rows of the terminal. */
  size(): { readonly columns: number; readonly rows: number };
}

/** Standard input. */
export interface Input {
  /** Whether a person types it. */
  readonly terminal: boolean;
  /** Each key at once and unseen, Ctrl-C as a key, until any of the handles is disposed. Asked again where it was undone from outside. */
  raw(): Disposable;
  /** What is typed, until `signal` aborts or nothing more comes. */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export interface Environment {
  readonly core: Core;
  readonly version: string;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly platform: string;
  env(name: string): string | undefined;
  /** Monotonic whole milliseconds, for waits, durations and rates; see `Clock` in core. */
  now(): number;
  /** Milliseconds since 1970, for time stamps. */
  wallTime(): number;
  /** Resolves after so long, or as soon as `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `handler` for each signal until the handle is disposed. */
  onSignal(handler: (signal: StopSignal) => void): Disposable;
  /** Calls `handler` each time the terminal was changed from outside: another size, or back from a stopped job. */
  onTerminalChange(handler: () => void): Disposable;
  /** Ends the process on the spot. */
  exit(code: number): never;
}

/** Whether `output` may be coloured or have its cursor moved. */
export function mayMoveCursor({ env }: Pick<Environment, "env">, output: Output): boolean {
  return output.terminal && !env("NO_COLOR") && env("TERM") !== "dumb";
}

/** The widest line that `output` has room for; without end where no terminal would wrap it. */
export function widthOf(output: Output): number {
  return output.terminal ? lineWidth(output.size().columns) : Infinity;
}

export function writeLines(output: Output, lines: readonly string[]): void {
  if (lines.length > 0) output.write(lines.join("\n") + "\n");
}
