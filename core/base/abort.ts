import { type Clock, SUSPEND_THRESHOLD_MS } from "./clock.ts";

/** Runs `stop` if `signal` aborts before the returned handle is disposed. @throws the signal's reason if it already has. */
export function onAbort(signal: AbortSignal, stop: () => void): Disposable {
  signal.throwIfAborted();
  signal.addEventListener("abort", stop, { once: true });
  return {
    [Symbol.dispose]: () => signal.removeEventListener("abort", stop),
  };
}

/** Aborts by itself, or when its parent does. */
export interface LinkedAbort extends Disposable {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

/** Disposing it unties it from `parent`, and aborts nothing. */
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
 * A signal that aborts when `parent` does, or after `ms` with `reason()`; after
 * as long again when the process was stopped meanwhile, and nothing could arrive.
 * Disposing it stops the timer, so nothing stays behind.
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
