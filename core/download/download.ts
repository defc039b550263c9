/** All downloads of one command: creates what they share, and runs them through the queue. */
import type { Clock } from "../base/clock.ts";
import {
  descriptorsFor,
  type DescriptorShares,
  divideDescriptors,
  MIN_DESCRIPTORS,
} from "../base/descriptors.ts";
import { DiskError, UsageError } from "../base/errors.ts";
import { invalidNameReason } from "../base/names.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { SourceAddress } from "../base/source_address.ts";
import { TaskGroup } from "../base/task_group.ts";
import type { DownloadSettings } from "../config.ts";
import type { EventSink, TaskEvent } from "../events.ts";
import { RunProgress } from "../progress/run_progress.ts";
import type { Manifest } from "../protocol/manifest.ts";
import { MAX_CONNECTIONS, maxConnectionsOf, SourcePool } from "../source/pool.ts";
import type { Directories } from "../state/directories.ts";
import { RunWriter } from "../state/run_writer.ts";
import { watchControlRequests } from "../state/control.ts";
import { removeOldQuarantined } from "../store/partials.ts";
import type { FileAttributes } from "../store/part_file.ts";
import { isReservedName, OutFolder } from "../store/paths.ts";
import { SeenEntries } from "../store/seen_entries.ts";
import { keepGreetings } from "./known_greetings.ts";
import { Prefetch } from "./prefetch.ts";
import { runQueue } from "./run_queue.ts";
import type { Runtime } from "../runtime.ts";
import { type Task, type TaskOutcome, TaskRunner } from "./task_runner.ts";

export type { TaskOutcome };

/** One file to download. */
export interface DownloadRequest {
  /** The name on the seeds, with `/` between its parts. */
  readonly name: string;
  /** The name of the file here, if it is another one; as `name` otherwise. */
  readonly saveAs?: string;
  /** The bytes must have this digest, hex. */
  readonly sha256?: string;
  /** The content must have this id, or one with this beginning; hex. */
  readonly id?: string;
  /** From a listing, if there is one: small files are probed ahead. */
  readonly size?: number;
  /** Given to the complete file; by default its time is that of the download. */
  readonly attributes?: FileAttributes;
  /** Where to ask for this file; the seeds of the settings if not given. */
  readonly seeds?: readonly SourceAddress[];
  /** What the bytes are, if that is known: sources without a manifest can deliver them. */
  readonly manifest?: Manifest;
}

/** What to download, and where. */
export interface DownloadJob {
  /** One task for each different file here; of several requests with one name, the last counts. */
  readonly requests: readonly DownloadRequest[];
  /**
   * Created if it is missing; the working directory if it is not given. Names go below it, with
   * their folders.
   */
  readonly outDir?: string;
  /** The settings of all downloads; see `downloadSettings`. */
  readonly settings: DownloadSettings;
  /** Records and logs go there; those of this user if not given. */
  readonly directories?: Directories;
  /** Kept up to date with every event, before the event is emitted. */
  readonly progress?: RunProgress;
  /** Called once if fewer downloads than wanted can run at a time, because descriptors are few. */
  readonly onFewDescriptors?: (found: FewDescriptors) => void;
  /** Called once if the state folder cannot be written: other processes see nothing of this run. */
  readonly onStateUnavailable?: (error: DiskError) => void;
}

/** A job without defaults; `outDir` is absolute. */
export interface CompleteDownloadJob extends DownloadJob {
  readonly outDir: string;
  readonly directories: Directories;
}

/** A seed has places for few hundred connections, and receivers that share ask it for a part of the pieces. */
const SHARED_SEED_CONNECTIONS = 2;
/** Two connections to each of 24 receivers, and as many from them. */
const SHARING_DESCRIPTORS = 128;

/** How few open files limit the downloads. */
export interface FewDescriptors {
  /** Downloads that run at a time. */
  readonly running: number;
  /** Downloads at a time that the settings ask for. */
  readonly wanted: number;
  /** How many files this process may have open, if known. */
  readonly limit: number | undefined;
}

const RESERVED_NAME = "p2p keeps that name for unfinished downloads";

/**
 * Downloads all requests: one outcome for each different name, in their order, whatever happens to
 * the others.
 *
 * @throws {UsageError} if a name is not valid, or too few files can be opened for any download.
 */
export async function download(
  job: CompleteDownloadJob,
  runtime: Runtime,
  emit: EventSink<TaskEvent>,
  signal: AbortSignal,
): Promise<TaskOutcome[]> {
  const requests = Array.from(
    new Map(job.requests.map((request) => [localNameOf(request), request])).values(),
  );
  for (const name of requests.flatMap((request) => [request.name, localNameOf(request)])) {
    const fault = invalidNameReason(name) ?? (isReservedName(name) ? RESERVED_NAME : undefined);
    if (fault) throw new UsageError(`Cannot download "${name}": ${fault}`);
  }
  const { clock, random } = runtime;
  const { outDir, settings } = job;
  const shares = sharesOf(job, requests, runtime);
  await using cleanup = new AsyncDisposableStack();
  const { stateDir, writer: opened } = await openRunWriter(job, runtime, cleanup, signal);
  await using writer = opened;
  using _greetings = keepGreetings(stateDir, runtime.greetings);
  const { seedConnections } = settings;
  await using pool = new SourcePool({
    ...settings,
    seedConnections: settings.share
      ? Math.min(SHARED_SEED_CONNECTIONS, maxConnectionsOf(seedConnections))
      : seedConnections,
    clock,
    dial: runtime.dial,
    web: runtime.web,
    greetings: runtime.greetings,
    connections: shares.connections,
  });
  const out = new OutFolder(outDir, runtime.store.platform, runtime.store.disk);
  await using prefetch = prefetchFor(requests, out, settings, pool, clock, signal);
  // Its code is loaded only where it is used.
  await using sharing = settings.share
    ? new (await import("./share.ts")).Sharing(settings, runtime)
    : undefined;
  await using watches = new TaskGroup(signal);
  const slots = new Semaphore(shares.tasks);
  const shared = {
    out,
    stateDir,
    settings,
    pool,
    writer,
    slots,
    prefetch,
    sharing,
  };
  const runner = new TaskRunner(shared, runtime, emit);
  if (requests.length > 0) out.open();
  const tasks = requests.map((request): Task => {
    const target = out.locate(localNameOf(request));
    return { ...request, target, task: writer.idFor(target, random) };
  });
  for (const task of tasks) runner.queued(task);
  await runner.begin(tasks);
  watches.spawn((signal) =>
    watchControlRequests(stateDir, (requests) => runner.applyControls(requests), clock, signal)
  );
  // A download must not fail because old logs cannot be removed.
  watches.spawn((signal) => writer.removeOldLogs(signal).catch(() => {}));
  watches.spawn((signal) => cleanQuarantine(out, runtime, signal).catch(() => {}));
  const outcomes = await runQueue(tasks, slots, runner, signal);
  await sharing?.linger(signal);
  return outcomes;
}

/**
 * Opens the state folder, or a temporary one if it cannot be written: records are for other
 * terminals, so downloads work without them. Locks protect the part files.
 */
async function openRunWriter(
  { settings, directories: { state }, progress = new RunProgress(), onStateUnavailable }:
    CompleteDownloadJob,
  { store, clock, makeTempDir }: Runtime,
  cleanup: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<{ stateDir: string; writer: RunWriter }> {
  const limits = {
    max: settings.max,
    limit: settings.limit ?? null,
    taskLimit: settings.taskLimit ?? null,
    memory: settings.memory,
    seedConnections: settings.seedConnections,
  };
  const open = (folder: string) =>
    RunWriter.open(folder, store.pid, clock, { limits, progress }, signal);
  try {
    return { stateDir: state, writer: await open(state) };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    // Without temporary files either, the error of the state folder says what to repair.
    const folder = await makeTempDir("p2p-state-").catch(() => {
      throw error;
    });
    cleanup.defer(() => Deno.remove(folder, { recursive: true }));
    onStateUnavailable?.(error);
    return { stateDir: folder, writer: await open(folder) };
  }
}

/** The number of tasks and connections that the descriptors allow. */
function sharesOf(
  { settings: { max, seeds, seedConnections, share }, onFewDescriptors }: CompleteDownloadJob,
  requests: readonly DownloadRequest[],
  runtime: Runtime,
): DescriptorShares {
  const tasks = Math.max(1, Math.min(max, requests.length));
  const sources = new Set(
    [seeds, ...requests.flatMap((each) => each.seeds ? [each.seeds] : [])].flat(),
  );
  // Receivers that connect here take as many descriptors as those that this one connects to.
  const forOthers = share ? SHARING_DESCRIPTORS : 0;
  const forSeeds = sources.size * maxConnectionsOf(seedConnections);
  const wanted = { tasks, connections: Math.min(MAX_CONNECTIONS, forSeeds) + forOthers };
  const { count, limit } = runtime.freeDescriptors(descriptorsFor(wanted));
  if (count < MIN_DESCRIPTORS) {
    const allowed = limit === undefined ? "too few" : `only ${limit}`;
    throw new UsageError(`Cannot download anything: this system allows ${allowed} open files`, {
      problem: "open-files",
    });
  }
  const shares = divideDescriptors(count, wanted);
  if (shares.tasks >= tasks) return { ...shares, tasks: max };
  onFewDescriptors?.({ running: shares.tasks, wanted: tasks, limit });
  return shares;
}

/** Removes old quarantined parts in the folders of this command's targets. */
async function cleanQuarantine(
  out: OutFolder,
  { clock, store }: Runtime,
  signal: AbortSignal,
): Promise<void> {
  for (const folder of new Set(out.folders)) {
    // A folder that does not exist holds nothing.
    await removeOldQuarantined(folder, clock.wallTime(), store.user, signal).catch((error) => {
      if (signal.aborted) throw error;
    });
  }
}

function localNameOf({ name, saveAs = name }: DownloadRequest): string {
  return saveAs;
}

function prefetchFor(
  requests: readonly DownloadRequest[],
  out: OutFolder,
  settings: DownloadSettings,
  pool: SourcePool,
  clock: Clock,
  signal: AbortSignal,
): Prefetch {
  const { seeds, limit, taskLimit } = settings;
  // The bytes of a request ahead would not wait for the limit.
  const isLimited = limit !== undefined || taskLimit !== undefined;
  const seen = new SeenEntries();
  const localNames = new Map(requests.map((request) => [request.name, localNameOf(request)]));
  const mayHaveBytes = (name: string) =>
    !isLimited && seen.lacks(out.locate(localNames.get(name) ?? name));
  const sources = pool.sources(seeds);
  const files = requests.filter(({ seeds }) => seeds === undefined)
    .map(({ name, size }) => ({ name, size }));
  return new Prefetch(files, { clock, sources, mayHaveBytes }, signal);
}
