import { setImmediate } from "node:timers";

/** Resolves after one turn of the event loop, so that a long computation does not block everything else. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
