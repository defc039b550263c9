/** Prints lines of JSON for programs. */
import {
  percentDone,
  type RunProgress,
  type TaskEvent,
  type TaskFailure,
  type TaskOutcome,
  type TaskResult,
  type TaskView,
} from "../../core/mod.ts";
import { exitOfFailure, type StopSignal } from "./failure.ts";
import { hintOf } from "./hints.ts";

/** Characters that JSON leaves as they are and `printable` makes visible: C1 controls, bidirectional marks. */
const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** A value as one line of JSON that is safe on a terminal: unsafe characters become escapes. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Only those fields of `value`, in that order, so that new fields of core do not change the JSON. */
export function pick<T extends object, Name extends keyof T>(
  value: T,
  names: readonly Name[],
): Pick<T, Name> {
  return Object.fromEntries(names.map((name) => [name, value[name]])) as Pick<T, Name>;
}

/** Enough for a progress bar, not too much for a log; for each download. */
const PROGRESS_INTERVAL_MS = 500;

export class JsonLines {
  readonly #progress: RunProgress;
  readonly #seeds: readonly string[];
  readonly #lastAt = new Map<string, number>();

  /** @param seeds as `--seed` names them, for the hints. */
  constructor(progress: RunProgress, seeds: readonly string[] = []) {
    this.#progress = progress;
    this.#seeds = seeds;
  }

  /** @param nowMs the monotonic time of `event`. */
  linesOf(event: TaskEvent, nowMs: number, stopped: StopSignal | undefined): string[] {
    // Thousands of events report received bytes, so most are filtered out before anything is made.
    if (isProgress(event) && !this.#isDue(event, nowMs)) return [];
    const task = this.#progress.view(event.task, nowMs);
    const fields = task && fieldsOf(event, task, stopped, this.#seeds);
    if (fields === undefined) return [];
    const name = event.kind === "found" ? "task" : isProgress(event) ? "progress" : event.kind;
    return [eventLine(name, event.time, fields)];
  }

  summary(outcomes: readonly TaskOutcome[], elapsedMs: number, wallMs: number): string {
    const done = outcomes.filter(({ outcome }) => outcome.ok).length;
    const cancelled = outcomes.filter(({ state }) => state === "cancelled").length;
    const failed = outcomes.length - done - cancelled;
    const bytes = this.#progress.received;
    const tasks = outcomes.map(summaryOfTask);
    return eventLine("summary", wallMs, { done, failed, cancelled, bytes, elapsedMs, tasks });
  }

  /** Changes of state are always due. */
  #isDue({ kind, task }: TaskEvent, nowMs: number): boolean {
    const last = this.#lastAt.get(task) ?? -Infinity;
    if (kind !== "state" && nowMs - last < PROGRESS_INTERVAL_MS) return false;
    this.#lastAt.set(task, nowMs);
    return true;
  }
}

function isProgress({ kind }: TaskEvent): boolean {
  return kind === "received" || kind === "stored" || kind === "state" || kind === "resumed";
}

function eventLine(event: string, time: number, fields: object): string {
  return jsonLine({ event, time: new Date(time).toISOString(), ...fields });
}

/** The fields of the line for `event`, or undefined if it has none. */
function fieldsOf(
  event: TaskEvent,
  view: TaskView,
  stopped: StopSignal | undefined,
  seeds: readonly string[],
): object | undefined {
  const { task, name } = view;
  switch (event.kind) {
    case "found":
      return {
        task,
        name,
        size: view.size,
        id: view.id,
        verified: view.id !== null,
        seeds: view.seeds,
      };
    case "received":
    case "stored":
    case "state":
    case "resumed": {
      const { state, size, downloaded, rate, etaMs } = view;
      return {
        ...{ task, name, state, downloaded, size },
        percent: percentDone(downloaded, size),
        rate: Math.round(rate),
        etaMs: etaMs === null ? null : Math.round(etaMs),
        seeds: view.seeds,
      };
    }
    case "seed": {
      const { seed, what, reason, retryInMs = null } = event;
      return { task, seed, what, reason, retryInMs };
    }
    case "done": {
      const { elapsedMs, bytesBySeed, how } = event.result;
      const file = pick(event.result, ["path", "size", "sha256", "id", "verified"]);
      return { task, name, ...file, elapsedMs, bytesBySeed, how, ...contentsOf(event.result) };
    }
    case "failed": {
      const { code, message } = event.failure;
      const hint = hintOf(event.failure, seeds) ?? null;
      const exit = exitOfFailure(code, stopped);
      return { task, name, code, message, hint, exit, ...contentsOf(event.failure) };
    }
    default:
      return undefined;
  }
}

function summaryOfTask({ task, name, state, outcome }: TaskOutcome): object {
  const result = outcome.ok
    ? { ...pick(outcome.result, ["path", "size", "sha256", "verified"]), error: null }
    : { path: null, size: null, sha256: null, verified: false, error: outcome.failure.message };
  return {
    task,
    name,
    state,
    ...result,
    ...contentsOf(outcome.ok ? outcome.result : outcome.failure),
  };
}

function contentsOf({ contents }: TaskResult | TaskFailure): object {
  return contents === undefined ? {} : { contents };
}
