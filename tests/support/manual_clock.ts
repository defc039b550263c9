import { setImmediate } from "node:timers";
import type { Clock } from "../../core/base/clock.ts";

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/**
 * Time that moves only when a test says so. What is due runs in the order of its
 * time, and of its making when two are due together; between two of them all
 * that the first one set going has its turn.
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
  /** Sorted by when they are due. */
  readonly #timers: Timer[] = [];

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  /** Timers and sleepers that wait: 0 at the end of a test that leaves nothing behind. */
  get pending(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#now + this.#wallOffsetMs;
  }

  /** The system's time is corrected by `-ms`; monotonic time goes on as before. */
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
    return { [Symbol.dispose]: () => this.#forget(timer) };
  }

  /** Moves on by `ms` and runs all that falls due on the way, also what is made on the way. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (let next = this.#timers[0]; next && next.at <= until; next = this.#timers[0]) {
      this.#timers.shift();
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = until;
  }

  /** Time passes while the process is stopped: what falls due runs only afterwards. */
  async oversleep(ms: number): Promise<void> {
    this.#now += ms;
    await this.advance(0);
  }

  #forget(timer: Timer): void {
    const at = this.#timers.indexOf(timer);
    if (at >= 0) this.#timers.splice(at, 1);
  }
}

/** A whole turn of the event loop: every promise that can go on by itself has done so. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
