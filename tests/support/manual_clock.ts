import { setImmediate } from "node:timers";
import type { Clock } from "../../core/base/clock.ts";
import { Notify } from "../../core/base/notify.ts";

const never = new AbortController().signal;

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** A start for tests that compare with the times of real files. */
export const YEAR_2033 = 2_000_000_000_000;

/**
 * Time that moves only when a test moves it. Timers run in the order of their due times, and in the
 * order of their creation if these are equal.
 *
 *     const clock = new ManualClock();
 *     const slept = clock.sleep(500, signal);
 *     await clock.advance(500);
 *     await slept;
 */
export class ManualClock implements Clock {
  #now: number;
  /** What to add to `now()` for the time since 1970; `setBack` changes it alone. */
  #wallOffsetMs = 0;
  /** Sorted by due time. */
  readonly #timers: Timer[] = [];
  readonly #timerAdded = new Notify();

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  /** The number of timers and sleepers: 0 at the end of a test that leaves nothing behind. */
  get pending(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#now + this.#wallOffsetMs;
  }

  /** Corrects the system's time by `-ms`; monotonic time does not change. */
  setBack(ms: number): void {
    this.#wallOffsetMs -= ms;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const giveUp = () => {
        timer[Symbol.dispose]();
        reject(signal.reason);
      };
      const timer = this.after(ms, () => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      });
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  after(ms: number, run: () => void): Disposable {
    const timer = { at: this.#now + Math.max(0, ms), run };
    const later = this.#timers.findIndex(({ at }) => at > timer.at);
    this.#timers.splice(later < 0 ? this.#timers.length : later, 0, timer);
    this.#timerAdded.notifyAll();
    return { [Symbol.dispose]: () => this.#forget(timer) };
  }

  /** Moves on by `ms`, and runs every timer that falls due, also those created meanwhile. Pending promises go on between two timers. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    while (this.#runNext(until)) await settle();
    this.#now = until;
  }

  /** Moves on by `ms` at once and runs what is due, without a turn of the event loop. */
  tick(ms: number): void {
    this.#now += ms;
    while (this.#runNext(this.#now));
  }

  /** Lets time pass while the process is stopped: timers run only afterwards. */
  async oversleep(ms: number): Promise<void> {
    this.#now += ms;
    await this.advance(0);
  }

  /** Resolves as soon as a timer is due `ms` from now. */
  async timerIn(ms: number): Promise<void> {
    while (!this.#timers.some(({ at }) => at === this.#now + ms)) {
      await this.#timerAdded.notified(never);
    }
  }

  #runNext(until: number): boolean {
    const [next] = this.#timers;
    if (!next || next.at > until) return false;
    this.#timers.shift();
    this.#now = Math.max(this.#now, next.at);
    next.run();
    return true;
  }

  #forget(timer: Timer): void {
    const at = this.#timers.indexOf(timer);
    if (at >= 0) this.#timers.splice(at, 1);
  }
}

/** Waits for a turn of the event loop, after which no promise can go on by itself. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
