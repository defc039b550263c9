/** Runs a pure state machine: handles events one at a time, performs its commands, and keeps its timer. */
import { onAbort } from "../base/abort.ts";
import type { Clock } from "../base/clock.ts";

export interface Machine<Event, Command> {
  start(nowMs: number): Command[];
  handle(event: Event, nowMs: number): Command[];
}

/** What commands may do while the machine runs; afterwards it has no effect. */
export interface Running<Event, Result> {
  /** Events are handled in the order in which they are sent. */
  send(event: Event): void;
  /** Sends `timer` at this time; replaces the last one. */
  setTimer(timeMs: number): void;
  /** Ends the run. */
  end(result: Result): void;
  fail(error: unknown): void;
}

type Perform<Event, Command, Result> = (command: Command, running: Running<Event, Result>) => void;

interface TimerFired {
  readonly kind: "timer";
}

/**
 * Resolves with the result of `end`.
 *
 * @throws the error of `fail`, or the signal's reason if it aborts.
 */
export async function runMachine<Event, Command, Result>(
  machine: Machine<Event | TimerFired, Command>,
  perform: Perform<Event, Command, Result>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result> {
  signal.throwIfAborted();
  using run = new Run(machine, perform, clock);
  run.start();
  // It may be over without a wait.
  if (run.over) return await run.ended;
  using _stop = onAbort(signal, () => run.fail(signal.reason));
  return await run.ended;
}

class Run<Event, Command, Result> implements Running<Event, Result>, Disposable {
  readonly #machine: Machine<Event | TimerFired, Command>;
  readonly #perform: Perform<Event, Command, Result>;
  readonly #clock: Clock;
  readonly #outcome = Promise.withResolvers<Result>();
  readonly #events: (Event | TimerFired)[] = [];
  /** While it handles an event, further ones wait. */
  #busy = false;
  #over = false;
  #dueAt = Infinity;
  #timer: Disposable | undefined;
  /** When the timer fires. */
  #timerAt = Infinity;

  constructor(
    machine: Machine<Event | TimerFired, Command>,
    perform: Perform<Event, Command, Result>,
    clock: Clock,
  ) {
    this.#machine = machine;
    this.#perform = perform;
    this.#clock = clock;
  }

  get over(): boolean {
    return this.#over;
  }

  get ended(): Promise<Result> {
    return this.#outcome.promise;
  }

  start(): void {
    this.#drain(() => this.#act(this.#machine.start(this.#clock.now())));
  }

  send(event: Event | TimerFired): void {
    this.#events.push(event);
    if (!this.#busy) this.#drain();
  }

  setTimer(timeMs: number): void {
    this.#dueAt = timeMs;
    if (!this.#busy) this.#setTimer();
  }

  end(result: Result): void {
    this.#over = true;
    this.#outcome.resolve(result);
  }

  fail(error: unknown): void {
    this.#over = true;
    this.#outcome.reject(error);
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#timer?.[Symbol.dispose]();
  }

  #drain(first = () => {}): void {
    this.#busy = true;
    try {
      first();
      for (let event; !this.#over && (event = this.#events.shift()) !== undefined;) {
        this.#act(this.#machine.handle(event, this.#clock.now()));
      }
      // Only now: most timers are replaced before they fire, and setting one is expensive.
      this.#setTimer();
    } catch (error) {
      this.fail(error);
    } finally {
      this.#busy = false;
    }
  }

  #act(commands: Command[]): void {
    for (const command of commands) this.#perform(command, this);
  }

  #setTimer(): void {
    // A timer that fires too early is set again.
    if (this.#over || this.#timerAt <= this.#dueAt) return;
    this.#timer?.[Symbol.dispose]();
    this.#timerAt = this.#dueAt;
    const ms = Math.max(0, this.#dueAt - this.#clock.now());
    this.#timer = this.#clock.after(ms, () => this.#fired());
  }

  #fired(): void {
    this.#timerAt = Infinity;
    if (this.#clock.now() < this.#dueAt) return this.#setTimer();
    this.#dueAt = Infinity;
    this.send({ kind: "timer" });
  }
}
