/**
 * p2p as a library: downloads files from several sources at once, verifies them by digests, and
 * serves folders. The commands use these same functions. Every function works with defaults.
 *
 * Progress and results are data: events go to the `emit` function of a call, errors are
 * `P2pError`s with a `code`. Sizes are in bytes, rates in bytes a second, durations in
 * milliseconds; a time is in milliseconds since 1970 unless it is called monotonic. A seed is named
 * by the text of its address, as `formatSourceAddress` writes it.
 *
 * A call that takes an `AbortSignal` throws the reason of the signal when it aborts, except
 * `download` and `serve`, which end well: `download` reports interrupted tasks as outcomes.
 *
 * Functions load what they need when they are called, so that a program which only reads the state
 * of downloads starts without the code that downloads and serves.
 *
 * `core/README.md` has an example of the whole.
 *
 * @module
 */
import { homedir } from "node:os";
import { isAbsolute, resolve } from "node:path";
import { systemClock } from "./base/clock.ts";
import { DEFAULT_PORT, parseSourceAddress, type SourceAddress } from "./base/source_address.ts";
import {
  DOWNLOAD_DEFAULTS,
  type DownloadSettings,
  SERVE_DEFAULTS,
  type ServeSettings,
} from "./config.ts";
import type { NearbySeed } from "./discovery/browse.ts";
import type { DownloadJob, DownloadRequest, TaskOutcome } from "./download/download.ts";
import type { SyncJob, SyncPlan } from "./download/sync.ts";
import type { ListQuery, NamedFile, Offer, SeedHealth } from "./download/list.ts";
import type { WrittenManifest } from "./download/make_manifest.ts";
import type { StreamEnd, StreamJob } from "./download/stream.ts";
import type { Verification, VerifyProgress, VerifyRequest } from "./download/verify.ts";
import type { EventSink, ServeEvent, TaskEvent } from "./events.ts";
import type { Runtime } from "./runtime.ts";
import type { ControlAction, ControlOutcome } from "./state/control.ts";
import * as directories from "./state/directories.ts";
import type { Directories } from "./state/directories.ts";
import type { Overview } from "./state/read_tasks.ts";
import type { LogLine } from "./state/task_log.ts";
import type { TaskStatus } from "./state/task_status.ts";
import type { QuarantinedPart } from "./store/partials.ts";
import type { RunningMax, TaskCase } from "./tasks/tasks.ts";

export * from "./base/errors.ts";
export * from "./config.ts";
export * from "./events.ts";
export { formatBytes, formatPart } from "./base/text.ts";
export { sizeOfCell } from "./base/pieces.ts";
export { invalidNameReason } from "./base/names.ts";
export { percentDone } from "./base/text.ts";
export { printable } from "./base/text.ts";
export { isGlob, noMatchMessage } from "./base/globs.ts";
export { TaskGroup } from "./base/task_group.ts";
export {
  DEFAULT_PORT,
  encodeSourceAddress,
  formatSourceAddress,
  isWebAddress,
  parseSourceAddress,
  type SocketAddress,
  type SourceAddress,
  type WebAddress,
  withoutSecrets,
} from "./base/source_address.ts";
export { hostName } from "./base/host_name.ts";
export { formatLink, isLink, type Link, parseLink } from "./base/link.ts";
export type { Directories } from "./state/directories.ts";
export type { FileAttributes } from "./store/part_file.ts";
export type { ByteRange } from "./base/ranges.ts";
export type { ListedFile } from "./protocol/listing.ts";
export type { Manifest } from "./protocol/manifest.ts";
export type { PieceLayout } from "./base/pieces.ts";
export type { SourceProtocol } from "./source/source.ts";
export { type ActiveTask, RunProgress, type Totals } from "./progress/run_progress.ts";
export {
  type PiecesSnapshot,
  type SeedSnapshot,
  type SeedStatus,
  type SeedSummary,
  type Span,
  SPANS,
  type TaskDetail,
  type TimeReport,
  type TimeSpent,
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
export type {
  Verdict,
  Verification,
  VerifyProgress,
  VerifyRequest,
  WrongPieces,
} from "./download/verify.ts";
export type { StreamEnd, StreamJob, StreamReader } from "./download/stream.ts";
export type { WrittenManifest } from "./download/make_manifest.ts";
export type {
  ListQuery,
  NamedFile,
  Offer,
  OfferedFile,
  SeedHealth,
  SeedReport,
} from "./download/list.ts";
export type { NearbySeed } from "./discovery/browse.ts";
export type { SyncJob, SyncPlan } from "./download/sync.ts";
export type { RunningMax, TaskCase } from "./tasks/tasks.ts";

/**
 * Where this user's configuration, state and cache are. Nothing is read or created.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { join } from "@std/path";
 * import { directoriesOf } from "p2p";
 *
 * const env: Record<string, string> = { HOME: "/home/ann", P2P_STATE_DIR: "/var/lib/p2p" };
 * assertEquals(directoriesOf((name) => env[name], "linux"), {
 *   config: join("/home/ann", ".config", "p2p"),
 *   state: "/var/lib/p2p",
 *   cache: join("/home/ann", ".cache", "p2p"),
 * });
 * ```
 *
 * @param env the environment: P2P_CONFIG_DIR, P2P_STATE_DIR and P2P_CACHE_DIR win over all.
 * @param platform as `Deno.build.os` names it.
 * @throws {UsageError} with the problem `no-home` where there is no home folder.
 */
export function directoriesOf(
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
  platform: string = Deno.build.os,
): Directories {
  return directories.directoriesOf(env, platform, accountHome);
}

/**
 * Completes the settings of downloads by their defaults.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { DOWNLOAD_DEFAULTS, downloadSettings } from "p2p";
 *
 * const settings = downloadSettings(["nas1", "tls://nas2:7271"], { max: 5, limit: 1024 ** 2 });
 * assertEquals(settings.seeds[0], { host: "nas1", port: 7270, tls: false });
 * assertEquals([settings.max, settings.stallMs], [5, DOWNLOAD_DEFAULTS.stallMs]);
 * ```
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

/**
 * Completes the settings of a server by their defaults.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serveSettings } from "p2p";
 *
 * const { dir, host, port, hidden } = serveSettings({ dir: "/srv/files", host: "127.0.0.1" });
 * assertEquals([dir, host, port, hidden], ["/srv/files", "127.0.0.1", 7270, false]);
 * ```
 */
export function serveSettings(options: Partial<ServeSettings> = {}): ServeSettings {
  return { ...SERVE_DEFAULTS, port: DEFAULT_PORT, ...options };
}

const environment = (name: string) => Deno.env.get(name);
/** What earlier processes remember of seeds saves a round trip. */
async function recallGreetings(
  { greetings }: Pick<Runtime, "greetings">,
  directories: Pick<Directories, "state"> | undefined,
): Promise<void> {
  if (!directories) return;
  const { readKnownSeeds } = await import("./state/known_seeds.ts");
  greetings?.add(readKnownSeeds(directories.state));
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

/**
 * Downloads files. A task that fails does not stop the others: its outcome has the reason.
 *
 * @example A seed that does not listen: the outcome says so.
 * ```ts
 * import { assert } from "@std/assert";
 * import { download, downloadSettings } from "p2p";
 *
 * const folder = await Deno.makeTempDir();
 * const directories = { config: folder, state: `${folder}/state`, cache: `${folder}/cache` };
 * // Without a byte for half a second a task fails; the default is two minutes.
 * const settings = downloadSettings(["127.0.0.1:1"], { giveUpMs: 500 });
 * const [first] = await download(
 *   { requests: [{ name: "a.iso" }], outDir: folder, settings, directories },
 *   (event) => {
 *     if (event.kind === "state") console.debug(event.task, event.state);
 *   },
 * );
 * assert(first?.outcome.ok === false && first.outcome.failure.code === "unreachable");
 * await Deno.remove(folder, { recursive: true });
 * ```
 *
 * @param emit receives every event of every task. It must not block or throw.
 * @param signal its abort interrupts the tasks: their partial files stay, and the same call resumes
 * them.
 * @returns one outcome for each different name, in the order of the requests.
 * @throws {UsageError} if a name is not valid, or too few files can be opened for any download.
 */
export async function download(
  { outDir = ".", settings, directories = directoriesOf(), ...job }: DownloadJob,
  emit: EventSink<TaskEvent> = ignore,
  signal: AbortSignal = never,
): Promise<TaskOutcome[]> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime(settings.caCerts, environment);
  // A task is identified by its absolute target, whatever the working directory is.
  const whole = { ...job, outDir: resolve(outDir), settings, directories };
  const jobs = await import("./download/download.ts");
  return await jobs.download(whole, runtime, emit, signal);
}

/**
 * Streams files to a reader, one after the other: in order, each piece after it was verified, from all
 * seeds that have it, and without a disk. A slow reader makes the seeds wait: `settings.memory` bounds
 * what was received and not yet written. It ends with the first file that fails.
 *
 * @example A seed that does not listen: the outcome says so, and nothing is written.
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { downloadSettings, stream } from "p2p";
 *
 * const write = (bytes: Uint8Array) => Promise.resolve(console.debug(bytes.length));
 * const { outcomes, written } = await stream({
 *   requests: [{ name: "a.iso" }],
 *   reader: { offset: 0, write },
 *   settings: downloadSettings(["127.0.0.1:1"], { giveUpMs: 500 }),
 * });
 * assertEquals([outcomes[0]?.outcome.ok, written], [false, 0]);
 * ```
 *
 * @param emit receives every event of every file. It must not block or throw.
 * @param signal its abort ends the stream; the outcome of the file says that it was interrupted.
 * @throws {UsageError} if a name is not valid, or `offset` is behind the end of the last file.
 * @throws what `write` throws.
 */
export async function stream(
  job: StreamJob,
  emit: EventSink<TaskEvent> = ignore,
  signal: AbortSignal = never,
): Promise<StreamEnd> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime(job.settings.caCerts, environment);
  const streams = await import("./download/stream.ts");
  return await streams.stream(job, runtime, emit, signal);
}

/**
 * Lists the files that the seeds offer. A seed that does not answer has a report with its error.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { downloadSettings, list } from "p2p";
 *
 * const { files, seeds } = await list({ glob: "*.iso", ids: true }, downloadSettings(["127.0.0.1:1"]));
 * assertEquals([files, seeds[0]!.ok], [[], false]);
 * ```
 */
export async function list(
  query: ListQuery,
  settings: DownloadSettings,
  signal: AbortSignal = never,
  directories?: Pick<Directories, "state">,
): Promise<Offer> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime(settings.caCerts, environment);
  await recallGreetings(runtime, directories);
  const offers = await import("./download/list.ts");
  return await offers.list(query, settings, runtime, signal);
}

/**
 * Asks each seed how it is. A seed that does not answer has an error.
 *
 * @returns one for each seed, in the order of the settings.
 */
export async function seedHealth(
  settings: DownloadSettings,
  signal: AbortSignal = never,
): Promise<SeedHealth[]> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime(settings.caCerts, environment);
  const offers = await import("./download/list.ts");
  return await offers.seedHealth(settings, runtime, signal);
}

/**
 * Compares a folder with what the seeds offer, by size and time. Nothing is changed. Download the
 * requests of the plan with the conflict policy `overwrite`, and then call `finishSync`.
 *
 * @throws {UnreachableError} if no seed answers. @throws {NotFoundError} if they offer nothing there.
 */
export async function planSync(
  job: SyncJob,
  settings: DownloadSettings,
  signal: AbortSignal = never,
): Promise<SyncPlan> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime(settings.caCerts, environment);
  const sync = await import("./download/sync.ts");
  return await sync.planSync(job, settings, runtime, signal);
}

/**
 * Records what was offered, and deletes the files of `remove`, which are names that the plan calls
 * gone, and folders that became empty.
 *
 * @returns the names that were deleted. @throws {DiskError}
 */
export async function finishSync(
  job: SyncJob,
  plan: SyncPlan,
  remove: readonly string[],
): Promise<string[]> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime();
  const sync = await import("./download/sync.ts");
  return await sync.finishSync(job, plan, remove, runtime);
}

/** Those of the seeds that answer at all. @returns them in the order of the settings. */
export async function answeringSeeds(
  settings: DownloadSettings,
  signal: AbortSignal = never,
): Promise<SourceAddress[]> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime(settings.caCerts, environment);
  const offers = await import("./download/list.ts");
  return await offers.answeringSeeds(settings, runtime, signal);
}

/**
 * Finds the seeds that announce themselves on the local network, by multicast DNS.
 *
 * @param ms how long to wait for answers; neighbours answer within a few milliseconds.
 * @returns none where the network does not carry multicast: that is no error.
 */
export async function nearbySeeds(
  ms: number = DISCOVERY_MS,
  signal: AbortSignal = never,
): Promise<NearbySeed[]> {
  const { multicast } = await import("./discovery/multicast.ts");
  const { browse } = await import("./discovery/browse.ts");
  return await browse(ms, { multicast, clock: systemClock }, signal);
}

/** Longer than a wireless network delays multicast to wake sleeping receivers; too short to annoy. */
const DISCOVERY_MS = 300;

/**
 * Compares local files with the manifests of the seeds. It downloads and changes nothing.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { downloadSettings, verify } from "p2p";
 *
 * const path = await Deno.makeTempFile();
 * const settings = downloadSettings(["127.0.0.1:1"]);
 * const [first] = await verify([{ path, names: ["a.iso"] }], settings);
 * assert(first?.verdict.kind === "failed" && first.verdict.code === "unreachable");
 * await Deno.remove(path);
 * ```
 *
 * @param progress receives the number of hashed bytes of each file.
 * @returns one verification for each request, in their order; an error is the verdict `failed`.
 */
export async function verify(
  requests: readonly VerifyRequest[],
  settings: DownloadSettings,
  progress: VerifyProgress = ignore,
  signal: AbortSignal = never,
): Promise<Verification[]> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime(settings.caCerts, environment);
  const verification = await import("./download/verify.ts");
  return await verification.verify(requests, settings, runtime, progress, signal);
}

/**
 * What a link asks for: its name, where it is, and which content it must be. A link to a manifest
 * file (`.p2p`), on the web or a path on this computer, means the file that the manifest describes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { downloadSettings, resolveLink } from "p2p";
 *
 * const request = await resolveLink("https://example.org/files/a.iso", downloadSettings([]));
 * assertEquals(request, { name: "a.iso", seeds: [{ url: "https://example.org/files/a.iso" }] });
 * ```
 *
 * @throws {UsageError} if it is not a link that p2p understands.
 * @throws {P2pError} if the manifest file cannot be read or is not valid.
 */
export async function resolveLink(
  link: string,
  settings: DownloadSettings,
  signal: AbortSignal = never,
): Promise<DownloadRequest> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime(settings.caCerts, environment);
  const links = await import("./download/links.ts");
  return await links.requestFor(link, settings, runtime, signal);
}

/**
 * Writes `<file>.p2p` beside a file: its manifest, and where it is served. Any web server that has
 * both is a source whose bytes are verified.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { writeManifest } from "p2p";
 *
 * const path = await Deno.makeTempFile();
 * const written = await writeManifest(path, ["https://example.org/files/"]);
 * assertEquals(written.path, `${path}.p2p`);
 * await Deno.remove(path);
 * await Deno.remove(written.path);
 * ```
 *
 * @param urls where the file is served; its name is appended to one that ends with a slash.
 * @param progress receives the number of hashed bytes.
 * @throws {UsageError} if an address is not usable. @throws {DiskError} if the file cannot be read.
 */
export async function writeManifest(
  path: string,
  urls: readonly string[] = [],
  progress: VerifyProgress = ignore,
  signal: AbortSignal = never,
): Promise<WrittenManifest> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime();
  const manifests = await import("./download/make_manifest.ts");
  return await manifests.writeManifest(path, urls, runtime.hasher, progress, signal);
}

/**
 * Expands globs to the names that the seeds offer; with `all`, returns all of them. A name that is no
 * glob is returned as it is, whether a seed has it or not, and a glob without a match as `unmatched`.
 *
 * @param directories where downloads remember seeds that were used: these answer a round trip earlier.
 * @throws {NotFoundError} if there is no name at all.
 * @throws {UnreachableError} if a listing is needed and no seed sends one.
 */
export async function resolveNames(
  patterns: readonly string[],
  all: boolean,
  settings: DownloadSettings,
  signal: AbortSignal = never,
  directories?: Pick<Directories, "state">,
): Promise<NamedFile[]> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime(settings.caCerts, environment);
  await recallGreetings(runtime, directories);
  const offers = await import("./download/list.ts");
  return await offers.resolveNames(patterns, all, settings, runtime, signal);
}

/**
 * Serves a folder until `signal` aborts. Then replies that have begun are finished, and the promise
 * resolves.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve, serveSettings } from "p2p";
 *
 * const dir = await Deno.makeTempDir();
 * await Deno.writeTextFile(`${dir}/a.txt`, "hello");
 * const stop = new AbortController();
 * await serve(serveSettings({ dir, host: "127.0.0.1", port: 0 }), { cache: `${dir}/.cache` }, (event) => {
 *   if (event.kind !== "listening") return;
 *   assertEquals([event.files, event.bytes, event.names], [1, 5, ["a.txt"]]);
 *   stop.abort();
 * }, stop.signal);
 * await Deno.remove(dir, { recursive: true });
 * ```
 *
 * @param directories the cache keeps digests over restarts.
 * @param now its abort ends everything at once.
 * @throws {UsageError} if there is no such folder, or the address cannot be listened on.
 * @throws {DiskError} if the folder cannot be read.
 */
export async function serve(
  settings: ServeSettings,
  directories: Pick<Directories, "cache"> = directoriesOf(),
  emit: EventSink<ServeEvent> = ignore,
  signal: AbortSignal = never,
  now: AbortSignal = never,
): Promise<void> {
  const { systemRuntime } = await import("./runtime.ts");
  using runtime = systemRuntime();
  const server = await import("./serve/server.ts");
  await server.serve(settings, directories.cache, runtime, emit, signal, now);
}

/**
 * Every task that is known, of all processes of this user, oldest first; those that are over only with
 * `all`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { tasks } from "p2p";
 *
 * const folder = await Deno.makeTempDir();
 * const directories = { config: folder, state: folder, cache: folder };
 * assertEquals(await tasks(directories, { all: true }), []);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function tasks(
  { state }: Directories,
  options: { readonly all: boolean },
): Promise<TaskStatus[]> {
  const known = await import("./tasks/tasks.ts");
  return await known.tasks(state, systemClock.wallTime(), options);
}

/**
 * What is not over, for a person: at most `maxWaiting` waiting tasks of each process, and the number
 * of the others. With `all` also what is over.
 */
export async function overview(
  { state }: Directories,
  maxWaiting: number,
  options: { readonly all: boolean } = { all: false },
): Promise<Overview> {
  const known = await import("./tasks/tasks.ts");
  return await known.overview(state, systemClock.wallTime(), maxWaiting, options);
}

/** Unfinished files of other contents, kept for when these are wanted again, in the folders of all known tasks. */
export async function asides({ state }: Directories): Promise<QuarantinedPart[]> {
  const known = await import("./tasks/tasks.ts");
  return await known.quarantinedParts(state, systemClock.wallTime());
}

/** The tasks whose id or name begins with `text`, the newest of many; those that are over only with `all`. */
export async function tasksBeginning(
  { state }: Directories,
  text: string,
  options: { readonly all: boolean },
): Promise<TaskStatus[]> {
  const known = await import("./tasks/tasks.ts");
  return await known.tasksBeginning(state, text, systemClock.wallTime(), options);
}

/**
 * The task that `text` means: an id, a unique beginning of one, or a file name or its last part (its
 * newest task that is not over; if all are over, the newest).
 *
 * @throws {NotFoundError} if there is none.
 * @throws {UsageError} if it may be several.
 */
export async function findTask({ state }: Directories, text: string): Promise<TaskStatus> {
  const known = await import("./tasks/tasks.ts");
  return await known.findTask(state, text, systemClock.wallTime());
}

/** The facts that explain the speed of a task. @param text as in `findTask`, which also names the errors. */
export async function why({ state }: Directories, text: string): Promise<TaskCase> {
  const known = await import("./tasks/tasks.ts");
  return await known.taskCase(state, text, systemClock.wallTime());
}

/**
 * Pauses, resumes or cancels a task of any process. Repeating an action is no error.
 *
 * @returns whether the process of the task applies it, its next run does, or nothing is left to do.
 * @throws {UsageError} with the problem `task-over` if it is over.
 * @throws {ConflictError} if the partial file is to be removed and another process works on it.
 */
export async function control(
  { state }: Directories,
  task: TaskStatus,
  order: ControlAction,
): Promise<ControlOutcome> {
  const known = await import("./tasks/tasks.ts");
  return await known.controlTask(state, task, order, Deno.pid, systemClock);
}

/** How many downloads at a time each running process does. */
export async function runningMax({ state }: Directories): Promise<RunningMax[]> {
  const known = await import("./tasks/tasks.ts");
  return await known.runningMax(state);
}

/** Changes how many downloads at a time the running processes do. @returns how many processes there are. */
export async function setMax({ state }: Directories, count: number): Promise<number> {
  const known = await import("./tasks/tasks.ts");
  return await known.setMax(state, count, systemClock.wallTime());
}

/**
 * The log of a task, oldest first. The first array has the lines that exist now, and may be empty; with
 * `follow` others come until the task is over or `signal` aborts.
 *
 * @param task its id.
 */
export async function* logLines(
  directories: Directories,
  task: string,
  options: { readonly follow: boolean },
  signal: AbortSignal,
): AsyncIterable<LogLine[]> {
  const { readLog } = await import("./state/task_log.ts");
  yield* readLog(directories.state, task, options, systemClock, signal);
}
