/** The user's limits on bytes a second, as one pace that a task keeps. */
import type { Clock } from "../base/clock.ts";
import { TokenBucket } from "../base/token_bucket.ts";
import type { Pace } from "../net/read_options.ts";

/** undefined where there is no limit. */
export function bucketFor(
  bytesPerSecond: number | undefined,
  clock: Clock,
): TokenBucket | undefined {
  return bytesPerSecond === undefined ? undefined : new TokenBucket(clock, bytesPerSecond);
}

/** Both limits at once: the slower one sets the size of a request. */
export function paceOf(...buckets: (TokenBucket | undefined)[]): Pace | undefined {
  const limits = buckets.filter((bucket) => bucket !== undefined);
  if (limits.length === 0) return undefined;
  return {
    mostBytes: Math.min(...limits.map(({ mostBytes }) => mostBytes)),
    async wait(bytes, signal) {
      for (const limit of limits) await limit.wait(bytes, signal);
    },
  };
}

/** Tells when the first one begins to be held back, and when the last one ceases to be. */
export function metered(pace: Pace | undefined, tell: (held: boolean) => void): Pace | undefined {
  if (pace === undefined) return undefined;
  let held = 0;
  return {
    mostBytes: pace.mostBytes,
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
