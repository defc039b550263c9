/**
 * The tasks of runs that have ended, in one SQLite file, so that a task is found without reading all
 * that was ever downloaded. Records of runs move here once there are many of them. Any process may
 * move them: a run is added and noted in one transaction, and its files are removed after that.
 *
 * Only history is kept here. Where the file cannot be used, records simply stay where they are.
 */
import { join } from "@std/path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { PRIVATE_FILE } from "./folders.ts";
import { baseOf, MAX_RUN_AGE_MS, removeRun, runsOf, startOf } from "./run_files.ts";
import { isAlive } from "./run_lock.ts";
import { readRun, statusesOf, type StoredRun, type TaskRun, taskRunsOf } from "./run_reader.ts";
import type { TaskFilter, TaskStatus } from "./status.ts";

export interface ArchivedTask {
  readonly status: TaskStatus;
  /** When its last run began, ms since 1970. */
  readonly startedAt: number;
}

/** Records that have ended stay until there are more of them, because a transaction takes as long as reading some. */
const MAX_ENDED_RUNS = 50;
const MAX_ENDED_BYTES = 1024 * 1024;
/** Of more tasks the oldest runs are removed. */
const MAX_TASKS = 200_000;
/** Bytes of records that are moved in one transaction. */
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
/** How long to wait for a process that moves records. */
const BUSY_TIMEOUT_MS = 2000;
/** More candidates for completion are not shown. */
const MAX_CANDIDATES = 1000;
/** One more than a message about an ambiguous name shows. */
const MAX_AMBIGUOUS = 6;

/** Kept in the file; a file of another version is left alone. */
const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    task TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    leaf TEXT NOT NULL,
    name TEXT NOT NULL,
    started INTEGER NOT NULL,
    status TEXT NOT NULL,
    run TEXT NOT NULL,
    events TEXT NOT NULL
  );
  CREATE INDEX tasks_by_name ON tasks(leaf, name, started);
  CREATE INDEX tasks_by_start ON tasks(started);
  CREATE INDEX tasks_unfinished ON tasks(state) WHERE state <> 'done';
  -- Runs that are in the table above and whose files may still be there.
  CREATE TABLE runs (run TEXT PRIMARY KEY);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Adds a task, or what another run of it said. The events of all its runs are kept. */
const ADD = `
  INSERT INTO tasks (task, state, leaf, name, started, status, run, events)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (task) DO UPDATE SET
    state = excluded.state, leaf = excluded.leaf, name = excluded.name,
    started = excluded.started, status = excluded.status, run = excluded.run,
    events = tasks.events || excluded.events
`;

const COLUMNS = "SELECT started, status FROM tasks";
/** The first condition is that of an index, which SQLite does not conclude from the second. */
const CAN_GO_ON = "state <> 'done' AND state = 'paused'";

export class TaskArchive implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** undefined where there is no archive yet, or none that can be read. */
  static open(stateDir: string): TaskArchive | undefined {
    const path = archivePath(stateDir);
    let db: DatabaseSync | undefined;
    try {
      // Opening makes a file where there is none.
      if (!Deno.lstatSync(path).isFile) return undefined;
      db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      if (versionOf(db) === SCHEMA_VERSION) return new TaskArchive(db);
    } catch {
      // Not there, or damaged: the next archiving begins another one.
    }
    db?.close();
    return undefined;
  }

  /** Makes the file where there is none, or none that can be read. */
  static create(stateDir: string): TaskArchive {
    const path = archivePath(stateDir);
    try {
      return createAt(path, (db) => new TaskArchive(db));
    } catch (error) {
      if (!isDamage(error)) throw error;
      // History is not worth a command that fails each time: set aside, and begun anew.
      Deno.renameSync(path, `${path}.damaged`);
      return createAt(path, (db) => new TaskArchive(db));
    }
  }

  /** Oldest run first. */
  tasks(which: TaskFilter): ArchivedTask[] {
    if (which === "all") return this.#select(`${COLUMNS} ORDER BY started, id`);
    if (which === "paused") return this.#select(`${COLUMNS} WHERE ${CAN_GO_ON}`);
    if (which === "unfinished") {
      return this.#select(`${COLUMNS} WHERE state <> 'done' AND state <> 'cancelled'`);
    }
    return "named" in which ? this.#named(which.named) : this.#beginning(which.beginning);
  }

  task(task: string): ArchivedTask | undefined {
    return this.#select(`${COLUMNS} WHERE task = ?`, task)[0];
  }

  /** What the last run of a task said of it, with the events of all its runs. */
  taskRun(task: string): TaskRun | undefined {
    const row = this.#prepare("SELECT run, events FROM tasks WHERE task = ?").get(task);
    if (row === undefined) return undefined;
    const events = String(row["events"]).split("\n").slice(0, -1).map((line) => JSON.parse(line));
    return { ...JSON.parse(String(row["run"])), events };
  }

  /** Adds what `runs`, oldest first, say of their tasks, and removes their files. */
  add(runs: readonly StoredRun[], nowMs: number): void {
    const note = this.#prepare("INSERT OR IGNORE INTO runs VALUES (?)");
    this.#transact(() => {
      for (const run of runs) {
        // Another process may have moved it: then its files are gone, or it is noted.
        if (!isThere(run.path) || note.run(baseOf(run.path)).changes === 0) continue;
        this.#addRun(run, nowMs);
      }
    });
    for (const { path } of runs) removeRun(path);
    const forget = this.#prepare("DELETE FROM runs WHERE run = ?");
    this.#transact(() => {
      for (const { path } of runs) if (!isThere(path)) forget.run(baseOf(path));
    });
  }

  /** Removes the tasks of runs that are too old, or too many. */
  removeOld(nowMs: number): void {
    this.#prepare("DELETE FROM tasks WHERE started < ?").run(nowMs - MAX_RUN_AGE_MS);
    this.#prepare(
      "DELETE FROM tasks WHERE started < (SELECT started FROM tasks ORDER BY started DESC LIMIT 1 OFFSET ?)",
    ).run(MAX_TASKS);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #addRun(run: StoredRun, nowMs: number): void {
    const known = (task: string) => this.task(task)?.status;
    const viewpoint = { nowMs, wishes: NO_WISHES, maxWaiting: 0, known };
    const runs = taskRunsOf(run);
    const add = this.#prepare(ADD);
    for (const status of statusesOf(run, viewpoint).tasks) {
      const { task, state, name } = status;
      const { events = [], ...rest } = runs.get(task) ?? {};
      const text = events.map((event) => JSON.stringify(event) + "\n").join("");
      const row = [task, state, leafOf(name), name, run.startedAt, JSON.stringify(status)] as const;
      add.run(...row, JSON.stringify(rest), text);
    }
  }

  /** Whatever `taskNamed` needs to decide: matching ids, and of each matching name the newest and those that can go on. */
  #named(text: string): ArchivedTask[] {
    const leaf = leafOf(text);
    const ending = `/${text}`;
    const found = [
      ...this.#select(`${COLUMNS} WHERE task = ?`, text),
      ...this.#beginningWith("task", text, MAX_AMBIGUOUS),
      ...this.#select(
        `${COLUMNS} WHERE leaf = ? AND name = ? ORDER BY started DESC, id DESC LIMIT 1`,
        leaf,
        text,
      ),
      ...this.#select(
        `${COLUMNS} WHERE id IN (SELECT id FROM (
          SELECT id, name, MAX(started) FROM tasks
          WHERE leaf = ? AND substr(name, -length(?)) = ? GROUP BY name LIMIT ?))`,
        leaf,
        ending,
        ending,
        MAX_AMBIGUOUS,
      ),
      ...this.#select(`${COLUMNS} WHERE ${CAN_GO_ON} AND leaf = ?`, leaf)
        .filter(({ status: { name } }) => name === text || name.endsWith(ending)),
    ];
    return inOrder(found);
  }

  #beginning(text: string): ArchivedTask[] {
    return inOrder([
      ...this.#beginningWith("task", text, MAX_CANDIDATES),
      ...this.#beginningWith("name", text, MAX_CANDIDATES),
    ]);
  }

  /** The newest whose `column` begins with `text`. The inner query reads an index only. */
  #beginningWith(column: "task" | "name", text: string, most: number): ArchivedTask[] {
    return this.#select(
      `${COLUMNS} WHERE id IN (SELECT id FROM tasks WHERE ${column} >= ? AND ${column} < ?
        ORDER BY started DESC LIMIT ?)`,
      text,
      text + LAST_CHARACTER,
      most,
    );
  }

  #select(sql: string, ...values: (string | number)[]): ArchivedTask[] {
    return this.#prepare(sql).all(...values).map((row) => ({
      startedAt: Number(row["started"]),
      status: JSON.parse(String(row["status"])),
    }));
  }

  /** Once for each text: a long record asks for each of its tasks. */
  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, statement = this.#db.prepare(sql));
    return statement;
  }

  /** IMMEDIATE: what is read in it must not change before it is written. */
  #transact(act: () => void): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      act();
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#db.exec("ROLLBACK");
      throw error;
    }
  }
}

const NO_WISHES = { tasks: new Map(), max: undefined };
const LAST_CHARACTER = "\u{10ffff}";

/**
 * Moves the records of runs that have ended to the archive, when they are many. What cannot be moved
 * stays where it is: it is only slower to read.
 */
export async function archiveEndedRuns(stateDir: string, nowMs: number): Promise<void> {
  const ended = await endedRunsOf(stateDir);
  const bytes = ended.reduce((sum, run) => sum + run.bytes, 0);
  if (ended.length <= MAX_ENDED_RUNS && bytes <= MAX_ENDED_BYTES) return;
  try {
    using archive = TaskArchive.create(stateDir);
    for (let from = 0, to = 0; from < ended.length; from = to) {
      let batchBytes = 0;
      while (to < ended.length && batchBytes < MAX_BATCH_BYTES) batchBytes += ended[to++]!.bytes;
      const runs = ended.slice(from, to).map(({ path }) => readRun(path));
      archive.add(await Promise.all(runs), nowMs);
    }
    archive.removeOld(nowMs);
  } catch {
    // The disk is full or read-only, or another process is moving them.
  }
}

/** Oldest first. A file whose name does not say when its run began is not a record of ours. */
async function endedRunsOf(stateDir: string): Promise<{ path: string; bytes: number }[]> {
  const ended: { path: string; bytes: number }[] = [];
  for (const path of await runsOf(stateDir)) {
    if (!Number.isSafeInteger(startOf(path)) || await isAlive(baseOf(path))) continue;
    const stat = await Deno.lstat(path).catch(() => undefined);
    if (stat?.isFile) ended.push({ path, bytes: stat.size });
  }
  return ended;
}

function archivePath(stateDir: string): string {
  return join(stateDir, "tasks.db");
}

function createAt<T>(path: string, use: (db: DatabaseSync) => T): T {
  // With the right mode from the beginning; SQLite gives its other files the same.
  Deno.openSync(path, { create: true, append: true, mode: PRIVATE_FILE }).close();
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    // Readers do not wait for who writes, and what is committed is on the disk before its files go.
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    db.exec("BEGIN IMMEDIATE");
    if (versionOf(db) === 0) db.exec(SCHEMA);
    db.exec("COMMIT");
    if (versionOf(db) !== SCHEMA_VERSION) throw new Error(`${path} is of another version of p2p`);
    return use(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
}

/** As SQLite words it; its number is not told. */
function isDamage(error: unknown): boolean {
  return error instanceof Error && /not a database|malformed/.test(error.message);
}

/** The part of a name behind its folders. */
function leafOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function inOrder(tasks: readonly ArchivedTask[]): ArchivedTask[] {
  const each = new Map(tasks.map((task) => [task.status.task, task]));
  return Array.from(each.values()).sort((a, b) => a.startedAt - b.startedAt);
}

function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    return false;
  }
}
