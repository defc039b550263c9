/** Shared by the tests of `state`, `tasks` and `progress`: a state folder, events and runs. */
import { join } from "@std/path";
import type { TaskEvent, TaskEventData, TaskResult } from "../../core/events.ts";
import { runsFolder } from "../../core/state/run_files.ts";
import { TempFolder } from "../support/temp_folder.ts";

export const NOW = 1_700_000_000_000;

export class StateFolder extends TempFolder {
  constructor() {
    super();
    Deno.mkdirSync(runsFolder(this.path));
    Deno.mkdirSync(join(this.path, "logs"));
  }

  /** A run of a killed process; with a lock, of one that lives. */
  writeRun(name: string, lines: readonly unknown[], tail = ""): string {
    const base = join(runsFolder(this.path), name);
    const text = lines.map((line) => JSON.stringify(line) + "\n").join("");
    Deno.writeTextFileSync(`${base}.jsonl`, text + tail);
    return base;
  }

  runs(): string[] {
    return Array.from(Deno.readDirSync(runsFolder(this.path)), ({ name }) => name).sort();
  }
}

export function eventOf(task: string, news: TaskEventData, time = NOW): TaskEvent {
  return { ...news, task, time } as TaskEvent;
}

export function header(pid: number, startedAt = NOW) {
  return { pid, startedAt };
}

export function queued(task: string, name = `${task}.txt`): TaskEvent {
  return eventOf(task, { kind: "queued", name, target: `/out/${name}` });
}

export function state(task: string, state: Extract<TaskEventData, { kind: "state" }>["state"]) {
  return eventOf(task, { kind: "state", state });
}

export function found(task: string, size: number): TaskEvent {
  return eventOf(task, { kind: "found", size, id: "ab", seeds: ["one:1", "two:2"] });
}

export function done(task: string, size: number): TaskEvent {
  const result: TaskResult = {
    path: `/out/${task}~12345678.txt`,
    size,
    sha256: null,
    id: "ab",
    verified: true,
    elapsedMs: 5,
    bytesBySeed: {},
    how: "downloaded",
  };
  return eventOf(task, { kind: "done", result });
}

export function failed(task: string, code: "interrupted" | "disk" = "disk"): TaskEvent {
  return eventOf(task, { kind: "failed", failure: { code, message: `it was ${code}` } });
}
