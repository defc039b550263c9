/** Tasks for the tests of `status --watch`. */
import type { SeedSnapshot, TaskCase, TaskStatus } from "../../core/mod.ts";
import type { NamedKey } from "../../commands/ui/watch/key_parser.ts";
import { type WatchCommand, type WatchModel, watchModel } from "../../commands/ui/watch/model.ts";
import { reduce, type WatchEvent } from "../../commands/ui/watch/reduce.ts";
import { NOON } from "./fake_environment.ts";

export const USUAL = { columns: 80, rows: 24 };

export function taskOf(changes: Partial<TaskStatus> = {}): TaskStatus {
  const task = changes.task ?? "t1";
  return {
    task,
    name: `${task}.bin`,
    state: "downloading",
    size: 5 * 2 ** 30,
    downloaded: 3.1 * 2 ** 30,
    percent: 62,
    rate: 88 * 2 ** 20,
    etaMs: 21_000,
    seeds: ["nas1:7270", "nas2:7270"],
    path: `/out/${task}.bin`,
    target: `/out/${task}.bin`,
    pid: 4121,
    verified: true,
    id: "ab".repeat(32),
    error: null,
    updatedAt: NOON,
    pausedBy: null,
    since: NOON - 133_000,
    detail: null,
    ...changes,
  };
}

/** Most of its time went to receiving, some to the queue. */
export function caseOf(task: TaskStatus): TaskCase {
  const spent = { place: 4000, asking: 60, bytes: 129_000 };
  const account = { spent, now: "bytes", at: NOON, hashMs: 900, diskMs: 1500, seeds: [] } as const;
  return { task, account, limits: null, queuedAt: NOON - 133_000, now: NOON, running: 1, ahead: 0 };
}

export function seedOf(changes: Partial<SeedSnapshot> = {}): SeedSnapshot {
  return {
    seed: "nas1:7270",
    standing: "joined",
    rate: 44 * 2 ** 20,
    slow: false,
    bytes: 1.2 * 2 ** 30,
    inFlight: 3,
    failures: 0,
    reason: null,
    retryAt: null,
    ...changes,
  };
}

/** `count` tasks: three active, one paused, one failed, one done; the others wait. */
export function tasksOf(count: number): TaskStatus[] {
  const first = [
    "waiting",
    "paused",
    "done",
    "downloading",
    "failed",
    "finding",
    "verifying",
  ] as const;
  return Array.from({ length: count }, (_, i) => {
    const state = first[i] ?? "waiting";
    const size = state === "waiting" ? null : 2 ** 30;
    return taskOf({
      task: `t${i}`,
      state,
      size,
      seeds: [],
      rate: state === "downloading" ? 1000 : 0,
    });
  });
}

/** A model and the commands that it produced. */
export class Watching {
  model: WatchModel;
  commands: WatchCommand[] = [];

  constructor(tasks: readonly TaskStatus[], size = USUAL) {
    this.model = watchModel(size);
    this.look(tasks);
  }

  look(tasks: readonly TaskStatus[], moreWaiting = 0): void {
    this.take({ kind: "tasks", overview: { tasks, moreWaiting }, now: NOON });
  }

  take(fact: WatchEvent): void {
    const { model, commands } = reduce(this.model, fact);
    this.model = model;
    this.commands.push(...commands);
  }

  press(...keys: (NamedKey | { readonly character: string })[]): void {
    for (const key of keys) {
      this.take({
        kind: "key",
        key: typeof key === "string" ? { kind: key } : { kind: "character", ...key },
      });
    }
  }

  type(text: string): void {
    for (const character of text) this.press({ character });
  }

  get picked(): string | undefined {
    return this.model.shown[this.model.at]?.task;
  }
}
