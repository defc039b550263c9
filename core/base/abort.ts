import type { Clock } from "./clock.ts";

/** Runs `stop` if `signal` aborts before the returned handle is disposed. @throws the signal's reason if it already has. */
export function onAbort(signal: AbortSignal, stop: () => void): Disposable {
  signal.throwIfAborted();
  signal.addEventListener("abort", stop, { once: true });
  return {
    [Symbol.dispose]: () => signal.removeEventListener("abort", stop),
  };
}

/**
 * A signal that aborts when `parent` does, or after `ms` with `reason()`.
 * Disposing it stops the timer, so nothing stays behind.
 */
export function deadline(
  parent: AbortSignal,
  clock: Clock,
  ms: number,
  reason: () => Error,
): Disposable & { readonly signal: AbortSignal } {
  const own = new AbortController();
  const link = onAbort(parent, () => own.abort(parent.reason));
  const timer = clock.after(ms, () => own.abort(reason()));
  return {
    signal: own.signal,
    [Symbol.dispose]() {
      timer[Symbol.dispose]();
      link[Symbol.dispose]();
    },
  };
}
