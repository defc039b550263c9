import { type Clock, SUSPEND_THRESHOLD_MS } from "./clock.ts";

/** Runs `stop` if `signal` aborts before the returned handle is disposed. @throws the signal's reason if it already has. */
export function onAbort(signal: AbortSignal, stop: () => void): Disposable {
  signal.throwIfAborted();
  signal.addEventListener("abort", stop, { once: true });
  return {
    [Symbol.dispose]: () => signal.removeEventListener("abort", stop),
  };
}

/** A signal that can be aborted directly, and aborts when its parent does. */
export interface LinkedAbort extends Disposable {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

/** Disposing the result detaches it from `parent` and aborts nothing. */
export function linkedAbort(parent: AbortSignal): LinkedAbort {
  const own = new AbortController();
  const stop = () => own.abort(parent.reason);
  if (parent.aborted) stop();
  else parent.addEventListener("abort", stop, { once: true });
  return {
    signal: own.signal,
    abort: (reason) => own.abort(reason),
    [Symbol.dispose]: () => parent.removeEventListener("abort", stop),
  };
}

/**
 * A signal that aborts when `parent` does, or after `ms` with `reason()`. If the process was
 * suspended meanwhile, nothing could arrive, so the time starts again. Disposing it stops the timer.
 *
 * @throws the parent's reason if it already has aborted.
 */
export function deadline(
  parent: AbortSignal,
  clock: Clock,
  ms: number,
  reason: () => Error,
): Disposable & { readonly signal: AbortSignal } {
  parent.throwIfAborted();
  const linked = linkedAbort(parent);
  const wait = () => {
    const dueAt = clock.now() + ms;
    return clock.after(ms, () => {
      if (clock.now() - dueAt >= SUSPEND_THRESHOLD_MS) timer = wait();
      else linked.abort(reason());
    });
  };
  let timer = wait();
  return {
    signal: linked.signal,
    [Symbol.dispose]() {
      timer[Symbol.dispose]();
      linked[Symbol.dispose]();
    },
  };
}
