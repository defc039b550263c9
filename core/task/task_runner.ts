/**
 * The tasks of one command, each from its turn to its outcome: told of to the
 * view, to the task's log, and to the record that other processes read.
 */
import { P2pError, reasonOf } from "../base/errors.ts";
import { descriptorsFor, moreTasksIn } from "../base/descriptors.ts";
import type { Slots } from "../base/slots.ts";
import type { TokenBucket } from "../base/token_bucket.ts";
import type { DownloadSettings } from "../config.ts";
import type { Sink, TaskEvent, TaskFailure, TaskNews, TaskResult, TaskState } from "../events.ts";
import type { SeedPool } from "../net/seed_pool.ts";
import type { TaskStories } from "../state/task_stories.ts";
import { readWishes, unwish, type Wish, type Wishes } from "../state/wishes.ts";
import type { OutFolder } from "../store/out_folder.ts";
import { hasPartial, removePartial } from "../store/partial.ts";
import { CancelledError, conduct } from "./conduct.ts";
import { Control } from "./control.ts";
import { untilDescriptors } from "./descriptors.ts";
import type { Foresight } from "./foresight.ts";
import type { TaskParts } from "./parts.ts";
import { PieceMemory } from "./piece_memory.ts";
import { bucketFor, metered, paceOf } from "./pace.ts";
import { Place } from "./place.ts";
import type { QueueRunner } from "./queue.ts";
import type { Platform } from "./surroundings.ts";
import { runTask } from "./task.ts";

export interface Task {
  /** Its id. */
  readonly task: string;
  readonly name: string;
  readonly sha256?: string;
  readonly id?: string;
  /** Where the file goes, unless other bytes are there. */
  readonly target: string;
}

export interface TaskOutcome {
  readonly task: string;
  readonly name: string;
  readonly state: TaskState;
  readonly outcome:
    | { readonly ok: true; readonly result: TaskResult }
    | {
      readonly ok: false;
      readonly failure: TaskFailure;
      /** Whether the unfinished file is there, from which the next run goes on. */
      readonly partial?: boolean;
    };
}

/** What all tasks of one command use. */
export interface Shared {
  readonly out: OutFolder;
  readonly stateDir: string;
  readonly settings: DownloadSettings;
  readonly pool: SeedPool;
  readonly stories: TaskStories;
  readonly slots: Slots;
  readonly foresight: Foresight;
}

/**
 * Memory for the pieces of one process, of the 160 MiB that it may take in all. Each of three
 * downloads has 16 MiB on its way: 1 Gbit/s at 100 ms, and a piece for each of 16 connections.
 */
const PIECE_MEMORY_BYTES = 48 * 1024 * 1024;
/** More pieces in flight make nothing faster, even at a gigabyte a second. */
const MOST_PIECES_IN_FLIGHT = 32;

export class TaskRunner implements QueueRunner<Task, TaskOutcome> {
  readonly #shared: Shared;
  readonly #platform: Platform;
  readonly #emit: Sink<TaskEvent>;
  readonly #limit: TokenBucket | undefined;
  readonly #memory = new PieceMemory(PIECE_MEMORY_BYTES);
  /** Wall time, because it is compared with what other processes wrote. */
  readonly #startedAt: number;
  /** Wall time at which the `max` was set that holds now. */
  #maxAt = -Infinity;
  /** Of the tasks whose turn has come. */
  readonly #controls = new Map<string, Control>();
  /** Of the tasks that go elsewhere than they were asked to. */
  readonly #targets = new Map<Task, string>();
  #wishes: ReadonlyMap<string, Wish> = new Map();

  constructor(shared: Shared, platform: Platform, emit: Sink<TaskEvent>) {
    this.#shared = shared;
    this.#platform = platform;
    this.#emit = emit;
    this.#startedAt = platform.clock.wallTime();
    this.#limit = bucketFor(shared.settings.limit, platform.clock);
  }

  queued(task: Task): void {
    this.#tell(task, { kind: "queued", name: task.name, target: task.target });
  }

  /**
   * Applies the user's commands that were given before this run. Asking for a file again is newer
   * than a pause: otherwise a script would wait for a user who is not there.
   */
  async begin(tasks: readonly Task[]): Promise<void> {
    const { stateDir } = this.#shared;
    const wishes = await readWishes(stateDir);
    const paused = tasks.filter(({ task }) => wishes.tasks.get(task) === "pause");
    for (const task of paused) {
      await unwish(stateDir, task.task);
      const text = "was paused; goes on, because it was asked for again";
      this.#tell(task, { kind: "note", level: "warn", text });
    }
    this.obey(paused.length === 0 ? wishes : await readWishes(stateDir));
  }

  /** What the user said from other terminals. */
  obey({ tasks, max }: Wishes): void {
    this.#wishes = tasks;
    for (const [task, control] of this.#controls) control.set(tasks.get(task));
    // Ignore a `max` that was set before this run: it was meant for earlier ones.
    if (max === undefined || max.at <= Math.max(this.#startedAt, this.#maxAt)) return;
    this.#maxAt = max.at;
    const { slots } = this.#shared;
    const more = max.value - slots.size;
    const { count } = more > 0
      ? this.#platform.freeDescriptors(descriptorsFor({
        tasks: more,
        connections: 0,
      }))
      : { count: 0 };
    slots.resize(Math.min(max.value, slots.size + moreTasksIn(count)));
  }

  async run(task: Task, slot: Disposable, signal: AbortSignal): Promise<TaskOutcome> {
    const { slots, foresight, stories, out } = this.#shared;
    using place = new Place(slots, slot);
    const control = new Control();
    control.set(this.#wishes.get(task.task));
    this.#controls.set(task.task, control);
    foresight.begin(task.name);
    const parts = this.#partsFor(task, place);
    const wanted = { name: task.name, sha256: task.sha256, id: task.id };
    const attempt = (signal: AbortSignal) =>
      untilDescriptors(() => runTask(wanted, out, parts, signal), slots, parts, signal);
    try {
      const result = await conduct(attempt, control, parts, signal);
      this.#tell(task, { kind: "done", result });
      return outcomeOf(task, "done", { ok: true, result });
    } catch (error) {
      return await this.#failed(task, error, signal);
    } finally {
      this.#controls.delete(task.task);
      stories.close(task.task);
    }
  }

  skipped(task: Task): TaskOutcome {
    return outcomeOf(task, "waiting", { ok: false, failure: INTERRUPTED });
  }

  async #failed(task: Task, error: unknown, signal: AbortSignal): Promise<TaskOutcome> {
    if (error instanceof CancelledError) {
      const fault = await this.#cleanUp(task, error).then(() => undefined, failureOf);
      if (fault) {
        this.#tell(task, { kind: "failed", failure: fault });
        return outcomeOf(task, "failed", { ok: false, failure: fault });
      }
      this.#tell(task, { kind: "state", state: "cancelled" });
      return outcomeOf(task, "cancelled", { ok: false, failure: CANCELLED });
    }
    const failure = signal.aborted ? INTERRUPTED : failureOf(error);
    this.#tell(task, { kind: "failed", failure });
    const state = signal.aborted ? "paused" : "failed";
    const partial = hasPartial(this.#targets.get(task) ?? task.target);
    return outcomeOf(task, state, { ok: false, failure, partial });
  }

  async #cleanUp(task: Task, { wish }: CancelledError): Promise<void> {
    await unwish(this.#shared.stateDir, task.task);
    if (wish === "cancel-and-delete") {
      removePartial(this.#targets.get(task) ?? task.target, task.target);
    }
  }

  #tell(task: Task, news: TaskNews): void {
    const event: TaskEvent = { ...news, task: task.task, time: this.#platform.clock.wallTime() };
    if (event.kind === "target") this.#targets.set(task, event.path);
    this.#shared.stories.add(event);
    this.#emit(event);
  }

  /** A task's share of the memory for pieces. At least two, or the line is idle between a piece and the next one. */
  #mostInFlight(pieceSize: number): number {
    const { slots, settings } = this.#shared;
    const share = PIECE_MEMORY_BYTES / Math.max(slots.size, settings.max);
    return Math.max(2, Math.min(MOST_PIECES_IN_FLIGHT, Math.floor(share / pieceSize)));
  }

  #partsFor(task: Task, place: Place): TaskParts {
    const { settings, pool, foresight, stories } = this.#shared;
    const { clock, chance, store, hashers } = this.#platform;
    return {
      settings,
      pool,
      foresight,
      clock,
      random: () => chance.random(),
      store,
      place,
      memory: this.#memory,
      hashers,
      begunWith: (id) => stories.begunWith(id),
      mostInFlight: (pieceSize) => this.#mostInFlight(pieceSize),
      pace: metered(
        paceOf(this.#limit, bucketFor(settings.taskLimit, clock)),
        (held) => stories.limited(task.task, held),
      ),
      tell: (news) => this.#tell(task, news),
    };
  }
}

function outcomeOf(
  { task, name }: Task,
  state: TaskState,
  outcome: TaskOutcome["outcome"],
): TaskOutcome {
  return { task, name, state, outcome };
}

const CANCELLED: TaskFailure = { code: "cancelled", message: "cancelled" };

const INTERRUPTED: TaskFailure = {
  code: "interrupted",
  message: "interrupted",
  hint: "Run the same command again to go on",
};

function failureOf(error: unknown): TaskFailure {
  if (!(error instanceof P2pError)) {
    const stack = error instanceof Error ? error.stack ?? error.message : reasonOf(error);
    return { code: "bug", message: stack };
  }
  const { code, message, hint, contents } = error;
  return {
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(contents === undefined ? {} : { contents }),
  };
}
