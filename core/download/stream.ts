/** Streams files to a reader: in order, verified, within a bound of memory and without a disk. */
import { UsageError } from "../base/errors.ts";
import { invalidNameReason } from "../base/names.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { DownloadSettings } from "../config.ts";
import type { EventSink, TaskEvent, TaskEventData } from "../events.ts";
import type { RunProgress } from "../progress/run_progress.ts";
import type { Runtime } from "../runtime.ts";
import { SourcePool } from "../source/pool.ts";
import type { DownloadRequest } from "./download.ts";
import { downloadFile } from "./download_file.ts";
import { MemoryShares } from "./memory_shares.ts";
import { PieceBuffers } from "./piece_buffers.ts";
import { Prefetch } from "./prefetch.ts";
import { combinedLimit, pacerFor } from "./rate_limit.ts";
import { Permit } from "./run_queue.ts";
import { STREAM_PATH, type StreamReader, StreamTarget } from "./stream_target.ts";
import type { TaskContext } from "./task_context.ts";
import { failureOf, INTERRUPTED, outcomeOf, type TaskOutcome } from "./task_runner.ts";

export type { StreamReader };

/** What to stream, and to whom. */
export interface StreamJob {
  /** In this order; the bytes of the next one follow the last byte of the one before. */
  readonly requests: readonly DownloadRequest[];
  /** Receives the bytes; the next ones wait until it took the last. */
  readonly reader: StreamReader;
  /** `memory` bounds what is in flight or waits for the reader. */
  readonly settings: DownloadSettings;
  /** Kept up to date with every event, before the event is emitted. */
  readonly progress?: RunProgress;
}

/** What became of a stream. */
export interface StreamEnd {
  /** One for each request that was begun; only the last one may have failed. */
  readonly outcomes: readonly TaskOutcome[];
  /** Bytes that the reader took. */
  readonly written: number;
}

/**
 * Streams all requests, and ends with the first one that fails: the reader has the beginning of what
 * it wants, without a gap.
 *
 * @throws {UsageError} if a name is not valid, or `offset` is behind the end of the last file.
 * @throws what `write` throws.
 */
export async function stream(
  { requests, reader, settings, progress }: StreamJob,
  runtime: Runtime,
  emit: EventSink<TaskEvent>,
  signal: AbortSignal,
): Promise<StreamEnd> {
  for (const { name } of requests) {
    const fault = invalidNameReason(name);
    if (fault) throw new UsageError(`Cannot stream "${name}": ${fault}`);
  }
  const { clock, dial, web } = runtime;
  await using pool = new SourcePool({ ...settings, clock, dial, web });
  await using prefetch = prefetchFor(requests, pool, settings, runtime, signal);
  const slots = new Semaphore(1);
  using permit = new Permit(slots, await slots.acquire(signal));
  let readerFault: { readonly error: unknown } | undefined;
  const target = new StreamTarget({
    offset: reader.offset,
    write: (bytes) =>
      reader.write(bytes).catch((error) => {
        readerFault = { error };
        throw error;
      }),
  });
  const common = commonContext(settings, pool, prefetch, permit, runtime);
  const outcomes: TaskOutcome[] = [];
  const tasks = requests.map((request, index) => ({
    ...request,
    task: String(index + 1),
    target: STREAM_PATH,
  }));
  const emitOf = (task: string) => (data: TaskEventData) => {
    const event: TaskEvent = { ...data, task, time: clock.wallTime() };
    progress?.apply(event, clock.now());
    emit(event);
  };
  for (const { task, name } of tasks) emitOf(task)({ kind: "queued", name, target: STREAM_PATH });
  for (const task of tasks) {
    const emitTask = emitOf(task.task);
    const { name, sha256, id, seeds, manifest } = task;
    prefetch.begin(name);
    try {
      const wanted = { name, sha256, id, seeds, manifest };
      const result = await downloadFile(wanted, target, { ...common, emit: emitTask }, signal);
      emitTask({ kind: "done", result });
      outcomes.push(outcomeOf(task, "done", { ok: true, result }));
    } catch (error) {
      if (readerFault) throw readerFault.error;
      const failure = signal.aborted ? INTERRUPTED : failureOf(error);
      if (!signal.aborted) await target.settled();
      emitTask({ kind: "failed", failure });
      const state = signal.aborted ? "paused" : "failed";
      outcomes.push(outcomeOf(task, state, { ok: false, failure }));
      return { outcomes, written: target.written };
    } finally {
      prefetch.end(name);
    }
  }
  if (target.skip > 0 && requests.length > 0) {
    throw new UsageError(`Cannot begin at byte ${reader.offset}: that is behind the end`, {
      problem: "offset-behind-end",
    });
  }
  return { outcomes, written: target.written };
}

function commonContext(
  settings: DownloadSettings,
  pool: SourcePool,
  prefetch: Prefetch,
  permit: Permit,
  { clock, random, store, hasher }: Runtime,
): Omit<TaskContext, "emit"> {
  return {
    settings,
    pool,
    prefetch,
    // Streams are read in order, and what others need most is not.
    sharing: undefined,
    clock,
    random: () => random.fraction(),
    store,
    permit,
    memory: new PieceBuffers(settings.memory),
    hasher,
    shares: new MemoryShares(settings.memory),
    partialsOf: () => [],
    rateLimit: combinedLimit(
      pacerFor(settings.limit, clock),
      pacerFor(settings.taskLimit, clock),
    ),
  };
}

/** Small files are asked for ahead. The bytes of a request ahead would not wait for a limit. */
function prefetchFor(
  requests: readonly DownloadRequest[],
  pool: SourcePool,
  { seeds, limit, taskLimit }: DownloadSettings,
  { clock }: Runtime,
  signal: AbortSignal,
): Prefetch {
  const isLimited = limit !== undefined || taskLimit !== undefined;
  const mayHaveBytes = () => !isLimited;
  const files = new Map(
    requests.filter(({ seeds }) => seeds === undefined)
      .map(({ name, size }) => [name, { name, size }]),
  );
  const sources = pool.sources(seeds);
  return new Prefetch(Array.from(files.values()), { clock, sources, mayHaveBytes }, signal);
}
