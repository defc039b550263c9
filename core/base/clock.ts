import { setImmediate } from "node:timers";

/** Time as an argument: code that waits or measures takes a clock, so that tests control time. */
export interface Clock {
  /**
   * Whole milliseconds since an arbitrary moment, for waits and durations. It never goes back and does
   * not follow corrections of the system's time, so that a clock set back by an hour does not
   * prolong a wait by an hour. Two processes cannot compare their values.
   */
  now(): number;
  /** Milliseconds since 1970, only for time stamps that people or other processes read. */
  wallTime(): number;
  /** Resolves after `ms`. @throws the signal's reason if it aborts before. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Runs `run` once after `ms`, unless the returned handle is disposed before. */
  after(ms: number, run: () => void): Disposable;
}

/** A timer that fires this late was not delayed by a busy machine: the process was stopped, or the machine suspended. */
export const SUSPEND_THRESHOLD_MS = 1000;

/** The longest wait that the platform's timers take: 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Math.floor(performance.now()),
  wallTime: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const abort = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      }, Math.min(ms, MAX_TIMER_MS));
      signal.addEventListener("abort", abort, { once: true });
    }),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, MAX_TIMER_MS));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/** Resolves after one turn of the event loop, so that a long computation does not block everything else. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
