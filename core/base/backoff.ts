/**
 * Exponential backoff with full jitter, after Marc Brooker, "Exponential Backoff
 * And Jitter" (AWS Architecture Blog, 2015): a random part of a window that
 * doubles, so that many clients of one seed do not return at the same time.
 */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** A seed that restarts is found within a second; one that is away costs two attempts a minute. */
export const SEED_BACKOFF: BackoffLimits = { firstMs: 500, maxMs: 30_000 };

/** @param failures in a row, from 1 on. @param random from 0 up to but not including 1. */
export function backoffMs(
  failures: number,
  random: number,
  { firstMs, maxMs }: BackoffLimits = SEED_BACKOFF,
): number {
  const window = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.ceil(window * random);
}
