/** What becomes of each task of this process, kept for others to read: the run's record, and a log for each task. */
import type { Random } from "../base/random.ts";
import type { Clock } from "../base/clock.ts";
import { isOver, type TaskEvent } from "../events.ts";
import { PRIVATE_FOLDER } from "./folders.ts";
import { removeOldLogs } from "./log_retention.ts";
import { removeOldRuns, runsFolder } from "./run_files.ts";
import { type RunOptions, RunRecord } from "./run_record.ts";
import { asStateError } from "./errors.ts";
import { archiveEndedRuns } from "./task_archive.ts";
import { logsFolder, TaskLog } from "./task_log.ts";
import { readTasks, type TaskStatus } from "./task_status.ts";
import { removeOldControlRequests } from "./control_files.ts";

/** Short enough to type, and long enough: among 100,000 tasks, two with one id are met once in 200 runs of a lifetime, and only share a log. */
const ID_BYTES = 5;

export class RunWriter implements AsyncDisposable {
  readonly #stateDir: string;
  readonly #record: RunRecord;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #logs = new Map<string, TaskLog>();
  /** Tasks of earlier runs that were not finished. */
  readonly #unfinished: readonly TaskStatus[];
  /** Tasks of other processes that live. */
  readonly #running: readonly TaskStatus[];
  readonly #byTarget: ReadonlyMap<string, TaskStatus>;
  /** Those among them that go on in this run. */
  readonly #again = new Set<string>();

  private constructor(
    stateDir: string,
    record: RunRecord,
    clock: Clock,
    unfinished: readonly TaskStatus[],
    running: readonly TaskStatus[],
    signal: AbortSignal | undefined,
  ) {
    this.#signal = signal;
    this.#running = running;
    this.#stateDir = stateDir;
    this.#record = record;
    this.#clock = clock;
    this.#unfinished = unfinished;
    this.#byTarget = new Map(unfinished.map((task) => [task.target, task]));
  }

  /**
   * @param signal when it aborts, the end is not delayed by moving records to the archive.
   * @throws {DiskError} if the state folder cannot be written.
   */
  static async open(
    stateDir: string,
    pid: number,
    clock: Clock,
    options: RunOptions = {},
    signal?: AbortSignal,
  ): Promise<RunWriter> {
    return await asStateError(stateDir, async () => {
      await Deno.mkdir(runsFolder(stateDir), { recursive: true, mode: PRIVATE_FOLDER });
      await Deno.mkdir(logsFolder(stateDir), { recursive: true, mode: PRIVATE_FOLDER });
      await removeOldRuns(stateDir, clock.wallTime());
      const earlier = await readTasks(stateDir, clock.wallTime(), "unfinished");
      const unfinished = earlier.filter(({ state, pid }) =>
        pid === null && (state === "failed" || !isOver(state))
      );
      const notOver = earlier.filter(({ state }) => !isOver(state)).map(({ task }) => task);
      await removeOldControlRequests(stateDir, new Set(notOver), clock.wallTime()).catch(() => {});
      const record = await RunRecord.open(stateDir, pid, clock, options);
      const running = earlier.filter(({ pid }) => pid !== null);
      return new RunWriter(stateDir, record, clock, unfinished, running, signal);
    });
  }

  /** The same task as in the run that did not finish it, so that its log goes on; otherwise a new one. */
  idFor(target: string, chance: Random): string {
    const earlier = this.#byTarget.get(target)?.task;
    if (earlier !== undefined) this.#again.add(earlier);
    return earlier ?? chance.hex(ID_BYTES);
  }

  /** Where an earlier run, and no task of this one, began to put this content, under whatever name; the newest first. */
  partialsWith(id: string): string[] {
    const same = this.#unfinished.filter((task) => task.id === id && !this.#again.has(task.task));
    return same.map(({ path }) => path).reverse();
  }

  add(event: TaskEvent): void {
    // What only waits has no story yet.
    if (event.kind !== "queued") this.#log(event);
    this.#record.add(event);
  }

  #log(event: TaskEvent): void {
    const { task } = event;
    let log = this.#logs.get(task);
    if (!log) {
      log = new TaskLog(this.#stateDir, task, this.#clock, this.#again.has(task));
      this.#logs.set(task, log);
    }
    log.add(event);
    // It went well, and soon: what the record does not tell anyway goes there.
    if (event.kind === "done") log.takeShort().forEach((earlier) => this.#record.keep(earlier));
  }

  /** Keeps all logs together within bounds, beside the downloads; never fails but by the signal. */
  async removeOldLogs(signal: AbortSignal): Promise<void> {
    const others = this.#running.map(({ task }) => task);
    const running = new Set([...others, ...this.#again, ...this.#logs.keys()]);
    await removeOldLogs(this.#stateDir, running, this.#clock, signal);
  }

  /** A limit of the user's begins or ceases to hold back all that the task could ask for. */
  setLimited(task: string, limited: boolean): void {
    this.#record.setLimited(task, limited);
  }

  /** The task tells nothing more. */
  close(task: string): void {
    this.#logs.get(task)?.[Symbol.dispose]();
    this.#logs.delete(task);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const task of this.#logs.keys()) this.close(task);
    await this.#record[Symbol.asyncDispose]();
    if (this.#signal?.aborted) return;
    await archiveEndedRuns(this.#stateDir, this.#clock.wallTime()).catch(() => {});
  }
}
