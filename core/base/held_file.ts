/**
 * On Windows a file that another program has open can be neither renamed nor removed. Virus scanners,
 * indexers and backups open each new file for a moment.
 */
import type { Clock } from "./clock.ts";

/** Scanners and indexers are done with a file within a second or two. */
const GIVE_UP_MS = 5000;
const RETRY_INTERVAL_MS = 100;
/** Access denied, sharing violation, lock violation. */
const HELD_ERRORS = /\(os error (?:5|32|33)\)/;

/** Whether `error`, or what caused it, can mean that another program has the file open. */
export function isHeldError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.Busy ||
    HELD_ERRORS.test(error.message) || isHeldError(error.cause);
}

/**
 * Runs `act`, on Windows again while it fails because another program has the file open.
 *
 * @param platform as `Deno.build.os` names it.
 * @throws what the last attempt throws, or the signal's reason if it aborts.
 */
export async function retryWhileHeld<Result>(
  act: () => Result | Promise<Result>,
  { clock, platform = Deno.build.os }: { readonly clock: Clock; readonly platform?: string },
  signal: AbortSignal,
): Promise<Result> {
  const giveUpAt = clock.now() + GIVE_UP_MS;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (platform !== "windows" || !isHeldError(error) || clock.now() >= giveUpAt) throw error;
    }
    await clock.sleep(RETRY_INTERVAL_MS, signal);
  }
}
