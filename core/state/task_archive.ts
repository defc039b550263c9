/**
 * The tasks of runs that have ended, in one SQLite file, so that a task is found without reading the
 * whole history. Records move here when there are many of them. Any process may move them: a run is
 * added and marked as added in one transaction, and its files are removed afterwards. If the file
 * cannot be used, records stay where they are.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { baseOf, MAX_RUN_AGE_MS, removeRun } from "./run_files.ts";
import { statusesOf, type StoredRun, type TaskRun, taskRunsOf } from "./run_reader.ts";
import { archivePath, PRIVATE_FILE, statOf } from "./state_files.ts";
import type { TaskFilter, TaskStatus } from "./task_status.ts";

export interface ArchivedTask {
  readonly status: TaskStatus;
  /** When its last run began, ms since 1970. */
  readonly startedAt: number;
}

/** Tasks of the oldest runs are removed beyond this. */
const MAX_TASKS = 200_000;
/** How long to wait for another process that moves records. */
const BUSY_TIMEOUT_MS = 2000;
/** Limits the candidates for completion. */
const MAX_CANDIDATES = 1000;
/** One more than a message about an ambiguous name shows. */
const MAX_AMBIGUOUS = 6;

/** Stored in the file; a file of another version is not touched. */
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
  -- Runs that were added above and whose files may still exist.
  CREATE TABLE runs (run TEXT PRIMARY KEY);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Adds a task, or another run of it. The events of all its runs are kept. */
const ADD = `
  INSERT INTO tasks (task, state, leaf, name, started, status, run, events)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (task) DO UPDATE SET
    state = excluded.state, leaf = excluded.leaf, name = excluded.name,
    started = excluded.started, status = excluded.status, run = excluded.run,
    events = tasks.events || excluded.events
`;

const COLUMNS = "SELECT started, status FROM tasks";
/** The first condition makes SQLite use the partial index; it does not infer it from the second. */
const CAN_GO_ON = "state <> 'done' AND state = 'paused'";
const NEWEST = "ORDER BY started DESC, id DESC LIMIT 1";

export class TaskArchive implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** undefined if the file cannot be read. Opening would create one that does not exist. */
  static open(stateDir: string): TaskArchive | undefined {
    const path = archivePath(stateDir);
    try {
      return TaskArchive.#connect(path, false);
    } catch {
      // Damaged, or of another version.
      return undefined;
    }
  }

  /** Creates the file if there is none that can be read. */
  static create(stateDir: string): TaskArchive {
    const path = archivePath(stateDir);
    const create = () => {
      // Created with the right mode; SQLite gives its other files the same.
      Deno.openSync(path, { create: true, append: true, mode: PRIVATE_FILE }).close();
      return TaskArchive.#connect(path, true);
    };
    try {
      return create();
    } catch (error) {
      if (!isDamage(error)) throw error;
      // Start over rather than fail every time: it is only history.
      Deno.renameSync(path, `${path}.damaged`);
      return create();
    }
  }

  static #connect(path: string, creates: boolean): TaskArchive {
    const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      if (creates) {
        // WAL: readers do not wait for writers. FULL: what is committed is on the disk.
        db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
        transact(db, () => versionOf(db) === 0 && db.exec(SCHEMA));
      }
      if (versionOf(db) !== SCHEMA_VERSION) throw new Error(`${path} is of another version of p2p`);
      return new TaskArchive(db);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** Oldest run first. */
  tasks(which: TaskFilter): ArchivedTask[] {
    if (which === "all") return this.#select(`${COLUMNS} ORDER BY started, id`);
    if (which === "paused") return this.#select(`${COLUMNS} WHERE ${CAN_GO_ON}`);
    if (which === "unfinished") {
      return this.#select(`${COLUMNS} WHERE state <> 'done' AND state <> 'cancelled'`);
    }
    if ("named" in which) return inOrder(this.#named(which.named));
    const { beginning } = which;
    return inOrder([
      ...this.#beginningWith("task", beginning, MAX_CANDIDATES),
      ...this.#beginningWith("name", beginning, MAX_CANDIDATES),
    ]);
  }

  task(task: string): ArchivedTask | undefined {
    return this.#select(`${COLUMNS} WHERE task = ?`, task)[0];
  }

  /** The last run of a task, with the events of all its runs. */
  taskRun(task: string): TaskRun | undefined {
    const row = this.#prepare("SELECT run, events FROM tasks WHERE task = ?").get(task);
    if (row === undefined) return undefined;
    const events = String(row["events"]).split("\n").slice(0, -1).map((line) => JSON.parse(line));
    return { ...JSON.parse(String(row["run"])), events };
  }

  /** Adds the tasks of `runs`, oldest first, and removes the runs' files. */
  add(runs: readonly StoredRun[], nowMs: number): void {
    const mark = this.#prepare("INSERT OR IGNORE INTO runs VALUES (?)");
    transact(this.#db, () => {
      for (const run of runs) {
        // If another process has moved it, its files are gone or it is marked.
        if (!statOf(run.path) || mark.run(baseOf(run.path)).changes === 0) continue;
        this.#addRun(run, nowMs);
      }
    });
    for (const { path } of runs) removeRun(path);
    const forget = this.#prepare("DELETE FROM runs WHERE run = ?");
    transact(this.#db, () => {
      for (const { path } of runs) if (!statOf(path)) forget.run(baseOf(path));
    });
  }

  /** Removes the tasks of runs that are too old, and the oldest beyond the maximum. */
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
    const context = { nowMs, requests: NO_REQUESTS, maxWaiting: 0, known };
    const runs = taskRunsOf(run);
    const add = this.#prepare(ADD);
    for (const status of statusesOf(run, context).tasks) {
      const { task, state, name } = status;
      const { events = [], ...rest } = runs.get(task) ?? {};
      const text = events.map((event) => JSON.stringify(event) + "\n").join("");
      const row = [task, state, leafOf(name), name, run.startedAt, JSON.stringify(status)] as const;
      add.run(...row, JSON.stringify(rest), text);
    }
  }

  /** What `taskNamed` needs: matching ids, and for each matching name the newest task and those that can be continued. */
  #named(text: string): ArchivedTask[] {
    const leaf = leafOf(text);
    const ending = `/${text}`;
    return [
      ...this.#select(`${COLUMNS} WHERE task = ?`, text),
      ...this.#beginningWith("task", text, MAX_AMBIGUOUS),
      ...this.#select(`${COLUMNS} WHERE leaf = ? AND name = ? ${NEWEST}`, leaf, text),
      ...this.#select(
        `${COLUMNS} WHERE id IN (SELECT id FROM (
          SELECT id, name, MAX(started) FROM tasks
          WHERE leaf = ? AND substr(name, -length(?)) = ? GROUP BY name LIMIT ?))`,
        ...[leaf, ending, ending, MAX_AMBIGUOUS],
      ),
      ...this.#select(`${COLUMNS} WHERE ${CAN_GO_ON} AND leaf = ?`, leaf)
        .filter(({ status: { name } }) => name === text || name.endsWith(ending)),
    ];
  }

  /** The newest tasks whose `column` begins with `text`. The inner query reads only an index. */
  #beginningWith(column: "task" | "name", text: string, max: number): ArchivedTask[] {
    return this.#select(
      `${COLUMNS} WHERE id IN (SELECT id FROM tasks WHERE ${column} >= ? AND ${column} < ?
        ORDER BY started DESC LIMIT ?)`,
      ...[text, text + LAST_CHARACTER, max],
    );
  }

  #select(sql: string, ...values: (string | number)[]): ArchivedTask[] {
    return this.#prepare(sql).all(...values).map((row) => ({
      startedAt: Number(row["started"]),
      status: JSON.parse(String(row["status"])),
    }));
  }

  /** Cached, because a long record needs the same statement for each of its tasks. */
  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, statement = this.#db.prepare(sql));
    return statement;
  }
}

const NO_REQUESTS = { tasks: new Map(), max: undefined };
const LAST_CHARACTER = "\u{10ffff}";

/** IMMEDIATE, because nothing that was read may change before it is written. */
function transact(db: DatabaseSync, act: () => unknown): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    act();
    db.exec("COMMIT");
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
}

/** By the text of SQLite, because node:sqlite does not expose the error number here. */
function isDamage(error: unknown): boolean {
  return error instanceof Error && /not a database|malformed/.test(error.message);
}

/** The last part of a name. */
function leafOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function inOrder(tasks: readonly ArchivedTask[]): ArchivedTask[] {
  const each = new Map(tasks.map((task) => [task.status.task, task]));
  return Array.from(each.values()).sort((a, b) => a.startedAt - b.startedAt);
}
