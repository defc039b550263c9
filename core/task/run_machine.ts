/** Runs a pure machine: facts go in one at a time, actions are performed, one timer wakes it. */
import type { Clock } from "../base/clock.ts";

export interface Machine<Fact, Action> {
  start(nowMs: number): Action[];
  handle(fact: Fact, nowMs: number): Action[];
}

/** What a performer may do while the machine runs; afterwards it does nothing. */
export interface Running<Fact, Result> {
  /** Facts are handled in the order in which they are told. */
  tell(fact: Fact): void;
  /** The machine is woken at this time; replaces the last one. */
  wakeAt(timeMs: number): void;
  /** Ends the run. */
  end(result: Result): void;
  fail(error: unknown): void;
}

/**
 * Resolves with what the performer ends it with.
 *
 * @throws what it fails with, or the signal's reason if it aborts.
 */
export async function runMachine<Fact, Action, Result>(
  machine: Machine<Fact | { readonly kind: "woken" }, Action>,
  perform: (action: Action, running: Running<Fact, Result>) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  let over = false;
  const end = (result: Result) => {
    over = true;
    resolve(result);
  };
  const fail = (error: unknown) => {
    over = true;
    reject(error);
  };
  const mailbox: (Fact | { readonly kind: "woken" })[] = [];
  let timer: Disposable | undefined;
  let busy = false;
  const act = (actions: Action[]) => actions.forEach((action) => perform(action, running));
  const drain = () => {
    if (busy) return;
    busy = true;
    try {
      for (let fact; !over && (fact = mailbox.shift()) !== undefined;) {
        act(machine.handle(fact, clock.now()));
      }
    } catch (error) {
      fail(error);
    } finally {
      busy = false;
    }
  };
  const post = (fact: Fact | { readonly kind: "woken" }) => {
    mailbox.push(fact);
    drain();
  };
  const running: Running<Fact, Result> = {
    tell: post,
    wakeAt(timeMs) {
      timer?.[Symbol.dispose]();
      if (over) return;
      timer = clock.after(Math.max(0, timeMs - clock.now()), () => post({ kind: "woken" }));
    },
    end,
    fail,
  };
  const stop = () => fail(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    busy = true;
    act(machine.start(clock.now()));
    busy = false;
    drain();
    return await promise;
  } finally {
    over = true;
    timer?.[Symbol.dispose]();
    signal.removeEventListener("abort", stop);
  }
}
