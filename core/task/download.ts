/**
 * All downloads of one command: makes what they share, runs them through the
 * queue, and tells of each to the view, to its log, and to the record that
 * other processes read.
 */
import { resolve } from "@std/path";
import type { Chance } from "../base/chance.ts";
import type { Clock } from "../base/clock.ts";
import { P2pError, reasonOf, UsageError } from "../base/errors.ts";
import { faultOfName, isOwnName } from "../base/names.ts";
import { SMALLEST_PIECE } from "../base/pieces.ts";
import { Slots } from "../base/slots.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { TokenBucket } from "../base/token_bucket.ts";
import type { DownloadSettings } from "../config.ts";
import type { Sink, TaskEvent, TaskFailure, TaskNews, TaskResult, TaskState } from "../events.ts";
import type { Hashers } from "../hash/hashers.ts";
import { SeedPool } from "../net/seed_pool.ts";
import type { Directories } from "../state/directories.ts";
import { TaskStories } from "../state/task_stories.ts";
import { readWishes, unwish, watchWishes, type Wish, type Wishes } from "../state/wishes.ts";
import { removePartial } from "../store/partial.ts";
import type { StoreTerms } from "../store/stored_file.ts";
import { CancelledError, conduct } from "./conduct.ts";
import { Control } from "./control.ts";
import { Foresight } from "./foresight.ts";
import type { TaskParts } from "./parts.ts";
import { PieceMemory } from "./piece_memory.ts";
import { bucketFor, metered, paceOf } from "./pace.ts";
import { Place } from "./place.ts";
import { type QueueRunner, runQueue } from "./queue.ts";
import type { Surroundings } from "./surroundings.ts";
import { runTask } from "./task.ts";

export interface DownloadRequest {
  readonly name: string;
  /** The bytes must have this digest, hex. */
  readonly sha256?: string;
  /** The content must have this id, or one that begins so; hex. */
  readonly id?: string;
  /** As a listing says, where one was asked for: what is small can be asked for ahead. */
  readonly size?: number;
}

export interface DownloadJob {
  readonly requests: readonly DownloadRequest[];
  /** Made when missing; names go below it, sub-folders kept. */
  readonly outDir: string;
  readonly settings: DownloadSettings;
  readonly directories: Directories;
}

export interface TaskOutcome {
  readonly task: string;
  readonly name: string;
  readonly state: TaskState;
  readonly outcome:
    | { readonly ok: true; readonly result: TaskResult }
    | { readonly ok: false; readonly failure: TaskFailure };
}

/** What the platform gives to those who download. */
export interface Platform extends Surroundings {
  readonly chance: Chance;
  readonly store: StoreTerms;
  readonly hashers: Hashers;
}

interface Task extends DownloadRequest {
  readonly task: string;
  /** Where the file goes, unless other bytes are there. */
  readonly target: string;
}

const OWN_NAME = "p2p keeps that name for unfinished downloads";

/**
 * Memory for the pieces of one process: a quarter of the 160 MiB that it may take in all. Of three
 * downloads each has 13 MiB on its way, which fills 1 Gbit/s at 100 ms.
 */
const PIECE_MEMORY_BYTES = 40 * 1024 * 1024;
/** More pieces in flight make nothing faster, even at a gigabyte a second. */
const MOST_PIECES_IN_FLIGHT = 32;

/**
 * Downloads everything asked for: one outcome for each different name, in their
 * order, whatever happens to the others.
 *
 * @throws {UsageError} if a name is not valid.
 */
export async function download(
  job: DownloadJob,
  platform: Platform,
  emit: Sink<TaskEvent>,
  signal: AbortSignal,
): Promise<TaskOutcome[]> {
  const requests = Array.from(
    new Map(job.requests.map((request) => [request.name, request])).values(),
  );
  for (const { name } of requests) {
    const fault = faultOfName(name) ?? (isOwnName(name) ? OWN_NAME : undefined);
    if (fault) throw new UsageError(`Cannot download "${name}": ${fault}`);
  }
  const { clock, chance } = platform;
  const { settings } = job;
  const { state } = job.directories;
  await using stories = await TaskStories.open(state, platform.store.pid, clock, {
    max: settings.max,
    limit: settings.limit ?? null,
    taskLimit: settings.taskLimit ?? null,
  });
  await using pool = new SeedPool({ ...settings, clock, dial: platform.dial });
  await using foresight = foresightFor(requests, settings, pool, clock, signal);
  await using watches = new TaskGroup(signal);
  const slots = new Slots(settings.max);
  const run = new Run(job, platform, { pool, stories, slots, foresight }, emit);
  const tasks = requests.map((request): Task => {
    // Whole: other processes, which run elsewhere, read it too.
    const target = resolve(job.outDir, request.name);
    return { ...request, target, task: stories.idFor(target, chance) };
  });
  for (const task of tasks) run.queued(task);
  run.obey(await readWishes(state));
  watches.spawn((signal) => watchWishes(state, (wishes) => run.obey(wishes), clock, signal));
  // Too many old logs are no reason for a download to fail.
  watches.spawn((signal) => stories.forgetOldLogs(signal).catch(() => {}));
  return await runQueue(tasks, slots, run, signal);
}

function foresightFor(
  requests: readonly DownloadRequest[],
  { seeds }: DownloadSettings,
  pool: SeedPool,
  clock: Clock,
  signal: AbortSignal,
): Foresight {
  // What fits into one piece is small.
  const small = requests.filter(({ size = Infinity }) => size <= SMALLEST_PIECE);
  return new Foresight(small.map(({ name }) => name), pool.links(seeds), clock, signal);
}

/** What all tasks of one command use. */
interface Shared {
  readonly pool: SeedPool;
  readonly stories: TaskStories;
  readonly slots: Slots;
  readonly foresight: Foresight;
}

/** The tasks of one command, each from its turn to its outcome. */
class Run implements QueueRunner<Task, TaskOutcome> {
  readonly #job: DownloadJob;
  readonly #platform: Platform;
  readonly #pool: SeedPool;
  readonly #stories: TaskStories;
  readonly #slots: Slots;
  readonly #foresight: Foresight;
  readonly #emit: Sink<TaskEvent>;
  readonly #limit: TokenBucket | undefined;
  readonly #memory = new PieceMemory(PIECE_MEMORY_BYTES);
  readonly #startedAt: number;
  /** Of the tasks whose turn has come. */
  readonly #controls = new Map<string, Control>();
  /** Of the tasks that go elsewhere than they were asked to. */
  readonly #targets = new Map<Task, string>();
  #wishes: ReadonlyMap<string, Wish> = new Map();

  constructor(
    job: DownloadJob,
    platform: Platform,
    { pool, stories, slots, foresight }: Shared,
    emit: Sink<TaskEvent>,
  ) {
    this.#job = job;
    this.#platform = platform;
    this.#pool = pool;
    this.#stories = stories;
    this.#slots = slots;
    this.#foresight = foresight;
    this.#emit = emit;
    this.#startedAt = platform.clock.now();
    this.#limit = bucketFor(job.settings.limit, platform.clock);
  }

  queued(task: Task): void {
    this.#tell(task, { kind: "queued", name: task.name, target: task.target });
  }

  /** What the user said from other terminals. */
  obey({ tasks, max }: Wishes): void {
    this.#wishes = tasks;
    for (const [task, control] of this.#controls) control.set(tasks.get(task));
    // What was said before this command began was said of others.
    if (max && max.at > this.#startedAt && max.value !== this.#slots.size) {
      this.#slots.resize(max.value);
    }
  }

  async run(task: Task, slot: Disposable, signal: AbortSignal): Promise<TaskOutcome> {
    using place = new Place(this.#slots, slot);
    const control = new Control();
    control.set(this.#wishes.get(task.task));
    this.#controls.set(task.task, control);
    this.#foresight.begin(task.name);
    const parts = this.#partsFor(task, place);
    const wanted = { name: task.name, sha256: task.sha256, id: task.id };
    const attempt = (signal: AbortSignal) => runTask(wanted, this.#job.outDir, parts, signal);
    try {
      const result = await conduct(attempt, control, parts, signal);
      this.#tell(task, { kind: "done", result });
      return outcomeOf(task, "done", { ok: true, result });
    } catch (error) {
      return await this.#failed(task, error, signal);
    } finally {
      this.#controls.delete(task.task);
      this.#stories.close(task.task);
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
    return outcomeOf(task, signal.aborted ? "paused" : "failed", { ok: false, failure });
  }

  async #cleanUp(task: Task, { wish }: CancelledError): Promise<void> {
    await unwish(this.#job.directories.state, task.task);
    if (wish === "cancel-and-delete") removePartial(this.#targets.get(task) ?? task.target);
  }

  #tell(task: Task, news: TaskNews): void {
    const event: TaskEvent = { ...news, task: task.task, time: this.#platform.clock.now() };
    if (event.kind === "target") this.#targets.set(task, event.path);
    this.#stories.add(event);
    this.#emit(event);
  }

  /** A task's share of the memory for pieces. At least two, or the line is idle between a piece and the next one. */
  #mostInFlight(pieceSize: number): number {
    const share = PIECE_MEMORY_BYTES / Math.max(this.#slots.size, this.#job.settings.max);
    return Math.max(2, Math.min(MOST_PIECES_IN_FLIGHT, Math.floor(share / pieceSize)));
  }

  #partsFor(task: Task, place: Place): TaskParts {
    const { settings } = this.#job;
    const { clock, chance, store, hashers } = this.#platform;
    return {
      settings,
      pool: this.#pool,
      foresight: this.#foresight,
      clock,
      random: () => chance.random(),
      store,
      place,
      memory: this.#memory,
      hashers,
      begunWith: (id) => this.#stories.begunWith(id),
      mostInFlight: (pieceSize) => this.#mostInFlight(pieceSize),
      pace: metered(
        paceOf(this.#limit, bucketFor(settings.taskLimit, clock)),
        (held) => this.#stories.limited(task.task, held),
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
  const { code, message, hint } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
