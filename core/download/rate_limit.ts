/** The user's limits on bytes a second, combined into one for a task. */
import type { Clock } from "../base/clock.ts";
import { Pacer } from "../base/pacer.ts";
import type { RateLimit } from "../source/source.ts";

export function pacerFor(
  bytesPerSecond: number | undefined,
  clock: Clock,
): Pacer | undefined {
  return bytesPerSecond === undefined ? undefined : new Pacer(clock, bytesPerSecond);
}

/** Applies all limits; the lowest one sets the size of a request. */
export function combinedLimit(...pacers: (Pacer | undefined)[]): RateLimit | undefined {
  const limits = pacers.filter((pacer) => pacer !== undefined);
  if (limits.length === 0) return undefined;
  return {
    maxBytes: Math.min(...limits.map(({ maxBytes }) => maxBytes)),
    async wait(bytes, signal) {
      for (const limit of limits) await limit.wait(bytes, signal);
    },
  };
}

/** Reports when the first read begins to wait for the limit, and when the last one ends. */
export function observedLimit(
  limit: RateLimit | undefined,
  report: (held: boolean) => void,
): RateLimit | undefined {
  if (limit === undefined) return undefined;
  let waiting = 0;
  return {
    maxBytes: limit.maxBytes,
    async wait(bytes, signal) {
      if (waiting++ === 0) report(true);
      try {
        await limit.wait(bytes, signal);
      } finally {
        if (--waiting === 0) report(false);
      }
    },
  };
}
