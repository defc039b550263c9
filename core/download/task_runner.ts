/** Runs the tasks of one command, each to its outcome, and emits their events to the view and the record. */
import { P2pError, reasonOf } from "../base/errors.ts";
import { additionalTasksFor, descriptorsFor } from "../base/descriptors.ts";
import type { Semaphore } from "../base/semaphore.ts";
import type { SourceAddress } from "../base/source_address.ts";
import type { Pacer } from "../base/pacer.ts";
import type { DownloadSettings } from "../config.ts";
import type {
  EventSink,
  TaskEvent,
  TaskEventData,
  TaskFailure,
  TaskResult,
  TaskState,
} from "../events.ts";
import type { FileAttributes } from "../store/part_file.ts";
import type { Manifest } from "../protocol/manifest.ts";
import type { SourcePool } from "../source/pool.ts";
import type { RunWriter } from "../state/run_writer.ts";
import {
  type ControlRequest,
  type ControlRequests,
  readControlRequests,
  removeControlRequest,
} from "../state/control.ts";
import type { OutFolder } from "../store/paths.ts";
import { removePartial } from "../store/partials.ts";
import { hasPartial } from "../store/paths.ts";
import type { Prefetch } from "./prefetch.ts";
import type { Sharing } from "./share.ts";
import type { TaskContext } from "./task_context.ts";
import { MemoryShares } from "./memory_shares.ts";
import { PieceBuffers } from "./piece_buffers.ts";
import { combinedLimit, observedLimit, pacerFor } from "./rate_limit.ts";
import { Permit, type QueueRunner } from "./run_queue.ts";
import { CancelledError, Control, supervise, waitForDescriptors } from "./supervise.ts";
import type { Runtime } from "../runtime.ts";
import { downloadFile } from "./download_file.ts";

export interface Task {
  readonly task: string;
  readonly name: string;
  readonly saveAs?: string;
  readonly sha256?: string;
  readonly id?: string;
  readonly seeds?: readonly SourceAddress[];
  readonly manifest?: Manifest;
  readonly attributes?: FileAttributes;
  /** Where the file goes, unless another file is there. */
  readonly target: string;
}

/** How one task ended. */
export interface TaskOutcome {
  /** The task's id. */
  readonly task: string;
  /** The requested name. */
  readonly name: string;
  /** `done`, `failed` or `cancelled`; `paused` if it was interrupted. */
  readonly state: TaskState;
  /** The result, or why there is none. */
  readonly outcome:
    | { readonly ok: true; readonly result: TaskResult }
    | {
      readonly ok: false;
      readonly failure: TaskFailure;
      /** Whether there is an unfinished file, with which the next run continues. */
      readonly partial?: boolean;
    };
}

/** What the tasks of one command share. */
export interface RunContext {
  readonly out: OutFolder;
  readonly stateDir: string;
  readonly settings: DownloadSettings;
  readonly pool: SourcePool;
  readonly writer: RunWriter;
  readonly slots: Semaphore;
  readonly prefetch: Prefetch;
  /** undefined: nothing is shared. */
  readonly sharing: Sharing | undefined;
}

export class TaskRunner implements QueueRunner<Task, TaskOutcome> {
  readonly #shared: RunContext;
  readonly #runtime: Runtime;
  readonly #emit: EventSink<TaskEvent>;
  readonly #limit: Pacer | undefined;
  readonly #memory: PieceBuffers;
  readonly #shares: MemoryShares;
  /** Wall time, because it is compared with what other processes wrote. */
  readonly #startedAt: number;
  /** Wall time at which the present `max` was set. */
  #maxAt = -Infinity;
  /** Of the tasks that have begun. */
  readonly #controls = new Map<string, Control>();
  /** Targets that differ from the requested ones. */
  readonly #targets = new Map<Task, string>();
  #controlRequests: ReadonlyMap<string, ControlRequest> = new Map();

  constructor(shared: RunContext, runtime: Runtime, emit: EventSink<TaskEvent>) {
    this.#shared = shared;
    this.#runtime = runtime;
    this.#emit = emit;
    this.#startedAt = runtime.clock.wallTime();
    this.#memory = new PieceBuffers(shared.settings.memory);
    this.#shares = new MemoryShares(shared.settings.memory);
    this.#limit = pacerFor(shared.settings.limit, runtime.clock);
  }

  queued(task: Task): void {
    this.#emitEvent(task, { kind: "queued", name: task.name, target: task.target });
  }

  /**
   * Withdraws the control requests from before this run. Getting a file again is newer than a pause,
   * otherwise a script would wait for a user who is away, and than a cancel whose process ended
   * before it read it.
   */
  async begin(tasks: readonly Task[]): Promise<void> {
    const { stateDir } = this.#shared;
    const requests = await readControlRequests(stateDir);
    const requested = tasks.filter(({ task }) => requests.tasks.has(task));
    for (const task of requested) {
      await removeControlRequest(stateDir, task.task);
      if (requests.tasks.get(task.task) !== "pause") continue;
      const text = "was paused; continues, because it was requested again";
      this.#emitEvent(task, { kind: "note", level: "warn", text });
    }
    this.applyControls(requested.length === 0 ? requests : await readControlRequests(stateDir));
  }

  /** Applies what the user requests from other terminals. */
  applyControls({ tasks, max }: ControlRequests): void {
    this.#controlRequests = tasks;
    for (const [task, control] of this.#controls) control.set(tasks.get(task));
    // Ignore a `max` that was set before this run: it was meant for earlier ones.
    if (max === undefined || max.at <= Math.max(this.#startedAt, this.#maxAt)) return;
    this.#maxAt = max.at;
    const { slots } = this.#shared;
    const more = max.value - slots.size;
    const { count } = more > 0
      ? this.#runtime.freeDescriptors(descriptorsFor({
        tasks: more,
        connections: 0,
      }))
      : { count: 0 };
    slots.resize(Math.min(max.value, slots.size + additionalTasksFor(count)));
  }

  async run(task: Task, slot: Disposable, signal: AbortSignal): Promise<TaskOutcome> {
    const { slots, prefetch, writer, out } = this.#shared;
    using permit = new Permit(slots, slot);
    const control = new Control();
    control.set(this.#controlRequests.get(task.task));
    this.#controls.set(task.task, control);
    prefetch.begin(task.name);
    const context = this.#contextFor(task, permit);
    const { name, saveAs, sha256, id, seeds, manifest, attributes } = task;
    const wanted = { name, saveAs, sha256, id, seeds, manifest, attributes };
    const attempt = (signal: AbortSignal) =>
      waitForDescriptors(() => downloadFile(wanted, out, context, signal), slots, context, signal);
    try {
      const result = await supervise(attempt, control, context, signal);
      this.#emitEvent(task, { kind: "done", result });
      return outcomeOf(task, "done", { ok: true, result });
    } catch (error) {
      return await this.#failed(task, error, signal);
    } finally {
      this.#controls.delete(task.task);
      prefetch.end(task.name);
      writer.close(task.task);
    }
  }

  skipped(task: Task): TaskOutcome {
    return outcomeOf(task, "waiting", { ok: false, failure: INTERRUPTED });
  }

  async #failed(task: Task, error: unknown, signal: AbortSignal): Promise<TaskOutcome> {
    if (error instanceof CancelledError) {
      const fault = await this.#cleanUp(task, error).then(() => undefined, failureOf);
      if (fault) {
        this.#emitEvent(task, { kind: "failed", failure: fault });
        return outcomeOf(task, "failed", { ok: false, failure: fault });
      }
      this.#emitEvent(task, { kind: "state", state: "cancelled" });
      return outcomeOf(task, "cancelled", { ok: false, failure: CANCELLED });
    }
    const failure = signal.aborted ? INTERRUPTED : failureOf(error);
    this.#emitEvent(task, { kind: "failed", failure });
    const state = signal.aborted ? "paused" : "failed";
    const partial = hasPartial(this.#targets.get(task) ?? task.target);
    return outcomeOf(task, state, { ok: false, failure, partial });
  }

  async #cleanUp(task: Task, { request }: CancelledError): Promise<void> {
    const { stateDir } = this.#shared;
    // The user may have asked to delete the file as well since the attempt was stopped.
    const latest = (await readControlRequests(stateDir)).tasks.get(task.task);
    await removeControlRequest(stateDir, task.task);
    if (request === "cancel-and-delete" || latest === "cancel-and-delete") {
      removePartial(this.#targets.get(task) ?? task.target, task.target);
    }
  }

  #emitEvent(task: Task, data: TaskEventData): void {
    const event: TaskEvent = { ...data, task: task.task, time: this.#runtime.clock.wallTime() };
    if (event.kind === "target") this.#targets.set(task, event.path);
    this.#shared.writer.add(event);
    this.#emit(event);
  }

  #contextFor(task: Task, permit: Permit): TaskContext {
    const { settings, pool, prefetch, sharing, writer } = this.#shared;
    const { clock, random, store, hasher } = this.#runtime;
    return {
      settings,
      pool,
      prefetch,
      sharing,
      clock,
      random: () => random.fraction(),
      store,
      permit,
      memory: this.#memory,
      hasher,
      partialsOf: (id) => writer.partialsWith(id),
      shares: this.#shares,
      rateLimit: observedLimit(
        combinedLimit(this.#limit, pacerFor(settings.taskLimit, clock)),
        (held) => writer.setLimited(task.task, held),
      ),
      emit: (data) => this.#emitEvent(task, data),
    };
  }
}

export function outcomeOf(
  { task, name }: Task,
  state: TaskState,
  outcome: TaskOutcome["outcome"],
): TaskOutcome {
  return { task, name, state, outcome };
}

const CANCELLED: TaskFailure = { code: "cancelled", message: "cancelled" };

export const INTERRUPTED: TaskFailure = { code: "interrupted", message: "interrupted" };

export function failureOf(error: unknown): TaskFailure {
  if (!(error instanceof P2pError)) {
    const stack = error instanceof Error ? error.stack ?? error.message : reasonOf(error);
    return { code: "bug", message: stack };
  }
  const { code, message, problem, contents } = error;
  return {
    code,
    message,
    ...(problem === undefined ? {} : { problem }),
    ...(contents === undefined ? {} : { contents }),
  };
}
