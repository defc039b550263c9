import { delay } from "@std/async";

/** Time as an argument: what waits or measures takes one of these, so that tests turn the hands. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`. @throws the signal's reason if it aborts before. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Runs `run` once after `ms`, unless the returned handle is disposed before. */
  after(ms: number, run: () => void): Disposable;
}

/** The longest wait that the platform's timers take: 24.8 days. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => delay(Math.min(ms, LONGEST_MS), { signal }),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, LONGEST_MS));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
