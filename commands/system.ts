/** The real environment of a command; the only place that uses the platform for it. */
import { delay } from "@std/async";
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
    sleep: (ms, signal) => delay(ms, { signal }).catch(() => {}),
    onSignal: listenToSignals,
    onTerminalChange: listenToTerminal,
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
        writeAll(stream, encoder.encode(text));
      } catch (error) {
        closing.abort(faultOf(error));
      }
    },
    async writeSoon(text) {
      if (closing.signal.aborted) return;
      try {
        await writeAllSoon(stream, encoder.encode(text));
      } catch (error) {
        closing.abort(faultOf(error));
      }
    },
    size: terminalSize,
  };
}

/** A closed pipe is not a failure; a full disk is. */
function faultOf(error: unknown): unknown {
  return error instanceof Deno.errors.BrokenPipe ? error : new core.DiskError(
    `Cannot write the output: ${core.reasonOf(error)}`,
    { cause: error },
  );
}

function writeAll(stream: Stream, bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0;) {
    rest = rest.subarray(stream.writeSync(rest));
  }
}

async function writeAllSoon(stream: Stream, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) {
    rest = rest.subarray(await stream.write(rest));
  }
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

function listenToTerminal(handler: () => void): Disposable {
  // Windows has neither: there the size is read with the next paint.
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? [] : ["SIGWINCH", "SIGCONT"];
  for (const signal of signals) Deno.addSignalListener(signal, handler);
  return {
    [Symbol.dispose]() {
      for (const signal of signals) Deno.removeSignalListener(signal, handler);
    },
  };
}

function listenToSignals(handler: (signal: StopSignal) => void): Disposable {
  const listeners = stopSignalsOf(Deno.build.os).map((signal) => {
    const listener = () => handler(signal);
    Deno.addSignalListener(signal, listener);
    return { signal, listener };
  });
  return {
    [Symbol.dispose]() {
      for (const { signal, listener } of listeners) {
        Deno.removeSignalListener(signal, listener);
      }
    },
  };
}

/**
 * The runtime ends the process at SIGHUP, even under `nohup`, as soon as it listens to any signal:
 * listening to SIGHUP as well makes that end a clean one.
 *
 * @param platform as `Deno.build.os` names it. Windows has no SIGTERM, and listening to it would throw.
 */
export function stopSignalsOf(platform: string): readonly StopSignal[] {
  return platform === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];
}
