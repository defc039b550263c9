/**
 * What one process is doing, readable by all others of the same user: an append-only record of the
 * events that change a task's state, a snapshot that is replaced while bytes arrive, and a lock that
 * tells whether the process lives. No port, no daemon.
 */
import type { Clock } from "../base/clock.ts";
import { writeFileAtomicSync } from "../base/write_file_atomic.ts";
import type { TaskEvent } from "../events.ts";
import { RunProgress } from "../progress/run_progress.ts";
import type { TaskProgress } from "../progress/task_progress.ts";
import type { QueuedLine, RunHeader, RunLimits, RunSnapshot } from "./record_shape.ts";
import {
  lockRun,
  RECORD_SUFFIX,
  releaseRun,
  type RunLock,
  runsFolder,
  SNAPSHOT_SUFFIX,
} from "./run_files.ts";
import { ignoringErrors, PRIVATE_FILE } from "./state_files.ts";

/** For people who look at it; the cost is negligible. */
const SNAPSHOT_INTERVAL_MS = 500;
/** Lines are written together: a thousand small files a second have four lines each. A killed process loses this much. */
const FLUSH_INTERVAL_MS = 50;
/** Each detail has one or two KiB, and all are written with each snapshot. */
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
  /** Tasks that the snapshot contains: those that have begun and not ended, or failed half-way. */
  readonly #started = new Set<TaskProgress>();
  /** Tasks that were queued together. */
  #queued: { time: number; base: string; tasks: [task: string, name: string][] } | undefined;
  #unwritten = "";
  #flushedAt = -Infinity;
  #flushTimer: Disposable | undefined;
  #snapshotTimer: Disposable | undefined;

  private constructor(record: Deno.FsFile, lock: RunLock, clock: Clock, progress: RunProgress) {
    this.#base = lock.base;
    this.#record = record;
    this.#lock = lock;
    this.#clock = clock;
    this.#progress = progress;
  }

  static async open(
    stateDir: string,
    pid: number,
    clock: Clock,
    { limits, progress = new RunProgress() }: RunOptions = {},
  ): Promise<RunRecord> {
    const lock = await lockRun(runsFolder(stateDir), pid, clock.wallTime());
    const options = { createNew: true, append: true, mode: PRIVATE_FILE };
    const record = await Deno.open(lock.base + RECORD_SUFFIX, options);
    const run = new RunRecord(record, lock, clock, progress);
    const { startedAt } = lock;
    const header: RunHeader = { pid, startedAt, ...limits === undefined ? {} : { limits } };
    run.#append(header);
    run.#flush();
    return run;
  }

  add(event: TaskEvent): void {
    const nowMs = this.#clock.now();
    const account = this.#progress.apply(event, nowMs);
    switch (event.kind) {
      case "flight":
        // It matters only together with the bytes that follow.
        return;
      case "note":
      case "line":
      case "pieces":
      case "seed":
      case "received":
      case "given":
      case "stored":
        return this.#snapshotSoon();
      case "queued":
        // Written together, with the first task that begins.
        return this.#enqueue(event);
      default:
        this.#append({ ...event, ...account && { account } });
        this.#flushSoon();
        // What a task waits for matters also when no bytes arrive.
        if (event.kind === "state") this.#snapshotSoon();
        this.#track(this.#progress.task(event.task)!, nowMs);
    }
  }

  /** The user's rate limit begins or ceases to hold back everything that the task could request. */
  setLimited(task: string, limited: boolean): void {
    this.#progress.task(task)?.setLimited(limited, this.#clock.now());
  }

  /** Keeps an event that is otherwise only in the log, for a task without one; written with the next line. */
  addLogged(event: TaskEvent): void {
    if (event.kind === "seed" || (event.kind === "note" && event.level !== "debug")) {
      this.#append(event);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#snapshotTimer?.[Symbol.dispose]();
    this.#flushTimer?.[Symbol.dispose]();
    this.#flush();
    this.#record.close();
    // Keeps how far unfinished tasks came.
    if (this.#started.size > 0) this.#writeSnapshot();
    else await Deno.remove(this.#base + SNAPSHOT_SUFFIX).catch(() => {});
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
    if (this.#queued?.base !== base) this.#endQueued();
    this.#queued ??= { time, base, tasks: [] };
    this.#queued.tasks.push([task, name]);
  }

  #endQueued(): void {
    if (this.#queued === undefined) return;
    const { time, ...queued } = this.#queued;
    const line: QueuedLine = { time, queued };
    this.#unwritten += JSON.stringify(line) + "\n";
    this.#queued = undefined;
  }

  #append(value: unknown): void {
    this.#endQueued();
    this.#unwritten += JSON.stringify(value) + "\n";
  }

  /** At once, unless the last flush was a moment ago. */
  #flushSoon(): void {
    if (this.#flushTimer) return;
    const flush = () => {
      this.#flushTimer = undefined;
      this.#flushedAt = this.#clock.now();
      this.#flush();
    };
    if (this.#clock.now() - this.#flushedAt >= FLUSH_INTERVAL_MS) flush();
    else this.#flushTimer = this.#clock.after(FLUSH_INTERVAL_MS, flush);
  }

  #flush(): void {
    this.#endQueued();
    const bytes = new TextEncoder().encode(this.#unwritten);
    this.#unwritten = "";
    ignoringErrors(() => {
      for (let at = 0; at < bytes.length;) at += this.#record.writeSync(bytes.subarray(at));
    });
  }

  #snapshotSoon(): void {
    this.#snapshotTimer ??= this.#clock.after(SNAPSHOT_INTERVAL_MS, () => this.#writeSnapshot());
  }

  #writeSnapshot(): void {
    this.#snapshotTimer = undefined;
    const time = this.#clock.wallTime();
    const nowMs = this.#clock.now();
    const snapshot: RunSnapshot = {
      time,
      tasks: this.#collect((task) => task.snapshot(nowMs)),
      accounts: this.#collect((task) => task.timeReport(nowMs, time)),
      details: this.#collect((task) => task.detail(nowMs), MAX_DETAILS),
    };
    ignoringErrors(() =>
      writeFileAtomicSync(this.#base + SNAPSHOT_SUFFIX, JSON.stringify(snapshot), PRIVATE_FILE)
    );
  }

  /** The parts of the started tasks that have one, at most `max`, by task. */
  #collect<T>(partOf: (task: TaskProgress) => T | undefined, max = Infinity): Record<string, T> {
    const parts: Record<string, T> = {};
    let count = 0;
    for (const task of this.#started) {
      if (count >= max) break;
      const part = partOf(task);
      if (part === undefined) continue;
      parts[task.task] = part;
      count++;
    }
    return parts;
  }
}
