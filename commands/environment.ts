/** Everything outside of a command, so that tests need no real terminal, environment or network. */
import type * as core from "../core/mod.ts";
import type { StopSignal } from "./ui/failure.ts";
import { lineWidth } from "./ui/width.ts";

/** Core as commands call it: with every argument. */
export type Core = { readonly [Name in keyof typeof core]: WithAllArguments<typeof core[Name]> };
type WithAllArguments<T> = T extends (...args: infer Args) => infer Result
  ? (...args: Required<Args>) => Result
  : T;

/** Standard output or standard error. */
export interface Output {
  /** Whether it is a terminal. */
  readonly terminal: boolean;
  /** Aborts when nothing can be written any more; with a `P2pError` if that is a failure. */
  readonly closed: AbortSignal;
  /** Never throws: a failing output must not stop the work. */
  write(text: string): void;
  /** As `write`, but without blocking while the reader is slow. One call at a time. */
  writeSoon(text: string): Promise<void>;
  /** Resolves when all of `bytes` were written. @throws the reason of `closed` if they cannot be. */
  writeBytes(bytes: Uint8Array): Promise<void>;
  /** Columns and rows of the terminal. */
  size(): { readonly columns: number; readonly rows: number };
}

/** Standard input. */
export interface Input {
  /** Whether it is a terminal. */
  readonly terminal: boolean;
  /** Raw mode (no echo, each key at once, Ctrl-C as a key) until any of the handles is disposed. May be called again if another program has ended it. */
  raw(): Disposable;
  /** The input, until `signal` aborts or it ends. */
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
  /** Resolves after `ms`, or as soon as `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `handler` for each signal until the handle is disposed. */
  onSignal(handler: (signal: StopSignal) => void): Disposable;
  /** Calls `handler` when the terminal was resized or the job was resumed. */
  onTerminalChange(handler: () => void): Disposable;
  exit(code: number): never;
}

export function directoriesIn({ core, env, platform }: Environment): core.Directories {
  return core.directoriesOf(env, platform);
}

export function mayMoveCursor({ env }: Pick<Environment, "env">, output: Output): boolean {
  return output.terminal && !env("NO_COLOR") && env("TERM") !== "dumb";
}

/** The widest line that fits on `output`; unlimited if it is not a terminal. */
export function widthOf(output: Output): number {
  return output.terminal ? lineWidth(output.size().columns) : Infinity;
}

export function writeLines(output: Output, lines: readonly string[]): void {
  if (lines.length > 0) output.write(lines.join("\n") + "\n");
}
