import { setImmediate } from "node:timers";

/** Resolves when the event loop has come round: for work that would hold everybody up in one go. */
export function letOthersRun(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
