/**
 * p2p as a library: downloads files from several sources at once, verifies them by digests, and
 * serves folders. The commands use these same functions. Every function works with defaults.
 *
 * Progress and results are data: events go to the `emit` function of a call, errors are
 * `P2pError`s with a `code`. See `core/README.md` for examples.
 *
 * @module
 */
import { homedir } from "node:os";
import { isAbsolute, resolve } from "@std/path";
import { systemClock } from "./base/clock.ts";
import { DEFAULT_PORT, parseSourceAddress, type SourceAddress } from "./base/source_address.ts";
import {
  DOWNLOAD_DEFAULTS,
  type DownloadSettings,
  SERVE_DEFAULTS,
  type ServeSettings,
} from "./config.ts";
import * as jobs from "./download/download.ts";
import type { TaskOutcome } from "./download/download.ts";
import * as offers from "./download/list.ts";
import type { ListQuery, NamedFile, Offer, SeedHealth } from "./download/list.ts";
import * as verification from "./download/verify.ts";
import type { Verification, VerifyProgress, VerifyRequest } from "./download/verify.ts";
import type { EventSink, ServeEvent, TaskEvent } from "./events.ts";
import { systemRuntime } from "./runtime.ts";
import { serve as serveFolder } from "./serve/server.ts";
import type { ControlAction, ControlOutcome } from "./state/control.ts";
import * as directories from "./state/directories.ts";
import type { Directories } from "./state/directories.ts";
import type { Overview } from "./state/read_tasks.ts";
import { type LogLine, readLog } from "./state/task_log.ts";
import type { TaskStatus } from "./state/task_status.ts";
import type { QuarantinedPart } from "./store/partials.ts";
import * as known from "./tasks/tasks.ts";
import type { RunningMax, TaskCase } from "./tasks/tasks.ts";

export * from "./base/errors.ts";
export * from "./config.ts";
export * from "./events.ts";
export { formatBytes, formatPart } from "./base/text.ts";
export { sizeOfCell } from "./base/pieces.ts";
export { invalidNameReason } from "./base/names.ts";
export { percentDone } from "./base/text.ts";
export { printable } from "./base/text.ts";
export { TaskGroup } from "./base/task_group.ts";
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
export type { DownloadRequest, FewDescriptors, TaskOutcome } from "./download/download.ts";
export type {
  Verdict,
  Verification,
  VerifyProgress,
  VerifyRequest,
  WrongPieces,
} from "./download/verify.ts";
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

/**
 * Where this user's configuration, state and cache are.
 *
 * @param platform as `Deno.build.os` names it. @throws {UsageError} where there is no home folder.
 */
export function directoriesOf(
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
  platform: string = Deno.build.os,
): Directories {
  return directories.directoriesOf(env, platform, accountHome);
}

/** What to download, and where. */
export interface DownloadJob extends Omit<jobs.DownloadJob, "outDir" | "directories"> {
  /** Created if it is missing; the working directory if it is not given. Names may have folders, which are kept. */
  readonly outDir?: string;
  /** Records and logs go there; those of this user if not given. */
  readonly directories?: Directories;
}

/**
 * Completes the settings of downloads by their defaults.
 *
 * @param seeds addresses, or texts such as `nas1` and `tls://nas2:7270`.
 * @throws {UsageError} if a text is not an address.
 */
export function downloadSettings(
  seeds: readonly (string | SourceAddress)[],
  options: Partial<DownloadSettings> = {},
): DownloadSettings {
  const addresses = seeds.map((seed) => typeof seed === "string" ? parseSourceAddress(seed) : seed);
  return { ...DOWNLOAD_DEFAULTS, ...options, seeds: addresses };
}

/** Completes the settings of a server by their defaults. */
export function serveSettings(options: Partial<ServeSettings> = {}): ServeSettings {
  return { ...SERVE_DEFAULTS, port: DEFAULT_PORT, ...options };
}

/** The default signal: it never aborts. */
const never = new AbortController().signal;
const ignore = () => {};

/** The home folder in the system's list of users; undefined for a user who is not in it, or has none. */
function accountHome(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined;
  }
}

/** Downloads the files. The outcomes come in the order of the requests, one for each different name. */
export async function download(
  { outDir = ".", settings, directories = directoriesOf(), ...job }: DownloadJob,
  emit: EventSink<TaskEvent> = ignore,
  signal: AbortSignal = never,
): Promise<TaskOutcome[]> {
  using runtime = systemRuntime(settings.caCerts);
  // A task is identified by its absolute target, whatever the working directory is.
  const whole = { ...job, outDir: resolve(outDir), settings, directories };
  return await jobs.download(whole, runtime, emit, signal);
}

/** Lists the files that the seeds offer. */
export async function list(
  query: ListQuery,
  settings: DownloadSettings,
  signal: AbortSignal = never,
): Promise<Offer> {
  using runtime = systemRuntime(settings.caCerts);
  return await offers.list(query, settings, runtime, signal);
}

/** Asks each seed how it is; the results are in the order of the settings. */
export async function seedHealth(
  settings: DownloadSettings,
  signal: AbortSignal = never,
): Promise<SeedHealth[]> {
  using runtime = systemRuntime(settings.caCerts);
  return await offers.seedHealth(settings, runtime, signal);
}

/** Compares local files with the manifests of the seeds. It downloads and changes nothing. */
export async function verify(
  requests: readonly VerifyRequest[],
  settings: DownloadSettings,
  progress: VerifyProgress = ignore,
  signal: AbortSignal = never,
): Promise<Verification[]> {
  using runtime = systemRuntime(settings.caCerts);
  return await verification.verify(requests, settings, runtime, progress, signal);
}

/** Expands globs to the names that the seeds offer; with `all`, returns all of them. */
export async function resolveNames(
  patterns: readonly string[],
  all: boolean,
  settings: DownloadSettings,
  signal: AbortSignal = never,
): Promise<NamedFile[]> {
  using runtime = systemRuntime(settings.caCerts);
  return await offers.resolveNames(patterns, all, settings, runtime, signal);
}

/**
 * Serves a folder. When `signal` aborts, replies that have begun are finished and the promise
 * resolves; when `now` aborts, everything ends at once.
 *
 * @param directories the cache keeps digests over restarts.
 */
export async function serve(
  settings: ServeSettings,
  directories: Pick<Directories, "cache"> = directoriesOf(),
  emit: EventSink<ServeEvent> = ignore,
  signal: AbortSignal = never,
  now: AbortSignal = never,
): Promise<void> {
  using runtime = systemRuntime();
  await serveFolder(settings, directories.cache, runtime, emit, signal, now);
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
export async function why({ state }: Directories, text: string): Promise<TaskCase> {
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
export async function runningMax({ state }: Directories): Promise<RunningMax[]> {
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
