/** Keeps what happens to the tasks of this process: the record of the run, and a log for each task. */
import type { Random } from "../base/random.ts";
import type { Clock } from "../base/clock.ts";
import { isOver, type TaskEvent } from "../events.ts";
import { removeOldControlRequests } from "./control.ts";
import { removeOldLogs } from "./log_retention.ts";
import { removeOldRuns, runsFolder } from "./run_files.ts";
import { type RunOptions, RunRecord } from "./run_record.ts";
import { asStateError, PRIVATE_FOLDER } from "./state_files.ts";
import { archiveEndedRuns } from "./archive.ts";
import { logsFolder, TaskLog } from "./task_log.ts";
import { readTasks } from "./read_tasks.ts";
import type { TaskStatus } from "./task_status.ts";

/**
 * Short enough to type. Among 100,000 tasks, two have the same id once in 200 lifetimes of the records,
 * and then only share a log.
 */
const ID_BYTES = 5;

export class RunWriter implements AsyncDisposable {
  readonly #stateDir: string;
  readonly #record: RunRecord;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #logs = new Map<string, TaskLog>();
  /** Tasks of other running processes. */
  readonly #running: readonly string[];
  /** Unfinished tasks of earlier runs. */
  readonly #unfinished: readonly TaskStatus[];
  readonly #byTarget: ReadonlyMap<string, TaskStatus>;
  /** Unfinished tasks that this run continues. */
  readonly #continued = new Set<string>();

  private constructor(
    stateDir: string,
    record: RunRecord,
    clock: Clock,
    earlier: readonly TaskStatus[],
    signal: AbortSignal | undefined,
  ) {
    this.#stateDir = stateDir;
    this.#record = record;
    this.#clock = clock;
    this.#signal = signal;
    this.#running = earlier.flatMap(({ pid, task }) => pid === null ? [] : [task]);
    this.#unfinished = earlier.filter(({ state, pid }) =>
      pid === null && (state === "failed" || !isOver(state))
    );
    this.#byTarget = new Map(this.#unfinished.map((task) => [task.target, task]));
  }

  /**
   * @param signal when it aborts, `dispose` does not take time to move records to the archive.
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
      const notOver = earlier.filter(({ state }) => !isOver(state)).map(({ task }) => task);
      await removeOldControlRequests(stateDir, new Set(notOver), clock.wallTime()).catch(() => {});
      const record = await RunRecord.open(stateDir, pid, clock, options);
      return new RunWriter(stateDir, record, clock, earlier, signal);
    });
  }

  /** The id of an unfinished task with this target, so that its log is continued; otherwise a new one. */
  idFor(target: string, random: Random): string {
    const earlier = this.#byTarget.get(target)?.task;
    // Two names can have the same target, through links or on Windows.
    if (earlier === undefined || this.#continued.has(earlier)) return random.hex(ID_BYTES);
    this.#continued.add(earlier);
    return earlier;
  }

  /** The paths at which earlier runs began this content, newest first, except those that this run continues. */
  partialsWith(id: string): string[] {
    const same = this.#unfinished.filter((task) =>
      task.id === id && !this.#continued.has(task.task)
    );
    return same.map(({ path }) => path).reverse();
  }

  add(event: TaskEvent): void {
    // A waiting task needs no log yet.
    if (event.kind !== "queued") this.#log(event);
    this.#record.add(event);
  }

  #log(event: TaskEvent): void {
    const { task } = event;
    let log = this.#logs.get(task);
    if (!log) {
      log = new TaskLog(this.#stateDir, task, this.#clock, this.#continued.has(task));
      this.#logs.set(task, log);
    }
    log.add(event);
    // A task that ended well before it had a log keeps its events in the record.
    if (event.kind === "done") log.takeBuffered().forEach((each) => this.#record.addLogged(each));
  }

  /** Limits the size of all logs together. @throws only the signal's reason. */
  async removeOldLogs(signal: AbortSignal): Promise<void> {
    const running = new Set([...this.#running, ...this.#continued, ...this.#logs.keys()]);
    await removeOldLogs(this.#stateDir, running, this.#clock, signal);
  }

  /** The user's rate limit begins or ceases to hold back everything that the task could request. */
  setLimited(task: string, limited: boolean): void {
    this.#record.setLimited(task, limited);
  }

  /** Ends the log of a task. */
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
