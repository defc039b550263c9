/** Leads one task to its end: through pauses, a full disk, too few descriptors and control requests. */
import { linkedAbort } from "../base/abort.ts";
import { type BackoffLimits, backoffMs } from "../base/backoff.ts";
import { Notify } from "../base/notify.ts";
import type { Semaphore } from "../base/semaphore.ts";
import type { TaskResult } from "../events.ts";
import type { ControlRequest } from "../state/control.ts";
import { DiskFullError, OutOfDescriptorsError } from "../store/disk.ts";
import type { TaskContext } from "./task_context.ts";

/** The user has cancelled the task. */
export class CancelledError extends Error {
  constructor(readonly request: Exclude<ControlRequest, "pause">) {
    super("cancelled");
    this.name = "CancelledError";
  }
}

/** How often the free space of a full disk is looked at. */
const FREE_SPACE_INTERVAL_MS = 1000;
/** Between attempts where the platform does not say how much is free. */
const FULL_DISK_BACKOFF: BackoffLimits = { firstMs: 1000, maxMs: 16_000 };
const DESCRIPTORS_RETRY_MS = 1000;

/** What the user requests of one task, as it changes while the task runs, waits or is paused. */
export class Control {
  readonly #changed = new Notify();
  #request: ControlRequest | undefined;
  #attempt: { abort(reason: unknown): void } | undefined;

  get request(): ControlRequest | undefined {
    return this.#request;
  }

  /** A new request ends the attempt; the same one again changes nothing. */
  set(request: ControlRequest | undefined): void {
    if (request === this.#request) return;
    this.#request = request;
    this.#changed.notifyAll();
    if (request !== undefined) this.#attempt?.abort(new Error(`The user requested ${request}`));
  }

  /** Resolves at the next change. @throws the signal's reason if it aborts before. */
  async changed(signal: AbortSignal): Promise<void> {
    await this.#changed.notified(signal);
  }

  /** A signal for one attempt: aborts with `parent` or with the next request. */
  attempt(parent: AbortSignal): Disposable & { readonly signal: AbortSignal } {
    const attempt = this.#attempt = linkedAbort(parent);
    return {
      signal: attempt.signal,
      [Symbol.dispose]: () => {
        this.#attempt = undefined;
        attempt[Symbol.dispose]();
      },
    };
  }
}

/**
 * Runs `attempt` until it ends by itself, again after each pause.
 *
 * @throws {CancelledError} if the user cancels. @throws what the attempt throws, or the signal's reason.
 */
export async function supervise(
  attempt: (signal: AbortSignal) => Promise<TaskResult>,
  control: Control,
  context: TaskContext,
  signal: AbortSignal,
): Promise<TaskResult> {
  const { clock, permit, emit, settings } = context;
  let fullSince: number | undefined;
  let shortages = 0;
  for (;;) {
    await waitWhilePaused(control, context, signal);
    using running = control.attempt(signal);
    const startedAt = clock.now();
    try {
      if (!permit.held) emit({ kind: "state", state: "waiting" });
      await permit.acquire(running.signal);
      return await attempt(running.signal);
    } catch (error) {
      signal.throwIfAborted();
      if (running.signal.aborted) continue;
      if (!(error instanceof DiskFullError)) throw error;
      const now = clock.now();
      // An attempt that ran for a while had space, so this is another shortage.
      if (fullSince === undefined || now - startedAt > settings.giveUpMs) fullSince = now;
      const isNew = fullSince === now;
      shortages = isNew ? 1 : shortages + 1;
      await waitForSpace(error, { since: fullSince, shortages }, control, context, signal);
    }
  }
}

/** Waits while the task is paused. @throws {CancelledError} */
async function waitWhilePaused(
  control: Control,
  { permit, emit }: TaskContext,
  signal: AbortSignal,
): Promise<void> {
  for (let emitted = false; control.request !== undefined; emitted = true) {
    if (control.request !== "pause") throw new CancelledError(control.request);
    permit.release();
    if (!emitted) emit({ kind: "state", state: "paused" });
    await control.changed(signal);
  }
}

/** Waits until the missing bytes fit. @throws {DiskFullError} if they never will, or after the give-up time. */
async function waitForSpace(
  error: DiskFullError,
  { since, shortages }: { readonly since: number; readonly shortages: number },
  control: Control,
  { permit, emit, clock, settings, store }: TaskContext,
  signal: AbortSignal,
): Promise<void> {
  const { lacking } = error;
  // Removing files does not make the volume larger.
  if (lacking && !store.space.couldFit(lacking.folder, lacking.bytes)) throw error;
  permit.release();
  const text = `${error.message}; waiting for room`;
  if (shortages === 1) emit({ kind: "note", level: "warn", text, word: "disk full" });
  emit({ kind: "state", state: "waiting", waitsFor: "room" });
  const giveUpAt = since + settings.giveUpMs;
  // Only another attempt tells where the platform does not say how much is free.
  const retryAt = clock.now() + backoffMs(shortages, 1, FULL_DISK_BACKOFF);
  const mayFit = () =>
    lacking ? store.space.fits(lacking.folder, lacking.bytes) : clock.now() >= retryAt;
  do {
    await clock.sleep(FREE_SPACE_INTERVAL_MS, signal);
    if (clock.now() >= giveUpAt) throw error;
    if (mayFit()) return;
  } while (control.request === undefined);
}

/**
 * Runs `attempt` until it ends for another reason than too many open files. Each shortage reduces
 * the number of tasks at a time to those that run without this one.
 *
 * @throws {OutOfDescriptorsError} after the give-up time. @throws what the attempt throws.
 */
export async function waitForDescriptors<Result>(
  attempt: () => Promise<Result>,
  slots: Semaphore,
  { permit, clock, settings, emit }: Pick<TaskContext, "permit" | "clock" | "settings" | "emit">,
  signal: AbortSignal,
): Promise<Result> {
  let since: number | undefined;
  for (;;) {
    const startedAt = clock.now();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof OutOfDescriptorsError) || signal.aborted) throw error;
      const now = clock.now();
      // An attempt that ran for a while had descriptors, so this is another shortage.
      if (since === undefined || now - startedAt > settings.giveUpMs) since = now;
      if (now - since >= settings.giveUpMs) throw error;
      permit.release();
      slots.resize(Math.max(1, slots.size - slots.available));
      const text = `${error.message}; waits until others are closed`;
      emit({ kind: "note", level: "info", text });
      emit({ kind: "state", state: "waiting" });
      await clock.sleep(DESCRIPTORS_RETRY_MS, signal);
      await permit.acquire(signal);
    }
  }
}
