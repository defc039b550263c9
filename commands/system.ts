/** The real environment of a command; the only place that uses the platform for it. */
import * as core from "../core/mod.ts";
import type { Environment, Input, Output } from "./environment.ts";
import type { StopSignal } from "./ui/failure.ts";

type Stream = typeof Deno.stdout | typeof Deno.stderr;

export function systemEnvironment(version: string, exit: (code: number) => never): Environment {
  return {
    core,
    version,
    stdin: systemInput(),
    stdout: outputTo(Deno.stdout),
    stderr: outputTo(Deno.stderr),
    platform: Deno.build.os,
    env: (name) => Deno.env.get(name),
    now: () => Math.floor(performance.now()),
    wallTime: () => Date.now(),
    async sleep(ms, signal) {
      const { delay } = await import("@std/async");
      await delay(ms, { signal }).catch(() => {});
    },
    onSignal: (handler) => listen(stopSignalsOf(Deno.build.os), handler),
    onTerminalChange: (handler) => listen(TERMINAL_SIGNALS, handler),
    exit,
  };
}

function systemInput(): Input {
  return {
    terminal: Deno.stdin.isTerminal(),
    raw() {
      Deno.stdin.setRaw(true);
      return {
        [Symbol.dispose]() {
          try {
            Deno.stdin.setRaw(false);
          } catch {
            // The terminal is gone.
          }
        },
      };
    },
    read: readInput,
  };
}

async function* readInput(signal: AbortSignal): AsyncIterable<Uint8Array> {
  const reader = Deno.stdin.readable.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (!signal.aborted) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function outputTo(stream: Stream): Output {
  const closing = new AbortController();
  const encoder = new TextEncoder();
  return {
    terminal: stream.isTerminal(),
    closed: closing.signal,
    write(text) {
      if (closing.signal.aborted) return;
      try {
        for (let rest = encoder.encode(text); rest.length > 0;) {
          rest = rest.subarray(stream.writeSync(rest));
        }
      } catch (error) {
        closing.abort(reasonOfClosing(error));
      }
    },
    async writeSoon(text) {
      if (closing.signal.aborted) return;
      try {
        for (let rest = encoder.encode(text); rest.length > 0;) {
          rest = rest.subarray(await stream.write(rest));
        }
      } catch (error) {
        closing.abort(reasonOfClosing(error));
      }
    },
    async writeBytes(bytes) {
      closing.signal.throwIfAborted();
      try {
        for (let rest = bytes; rest.length > 0;) {
          rest = rest.subarray(await writeSome(stream, rest));
        }
      } catch (error) {
        closing.abort(reasonOfClosing(error));
        throw closing.signal.reason;
      }
    },
    size: terminalSize,
  };
}

/** A pipe that another process made non-blocking refuses bytes while it is full. */
const FULL_PIPE_RETRY_MS = 5;

async function writeSome(stream: Stream, bytes: Uint8Array): Promise<number> {
  try {
    return await stream.write(bytes);
  } catch (error) {
    if (!(error instanceof Deno.errors.WouldBlock)) throw error;
    await new Promise((resolve) => setTimeout(resolve, FULL_PIPE_RETRY_MS));
    return 0;
  }
}

/** A closed pipe is not a failure; a full disk is. */
function reasonOfClosing(error: unknown): unknown {
  if (error instanceof Deno.errors.BrokenPipe) return error;
  return new core.DiskError(`Cannot write the output: ${core.reasonOf(error)}`, { cause: error });
}

function terminalSize(): { columns: number; rows: number } {
  try {
    const { columns, rows } = Deno.consoleSize();
    // Some terminals without a window report 0.
    return { columns: columns || 80, rows: rows || 24 };
  } catch {
    return { columns: 80, rows: 24 };
  }
}

function listen<S extends Deno.Signal>(
  signals: readonly S[],
  handler: (signal: S) => void,
): Disposable {
  const listeners = signals.map((signal) => ({ signal, listener: () => handler(signal) }));
  for (const { signal, listener } of listeners) Deno.addSignalListener(signal, listener);
  return {
    [Symbol.dispose]() {
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}

/** A resize, and the return of a stopped job. Windows has neither: there the size is read with the next paint. */
const TERMINAL_SIGNALS = Deno.build.os === "windows" ? [] : ["SIGWINCH", "SIGCONT"] as const;

/**
 * As soon as the runtime listens to any signal, it ends the process at SIGHUP, even under `nohup`;
 * listening to SIGHUP as well makes that a clean end. Windows has no SIGTERM: listening to it throws.
 */
export function stopSignalsOf(platform: string): readonly StopSignal[] {
  return platform === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];
}
