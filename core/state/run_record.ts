/**
 * What one process is doing, readable by all others of the same user: an
 * append-only file of the events that change a task's state, beside it a small
 * file that is replaced as bytes come in, and a lock that tells whether the
 * process lives. No port, no daemon.
 */
import type { Clock } from "../base/clock.ts";
import type { TaskEvent } from "../events.ts";
import { RunProgress } from "../progress/run_progress.ts";
import type { TaskProgress } from "../progress/task_progress.ts";
import type { QueuedLine, RunHeader, RunLimits, RunSnapshot } from "./record_shape.ts";
import { PRIVATE_FILE } from "./folders.ts";
import { hasRecord, NOW_SUFFIX, RECORD_SUFFIX, runsFolder } from "./run_files.ts";
import { lockRun, releaseRun, type RunLock } from "./run_lock.ts";
import { ignoringErrors } from "./errors.ts";

/** A person looks at it: twice a second is lively, and costs nothing. */
const SNAPSHOT_INTERVAL_MS = 500;
/**
 * Lines that come in a rush are written together: of a thousand small files a second, each has four.
 * Who is killed tells a little less than he did.
 */
const FLUSH_INTERVAL_MS = 50;
/** Each detail is a kilobyte or two, and all are written at each beat. */
const MAX_DETAILS = 32;

export interface RunOptions {
  readonly limits?: RunLimits;
  /** Receives the events of the run first, so that others can read it. */
  readonly progress?: RunProgress;
}

export class RunRecord implements AsyncDisposable {
  readonly #base: string;
  readonly #record: Deno.FsFile;
  readonly #lock: RunLock;
  readonly #clock: Clock;
  readonly #progress: RunProgress;
  /** Started tasks whose progress is not yet part of the record: those that have not ended, or failed half-way. */
  readonly #started = new Set<TaskProgress>();
  #queued: QueuedLine | undefined;
  #unwritten = "";
  #flushedAt = -Infinity;
  /** What is unwritten will be. */
  #gathering: Disposable | undefined;
  #beat: Disposable | undefined;

  private constructor(
    record: Deno.FsFile,
    lock: RunLock,
    clock: Clock,
    progress: RunProgress,
  ) {
    this.#progress = progress;
    this.#base = lock.base;
    this.#record = record;
    this.#lock = lock;
    this.#clock = clock;
  }

  static async open(
    stateDir: string,
    pid: number,
    clock: Clock,
    { limits, progress = new RunProgress() }: RunOptions = {},
  ): Promise<RunRecord> {
    const lock = await lockNew(runsFolder(stateDir), pid, clock.wallTime());
    const record = await Deno.open(lock.base + RECORD_SUFFIX, {
      createNew: true,
      append: true,
      mode: PRIVATE_FILE,
    });
    const run = new RunRecord(record, lock, clock, progress);
    const header: RunHeader = {
      pid,
      startedAt: lock.startedAt,
      ...limits === undefined ? {} : { limits },
    };
    run.#append(header);
    run.#flush();
    return run;
  }

  add(event: TaskEvent): void {
    const nowMs = this.#clock.now();
    const account = this.#progress.apply(event, nowMs);
    switch (event.kind) {
      case "flight":
        // It is news only together with the bytes that come of it.
        return;
      case "note":
      case "pieces":
      case "seed":
      case "received":
      case "stored":
        return this.#startBeat();
      case "queued":
        // Written in one go, with the first that begins.
        return this.#enqueue(event);
      default:
        this.#append({ ...event, ...account && { account } });
        this.#flushSoon();
        // What a task waits for is news, also when no bytes come.
        if (event.kind === "state") this.#startBeat();
        this.#track(this.#progress.task(event.task)!, nowMs);
    }
  }

  /** A limit of the user's begins or ceases to hold back all that the task could ask for. */
  setLimited(task: string, limited: boolean): void {
    this.#progress.task(task)?.setLimited(limited, this.#clock.now());
  }

  /** Of a task that gets no log: what only a log tells, written with what comes next. */
  keep(event: TaskEvent): void {
    const worthIt = event.kind === "note" ? event.level !== "debug" : event.kind === "seed";
    if (worthIt) this.#append(event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#beat?.[Symbol.dispose]();
    this.#gathering?.[Symbol.dispose]();
    this.#flush();
    this.#record.close();
    // How far the unfinished ones came is worth knowing.
    if (this.#started.size > 0) this.#writeNow();
    else await Deno.remove(this.#base + NOW_SUFFIX).catch(() => {});
    await releaseRun(this.#lock);
  }

  #track(task: TaskProgress, nowMs: number): void {
    if (task.ended && task.snapshot(nowMs) === undefined) this.#started.delete(task);
    else this.#started.add(task);
  }

  #enqueue(event: TaskEvent & { kind: "queued" }): void {
    const { time, task, name, target } = event;
    if (!target.endsWith(name)) return this.#append(event);
    const base = target.slice(0, -name.length);
    if (this.#queued?.queued.base !== base) this.#endQueued();
    this.#queued ??= { time, queued: { base, tasks: [] } };
    this.#queued.queued.tasks.push([task, name]);
  }

  #endQueued(): void {
    if (this.#queued) this.#unwritten += JSON.stringify(this.#queued) + "\n";
    this.#queued = undefined;
  }

  #append(value: unknown): void {
    this.#endQueued();
    this.#unwritten += JSON.stringify(value) + "\n";
  }

  /** At once, unless that was done a moment ago. */
  #flushSoon(): void {
    if (this.#gathering) return;
    const write = () => {
      this.#gathering = undefined;
      this.#flushedAt = this.#clock.now();
      this.#flush();
    };
    if (this.#clock.now() - this.#flushedAt >= FLUSH_INTERVAL_MS) write();
    else this.#gathering = this.#clock.after(FLUSH_INTERVAL_MS, write);
  }

  #flush(): void {
    this.#endQueued();
    const bytes = new TextEncoder().encode(this.#unwritten);
    this.#unwritten = "";
    ignoringErrors(() => {
      for (let at = 0; at < bytes.length;) at += this.#record.writeSync(bytes.subarray(at));
    });
  }

  /** A beat after the first news since the last one. */
  #startBeat(): void {
    this.#beat ??= this.#clock.after(SNAPSHOT_INTERVAL_MS, () => this.#writeNow());
  }

  #writeNow(): void {
    this.#beat = undefined;
    const time = this.#clock.wallTime();
    const nowMs = this.#clock.now();
    const now: RunSnapshot = {
      time,
      tasks: collect(this.#started, (task) => task.snapshot(nowMs)),
      accounts: collect(this.#started, (task) => task.timeReport(nowMs, time)),
      details: collect(this.#started, (task) => task.detail(nowMs), MAX_DETAILS),
    };
    const draft = `${this.#base}${NOW_SUFFIX}.draft`;
    ignoringErrors(() => {
      Deno.writeTextFileSync(draft, JSON.stringify(now), { mode: PRIVATE_FILE });
      Deno.renameSync(draft, this.#base + NOW_SUFFIX);
    });
  }
}

/** The parts of all tasks that have one, at most `max`, by task. */
function collect<T>(
  tasks: Iterable<TaskProgress>,
  partOf: (task: TaskProgress) => T | undefined,
  max = Infinity,
): Record<string, T> {
  const parts: Record<string, T> = {};
  let count = 0;
  for (const task of tasks) {
    if (count >= max) break;
    const part = partOf(task);
    if (part === undefined) continue;
    parts[task.task] = part;
    count++;
  }
  return parts;
}

/** A process may begin a run in the millisecond in which its last one began and ended: the next is then free. */
async function lockNew(folder: string, pid: number, startedAt: number): Promise<RunLock> {
  const lock = await lockRun(folder, pid, startedAt);
  if (!await hasRecord(lock.base)) return lock;
  await releaseRun(lock);
  return await lockNew(folder, pid, lock.startedAt + 1);
}
