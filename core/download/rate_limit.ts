/** The user's limits on bytes a second, as one pace that a task keeps. */
import type { Clock } from "../base/clock.ts";
import { Pacer } from "../base/pacer.ts";
import type { RateLimit } from "../source/source.ts";

/** undefined where there is no limit. */
export function pacerFor(
  bytesPerSecond: number | undefined,
  clock: Clock,
): Pacer | undefined {
  return bytesPerSecond === undefined ? undefined : new Pacer(clock, bytesPerSecond);
}

/** Both limits at once: the slower one sets the size of a request. */
export function combinedLimit(...buckets: (Pacer | undefined)[]): RateLimit | undefined {
  const limits = buckets.filter((bucket) => bucket !== undefined);
  if (limits.length === 0) return undefined;
  return {
    maxBytes: Math.min(...limits.map(({ maxBytes }) => maxBytes)),
    async wait(bytes, signal) {
      for (const limit of limits) await limit.wait(bytes, signal);
    },
  };
}

/** Tells when the first one begins to be held back, and when the last one ceases to be. */
export function observedLimit(
  pace: RateLimit | undefined,
  tell: (held: boolean) => void,
): RateLimit | undefined {
  if (pace === undefined) return undefined;
  let held = 0;
  return {
    maxBytes: pace.maxBytes,
    async wait(bytes, signal) {
      if (held++ === 0) tell(true);
      try {
        await pace.wait(bytes, signal);
      } finally {
        if (--held === 0) tell(false);
      }
    },
  };
}
