/** How a command ends early: with an exit code of its own, or interrupted by a signal. */
import type { Environment } from "./environment.ts";
import { exitOfSignal, type StopSignal } from "./ui/failure.ts";

/** Thrown by a command that has already reported everything. */
export class ExitError extends Error {
  constructor(readonly exitCode: number) {
    super(`Finished with exit code ${exitCode}`);
  }
}

/** Why work was abandoned. */
export class Interrupted extends Error {
  constructor(readonly signal: StopSignal) {
    super(`Interrupted by ${signal}`);
  }
}

export interface Interruption extends Disposable {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  stoppedBy(): StopSignal | undefined;
  /** @throws {Interrupted} if a signal came. */
  throwIfInterrupted(): void;
}

/**
 * At the first signal (Ctrl-C) work stops gracefully; at the next the process ends.
 *
 * @param onSignal called at each signal with the number of signals so far.
 * @param signals how many signals may come while work ends gracefully; one more ends the process.
 */
export function interruptible(
  environment: Environment,
  { onSignal = () => {}, signals = 1 }: {
    readonly onSignal?: (times: number, signal: StopSignal) => void;
    readonly signals?: number;
  } = {},
): Interruption {
  const stop = new AbortController();
  let stoppedBy: StopSignal | undefined;
  let times = 0;
  const listening = environment.onSignal((signal) => {
    onSignal(++times, signal);
    if (times > signals) environment.exit(exitOfSignal(signal));
    stoppedBy ??= signal;
    stop.abort(new Interrupted(stoppedBy));
  });
  return {
    signal: stop.signal,
    stoppedBy: () => stoppedBy,
    throwIfInterrupted() {
      if (stoppedBy !== undefined) throw new Interrupted(stoppedBy);
    },
    [Symbol.dispose]: () => listening[Symbol.dispose](),
  };
}
