import type { Clock } from "./clock.ts";

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
 * A signal that aborts when `parent` does, or after `ms` with `reason()`.
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
  const timer = clock.after(ms, () => linked.abort(reason()));
  return {
    signal: linked.signal,
    [Symbol.dispose]() {
      timer[Symbol.dispose]();
      linked[Symbol.dispose]();
    },
  };
}
