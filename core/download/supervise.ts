/** Leads one task to its end: through pauses, a full disk, and whatever the user wishes meanwhile. */
import type { TaskResult } from "../events.ts";
import { DiskFullError } from "../store/disk.ts";
import type { ControlRequest } from "../state/control.ts";
import type { Control } from "./control.ts";
import type { TaskContext } from "./task_context.ts";

/** The user has cancelled the task. */
export class CancelledError extends Error {
  constructor(readonly wish: Exclude<ControlRequest, "pause">) {
    super("cancelled");
    this.name = "CancelledError";
  }
}

/** How often a full disk is looked at. */
const FREE_SPACE_INTERVAL_MS = 1000;

/**
 * Runs `attempt` until it ends by itself, again after each pause.
 *
 * @throws {CancelledError} if the user cancels. @throws what the attempt throws, or the signal's reason.
 */
export async function supervise(
  attempt: (signal: AbortSignal) => Promise<TaskResult>,
  control: Control,
  parts: TaskContext,
  signal: AbortSignal,
): Promise<TaskResult> {
  let fullSince: number | undefined;
  for (;;) {
    await waitWhilePaused(control, parts, signal);
    using running = control.attempt(signal);
    const startedAt = parts.clock.now();
    try {
      if (!parts.permit.held) parts.emit({ kind: "state", state: "waiting" });
      await parts.permit.acquire(running.signal);
      return await attempt(running.signal);
    } catch (error) {
      signal.throwIfAborted();
      if (running.signal.aborted) continue;
      if (!(error instanceof DiskFullError)) throw error;
      const now = parts.clock.now();
      // An attempt that ran for a while had room: this is another time of need.
      if (fullSince === undefined || now - startedAt > parts.settings.giveUpMs) fullSince = now;
      await waitForSpace(error, fullSince, control, parts, signal);
    }
  }
}

/** Waits while the task is paused. @throws {CancelledError} */
async function waitWhilePaused(
  control: Control,
  parts: TaskContext,
  signal: AbortSignal,
): Promise<void> {
  for (let told = false; control.wish !== undefined; told = true) {
    if (control.wish !== "pause") throw new CancelledError(control.wish);
    parts.permit.release();
    if (!told) parts.emit({ kind: "state", state: "paused" });
    await control.changed(signal);
  }
}

/** Waits until what is missing fits, or until the time to give up. @throws {DiskFullError} */
async function waitForSpace(
  error: DiskFullError,
  since: number,
  control: Control,
  { permit, emit, clock, settings, store }: TaskContext,
  signal: AbortSignal,
): Promise<void> {
  const { lacking } = error;
  // Nothing that others remove makes this volume larger.
  if (lacking && !store.space.couldFit(lacking.folder, lacking.bytes)) throw error;
  permit.release();
  emit({
    kind: "note",
    level: "warn",
    text: `${error.message}; waiting for room`,
    word: "disk full",
  });
  emit({ kind: "state", state: "waiting", waitsFor: "room" });
  const giveUpAt = since + settings.giveUpMs;
  do {
    await clock.sleep(FREE_SPACE_INTERVAL_MS, signal);
    if (clock.now() >= giveUpAt) throw error;
    if (lacking === undefined || store.space.fits(lacking.folder, lacking.bytes)) return;
  } while (control.wish === undefined);
}
