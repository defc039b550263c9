/**
 * All downloads of one command: makes what they share, runs them through the
 * queue, and tells of each to the view, to its log, and to the record that
 * other processes read.
 */
import { join } from "@std/path";
import type { Chance } from "../base/chance.ts";
import type { Clock } from "../base/clock.ts";
import { P2pError, reasonOf, UsageError } from "../base/errors.ts";
import { faultOfName } from "../base/names.ts";
import { Slots } from "../base/slots.ts";
import { TokenBucket } from "../base/token_bucket.ts";
import type { DownloadSettings } from "../config.ts";
import type { Sink, TaskEvent, TaskFailure, TaskResult, TaskState } from "../events.ts";
import type { Pace } from "../net/seed_link.ts";
import { SeedPool } from "../net/seed_pool.ts";
import type { Dial } from "../net/transport.ts";
import type { Directories } from "../state/directories.ts";
import { TaskStories } from "../state/task_stories.ts";
import type { StoreTerms } from "../store/stored_file.ts";
import type { TaskParts } from "./parts.ts";
import { runQueue } from "./queue.ts";
import { runTask } from "./task.ts";

export interface DownloadRequest {
  readonly name: string;
  /** The bytes must have this digest, hex. */
  readonly sha256?: string;
  /** The content must have this id, or one that begins so; hex. */
  readonly id?: string;
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

/** What the platform gives. */
export interface Platform {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly dial: Dial;
  readonly store: StoreTerms;
}

interface Task extends DownloadRequest {
  readonly task: string;
}

/** Memory for pieces of one process: half of what a download may take in all. */
const PIECE_MEMORY_BYTES = 64 * 1024 * 1024;
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
    const fault = faultOfName(name);
    if (fault) throw new UsageError(`Cannot download "${name}": ${fault}`);
  }
  const { clock, chance } = platform;
  const { settings } = job;
  await using stories = await TaskStories.open(job.directories.state, platform.store.pid, clock);
  await using pool = new SeedPool({ ...settings, clock, dial: platform.dial });
  const run = new Run(job, platform, pool, stories, emit);
  const tasks = requests.map((request): Task => ({
    ...request,
    task: stories.idFor(targetOf(job, request), chance),
  }));
  for (const task of tasks) run.queued(task);
  const slots = new Slots(settings.max);
  return await runQueue(
    tasks,
    slots,
    (task, signal) => run.task(task, signal),
    (task) => run.skipped(task),
    signal,
  );
}

function targetOf({ outDir }: DownloadJob, { name }: DownloadRequest): string {
  return join(outDir, name);
}

class Run {
  readonly #job: DownloadJob;
  readonly #platform: Platform;
  readonly #pool: SeedPool;
  readonly #stories: TaskStories;
  readonly #emit: Sink<TaskEvent>;
  readonly #limit: TokenBucket | undefined;

  constructor(
    job: DownloadJob,
    platform: Platform,
    pool: SeedPool,
    stories: TaskStories,
    emit: Sink<TaskEvent>,
  ) {
    this.#job = job;
    this.#platform = platform;
    this.#pool = pool;
    this.#stories = stories;
    this.#emit = emit;
    const { limit } = job.settings;
    if (limit !== undefined) this.#limit = new TokenBucket(platform.clock, limit);
  }

  queued(task: Task): void {
    this.#tell(task, { kind: "queued", name: task.name, target: targetOf(this.#job, task) });
  }

  async task(task: Task, signal: AbortSignal): Promise<TaskOutcome> {
    const { task: id, name } = task;
    const wanted = { name, sha256: task.sha256, id: task.id };
    try {
      const result = await runTask(wanted, this.#job.outDir, this.#partsFor(task), signal);
      this.#tell(task, { kind: "done", result });
      return { task: id, name, state: "done", outcome: { ok: true, result } };
    } catch (error) {
      const failure = signal.aborted ? INTERRUPTED : failureOf(error);
      this.#tell(task, { kind: "failed", failure });
      return {
        task: id,
        name,
        state: signal.aborted ? "paused" : "failed",
        outcome: { ok: false, failure },
      };
    } finally {
      this.#stories.close(id);
    }
  }

  skipped({ task, name }: Task): TaskOutcome {
    return { task, name, state: "waiting", outcome: { ok: false, failure: INTERRUPTED } };
  }

  #tell(task: Task, news: Parameters<TaskParts["tell"]>[0]): void {
    const event = { ...news, task: task.task, time: this.#platform.clock.now() } as TaskEvent;
    this.#stories.add(event);
    this.#emit(event);
  }

  #partsFor(task: Task): TaskParts {
    const { settings } = this.#job;
    const { clock, chance, store } = this.#platform;
    const share = PIECE_MEMORY_BYTES / settings.max;
    return {
      settings,
      pool: this.#pool,
      clock,
      random: () => chance.random(),
      store,
      // At least two, or the line is idle between a piece and the next one.
      mostInFlight: (pieceSize) =>
        Math.max(2, Math.min(MOST_PIECES_IN_FLIGHT, Math.floor(share / pieceSize))),
      pace: paceOf(this.#limit, taskBucket(settings, clock)),
      tell: (news) => this.#tell(task, news),
    };
  }
}

function taskBucket({ taskLimit }: DownloadSettings, clock: Clock): TokenBucket | undefined {
  return taskLimit === undefined ? undefined : new TokenBucket(clock, taskLimit);
}

/** Both limits at once: the slower one sets the size of a request. */
function paceOf(...buckets: (TokenBucket | undefined)[]): Pace | undefined {
  const limits = buckets.filter((bucket) => bucket !== undefined);
  if (limits.length === 0) return undefined;
  return {
    mostBytes: Math.min(...limits.map(({ mostBytes }) => mostBytes)),
    async wait(bytes, signal) {
      for (const limit of limits) await limit.wait(bytes, signal);
    },
  };
}

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
