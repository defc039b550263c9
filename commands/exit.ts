/** How a command ends early: with an exit code of its own, or interrupted by a signal. */
import type { Environment } from "./environment.ts";
import { exitOfSignal, type StopSignal } from "./ui/failure.ts";

/** Why work was given up. */
export class Interrupted extends Error {
  constructor(readonly signal: StopSignal) {
    super(`Interrupted by ${signal}`);
  }
}

export interface Interruption extends Disposable {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** The first signal that came. */
  stoppedBy(): StopSignal | undefined;
}

export interface InterruptOptions {
  /** Called at each signal, with how many have come so far. */
  readonly told?: (times: number, signal: StopSignal) => void;
  /** How many signals work may end in good order for; one more ends the process. */
  readonly signals?: number;
}

export function interruptible(
  environment: Environment,
  { told = () => {}, signals = 1 }: InterruptOptions = {},
): Interruption {
  const stop = new AbortController();
  let stoppedBy: StopSignal | undefined;
  let times = 0;
  const listening = environment.onSignal((signal) => {
    told(++times, signal);
    if (times > signals) environment.exit(exitOfSignal(signal));
    stoppedBy ??= signal;
    stop.abort(new Interrupted(stoppedBy));
  });
  return {
    signal: stop.signal,
    stoppedBy: () => stoppedBy,
    [Symbol.dispose]: () => listening[Symbol.dispose](),
  };
}

/** Thrown by a command that has told all there is to tell, and ends with this code. */
export class ExitError extends Error {
  constructor(readonly exitCode: number) {
    super(`Finished with exit code ${exitCode}`);
  }
}
