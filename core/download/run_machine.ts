/** Runs a pure machine: facts go in one at a time, actions are performed, one timer wakes it. */
import { onAbort } from "../base/abort.ts";
import type { Clock } from "../base/clock.ts";

export interface Machine<Fact, Action> {
  start(nowMs: number): Action[];
  handle(fact: Fact, nowMs: number): Action[];
}

/** What a performer may do while the machine runs; afterwards it does nothing. */
export interface Running<Fact, Result> {
  /** Facts are handled in the order in which they are told. */
  send(fact: Fact): void;
  /** The machine is woken at this time; replaces the last one. */
  setTimer(timeMs: number): void;
  /** Ends the run. */
  end(result: Result): void;
  fail(error: unknown): void;
}

type Perform<Fact, Action, Result> = (action: Action, running: Running<Fact, Result>) => void;

interface TimerFired {
  readonly kind: "timer";
}

/**
 * Resolves with what the performer ends it with.
 *
 * @throws what it fails with, or the signal's reason if it aborts.
 */
export async function runMachine<Fact, Action, Result>(
  machine: Machine<Fact | TimerFired, Action>,
  perform: Perform<Fact, Action, Result>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result> {
  signal.throwIfAborted();
  using run = new Run(machine, perform, clock);
  run.start();
  // Where all is known already, that was all.
  if (run.over) return await run.ended;
  using _stop = onAbort(signal, () => run.fail(signal.reason));
  return await run.ended;
}

class Run<Fact, Action, Result> implements Running<Fact, Result>, Disposable {
  readonly #machine: Machine<Fact | TimerFired, Action>;
  readonly #perform: Perform<Fact, Action, Result>;
  readonly #clock: Clock;
  readonly #outcome = Promise.withResolvers<Result>();
  readonly #mailbox: (Fact | TimerFired)[] = [];
  /** While it handles a fact: what is told meanwhile has its turn afterwards. */
  #busy = false;
  #over = false;
  #wakeAt = Infinity;
  #timer: Disposable | undefined;
  /** When it goes off. */
  #timerAt = Infinity;

  constructor(
    machine: Machine<Fact | TimerFired, Action>,
    perform: Perform<Fact, Action, Result>,
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

  send(fact: Fact | TimerFired): void {
    this.#mailbox.push(fact);
    if (!this.#busy) this.#drain();
  }

  setTimer(timeMs: number): void {
    this.#wakeAt = timeMs;
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
      for (let fact; !this.#over && (fact = this.#mailbox.shift()) !== undefined;) {
        this.#act(this.#machine.handle(fact, this.#clock.now()));
      }
      // Only now: most wishes to be woken are replaced before they could come true, and a timer is dear.
      this.#setTimer();
    } catch (error) {
      this.fail(error);
    } finally {
      this.#busy = false;
    }
  }

  #act(actions: Action[]): void {
    for (const action of actions) this.#perform(action, this);
  }

  #setTimer(): void {
    // One that goes off too early only looks again.
    if (this.#over || this.#timerAt <= this.#wakeAt) return;
    this.#timer?.[Symbol.dispose]();
    this.#timerAt = this.#wakeAt;
    const ms = Math.max(0, this.#wakeAt - this.#clock.now());
    this.#timer = this.#clock.after(ms, () => this.#ring());
  }

  #ring(): void {
    this.#timerAt = Infinity;
    if (this.#clock.now() < this.#wakeAt) return this.#setTimer();
    this.#wakeAt = Infinity;
    this.send({ kind: "timer" });
  }
}
