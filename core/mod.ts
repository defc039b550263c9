/**
 * The only door to core: what the command line, or another program, can ask
 * for. It brings the platform in (clock, dice, sockets, process); nothing below
 * asks for these.
 */
import { homedir } from "node:os";
import { isAbsolute, resolve } from "@std/path";
import { systemRandom } from "./base/random.ts";
import { systemClock } from "./base/clock.ts";
import { type FreeDescriptors, isOutOfDescriptors } from "./base/descriptors.ts";
import type { DownloadSettings, ServeSettings } from "./config.ts";
import type { EventSink, ServeEvent, TaskEvent } from "./events.ts";
import { HasherPool } from "./hash/pool.ts";
import { dialer } from "./source/dial.ts";
import { listen } from "./source/listen.ts";
import { serve as serveFolder } from "./serve/server.ts";
import * as directories from "./state/directories.ts";
import { DiskSpace } from "./store/free_space.ts";
import type { Directories } from "./state/directories.ts";
import type { ControlAction, ControlOutcome } from "./state/control.ts";
import { readLog } from "./state/task_log.ts";
import type { LogLine } from "./state/task_log.ts";
import type { Overview } from "./state/read_tasks.ts";
import type { TaskStatus } from "./state/task_status.ts";
import * as jobs from "./download/download.ts";
import * as offers from "./download/list.ts";
import * as known from "./tasks/tasks.ts";
import type { QuarantinedPart } from "./store/partials.ts";
import type { User } from "./store/disk.ts";
import type { NetworkRuntime } from "./download/runtime.ts";
import * as verification from "./download/verify.ts";

export * from "./base/errors.ts";
export * from "./config.ts";
export * from "./events.ts";
export { formatBytes, formatPart } from "./base/byte_size.ts";
export { sizeOfCell } from "./base/pieces.ts";
export { invalidNameReason } from "./base/names.ts";
export { percentDone } from "./base/percent.ts";
export { printable } from "./base/printable.ts";
export { TaskGroup } from "./base/task_group.ts";
export { RateMeter } from "./base/rate.ts";
export {
  DEFAULT_PORT,
  formatSourceAddress,
  parseSourceAddress,
  type SourceAddress,
} from "./base/source_address.ts";
export type { Directories } from "./state/directories.ts";
export { RunProgress, type Totals } from "./progress/run_progress.ts";
export {
  type PiecesSnapshot,
  type SeedSnapshot,
  type SeedSummary,
  type Span,
  SPANS,
  type TaskDetail,
  type TimeReport,
} from "./progress/snapshots.ts";
export { etaMs, isActive, type TaskView } from "./progress/task_progress.ts";
export type { RunLimits } from "./state/record_shape.ts";
export type { ControlAction, ControlOutcome } from "./state/control.ts";
export type { LogLine } from "./state/task_log.ts";
export type { Overview } from "./state/read_tasks.ts";
export type { TaskStatus } from "./state/task_status.ts";
export type { QuarantinedPart } from "./store/partials.ts";
export type {
  DownloadJob,
  DownloadRequest,
  FewDescriptors,
  TaskOutcome,
} from "./download/download.ts";
export type { Verdict, Verification, VerifyRequest, WrongPieces } from "./download/verify.ts";
export { isGlob, noMatchMessage } from "./download/list.ts";
export type {
  ListQuery,
  NamedFile,
  Offer,
  OfferedFile,
  SeedHealth,
  SeedReport,
} from "./download/list.ts";
export type { RunningMax, TaskCase } from "./tasks/tasks.ts";

function surroundings({ caCerts }: DownloadSettings): NetworkRuntime {
  return { clock: systemClock, dial: dialer({ caCerts }) };
}

/**
 * Beside the main thread, which moves the bytes: one hasher is about as fast as
 * that, so on two processors one is enough, and a third has nothing to do.
 */
function hasherThreads(): HasherPool {
  const most = Math.min(2, navigator.hardwareConcurrency - 1);
  const code = new URL("./hash/worker.ts", import.meta.url);
  return new HasherPool(most, () => new Worker(code, { type: "module" }));
}

/**
 * Where this user's configuration, state and cache are.
 *
 * @param platform as `Deno.build.os` names it. @throws {UsageError} where there is no home folder.
 */
export function directoriesOf(
  env: (name: string) => string | undefined,
  platform: string,
): Directories {
  return directories.directoriesOf(env, platform, accountHome);
}

/** The home folder in the system's list of users; undefined for a user who is not in it, or has none. */
function accountHome(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined;
  }
}

/** The kernel's id of this boot; undefined where the platform gives none. */
function bootId(): string | undefined {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  } catch {
    return undefined;
  }
}

/** undefined where files have no owners. */
function currentUser(): User | undefined {
  const uid = Deno.uid();
  return uid === null ? undefined : { uid, umask: Deno.umask() };
}

/** Found by opening: the limit of `ulimit -n` itself cannot be read without rights that p2p does without. */
function freeDescriptors(atMost: number): FreeDescriptors {
  if (Deno.build.os === "windows") return { count: atMost };
  const opened: Disposable[] = [];
  try {
    while (opened.length < atMost) opened.push(Deno.openSync("/dev/null"));
    return { count: atMost };
  } catch (error) {
    if (!isOutOfDescriptors(error)) return { count: atMost };
    const count = opened.length;
    for (const file of opened.splice(0, KEPT_FREE)) file[Symbol.dispose]();
    return { count, limit: descriptorLimit() };
  } finally {
    for (const file of opened) file[Symbol.dispose]();
  }
}

/** Reading a folder needs some descriptors itself. */
const KEPT_FREE = 3;

/** The limit, while all but a few descriptors are open: those below it leave no greater gap. */
function descriptorLimit(): number | undefined {
  try {
    const open = Array.from(Deno.readDirSync("/dev/fd"), ({ name }) => Number(name));
    open.sort((a, b) => a - b);
    // A descriptor above the limit can be inherited from a process that had a higher one.
    const last = open.findLast((number, index) => number - index <= KEPT_FREE);
    return last === undefined ? undefined : last + 1;
  } catch {
    return undefined;
  }
}

/** Downloads everything asked for: one outcome for each different name, in their order, whatever happens to the others. */
export async function download(
  job: jobs.DownloadJob,
  emit: EventSink<TaskEvent>,
  signal: AbortSignal,
): Promise<jobs.TaskOutcome[]> {
  // A task is known by its target again, from whichever folder it is asked for.
  const outDir = resolve(job.outDir);
  using hashers = hasherThreads();
  const platform = {
    ...surroundings(job.settings),
    chance: systemRandom,
    store: {
      pid: Deno.pid,
      boot: systemClock.wallTime() - Deno.osUptime() * 1000,
      bootId: bootId(),
      user: currentUser(),
      space: new DiskSpace(),
      hasher: hashers,
    },
    hashers,
    freeDescriptors,
  };
  return await jobs.download({ ...job, outDir }, platform, emit, signal);
}

/** What the seeds offer; one-shot seeds tell no time: `modified` is then 0. */
export async function list(
  query: offers.ListQuery,
  settings: DownloadSettings,
  signal: AbortSignal,
): Promise<offers.Offer> {
  return await offers.list(query, settings, surroundings(settings), signal);
}

/** How the seeds are, in the order of the settings. */
export async function seedHealth(
  settings: DownloadSettings,
  signal: AbortSignal,
): Promise<offers.SeedHealth[]> {
  return await offers.seedHealth(settings, surroundings(settings), signal);
}

/** Compares local files with what the seeds have; see `task/verify.ts`. */
export async function verify(
  requests: readonly verification.VerifyRequest[],
  settings: DownloadSettings,
  progress: verification.Progress,
  signal: AbortSignal,
): Promise<verification.Verification[]> {
  using hasher = hasherThreads();
  const runtime = { ...surroundings(settings), hasher };
  return await verification.verify(requests, settings, runtime, progress, signal);
}

/** The names that patterns mean; see `task/list.ts`. */
export async function resolveNames(
  patterns: readonly string[],
  all: boolean,
  settings: DownloadSettings,
  signal: AbortSignal,
): Promise<offers.NamedFile[]> {
  return await offers.resolveNames(patterns, all, settings, surroundings(settings), signal);
}

/** Serves until `signal` aborts and what is being sent is finished; `now` ends everything at once. */
export async function serve(
  settings: ServeSettings,
  directories: Directories,
  emit: EventSink<ServeEvent>,
  signal: AbortSignal,
  now: AbortSignal,
): Promise<void> {
  using hasher = hasherThreads();
  const parts = {
    clock: systemClock,
    random: () => systemRandom.fraction(),
    nonce: () => systemRandom.hex(16),
    hasher,
    listen,
  };
  await serveFolder(settings, directories.cache, parts, emit, signal, now);
}

/** Every task that is known, oldest first; those that are over only with `all`. */
export async function tasks(
  { state }: Directories,
  options: { readonly all: boolean },
): Promise<TaskStatus[]> {
  return await known.tasks(state, systemClock.wallTime(), options);
}

/** What is not over, for a person: of a long queue only its beginning. With `all` also what is over. */
export async function overview(
  { state }: Directories,
  maxWaiting: number,
  options: { readonly all: boolean } = { all: false },
): Promise<Overview> {
  return await known.overview(state, systemClock.wallTime(), maxWaiting, options);
}

/** Unfinished files of other contents, kept for when these are wanted again, in the folders of all known tasks. */
export async function asides({ state }: Directories): Promise<QuarantinedPart[]> {
  return await known.quarantinedParts(state, systemClock.wallTime());
}

/** The tasks whose id or name begins with `text`, the newest of many; those that are over only with `all`. */
export async function tasksBeginning(
  { state }: Directories,
  text: string,
  options: { readonly all: boolean },
): Promise<TaskStatus[]> {
  return await known.tasksBeginning(state, text, systemClock.wallTime(), options);
}

/** The task that `text` means: an id, a unique beginning of one, or a file name (its newest task that is not over); see `taskNamed`. */
export async function findTask({ state }: Directories, text: string): Promise<TaskStatus> {
  return await known.findTask(state, text, systemClock.wallTime());
}

/** What there is to say about why a task is as fast as it is. `text` as in `findTask`. */
export async function why({ state }: Directories, text: string): Promise<known.TaskCase> {
  return await known.taskCase(state, text, systemClock.wallTime());
}

/** Pauses, resumes or cancels a task of any process. @throws {UsageError} if it is over. */
export async function control(
  { state }: Directories,
  task: TaskStatus,
  order: ControlAction,
): Promise<ControlOutcome> {
  return await known.controlTask(state, task, order, Deno.pid, systemClock);
}

/** How many downloads at a time each running process does. */
export async function runningMax({ state }: Directories): Promise<known.RunningMax[]> {
  return await known.runningMax(state);
}

/** Changes how many downloads at a time the running processes do. @returns how many processes there are. */
export async function setMax({ state }: Directories, count: number): Promise<number> {
  return await known.setMax(state, count, systemClock.wallTime());
}

/** The log of a task, oldest first, what is there now in one array; with `follow` it goes on until the task is over or `signal` aborts. */
export function logLines(
  directories: Directories,
  task: string,
  options: { readonly follow: boolean },
  signal: AbortSignal,
): AsyncIterable<LogLine[]> {
  return readLog(directories.state, task, options, systemClock, signal);
}
