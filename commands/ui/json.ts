/** What programs read: lines of JSON. */
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

/**
 * A value as one line of JSON that is safe on a terminal: the characters that
 * `printable` makes visible and JSON itself leaves as they are (C1 controls,
 * bidirectional marks) become escapes, which mean the same to every parser.
 */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Those fields of `value` alone, in that order: what JSON promises stays as it is, whatever core adds. */
export function pick<T extends object, Name extends keyof T>(
  value: T,
  names: readonly Name[],
): Pick<T, Name> {
  return Object.fromEntries(names.map((name) => [name, value[name]])) as Pick<T, Name>;
}

const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** Twice a second for each download: enough for a bar, not too much for a log. */
const PROGRESS_EVERY_MS = 500;

/** Turns events into lines; `progress` must have received each event before. */
export class JsonLines {
  readonly #progress: RunProgress;
  readonly #seeds: readonly string[];
  readonly #toldAt = new Map<string, number>();

  /** @param seeds as `--seed` names them, for the hints. */
  constructor(progress: RunProgress, seeds: readonly string[] = []) {
    this.#progress = progress;
    this.#seeds = seeds;
  }

  /** @param nowMs the monotonic time at which `event` happened. */
  linesOf(event: TaskEvent, nowMs: number, stopped: StopSignal | undefined): string[] {
    // Events of received bytes come by the thousand: most are over here.
    if (isProgress(event) && !this.#isDue(event, nowMs)) return [];
    const task = this.#progress.task(event.task)?.view(nowMs);
    const fields = task && fieldsOf(event, task, stopped, this.#seeds);
    if (fields === undefined) return [];
    return [line(nameOf(event), event.time, fields)];
  }

  summary(outcomes: readonly TaskOutcome[], elapsedMs: number, wallMs: number): string {
    const done = outcomes.filter(({ outcome }) => outcome.ok).length;
    const cancelled = outcomes.filter(({ state }) => state === "cancelled").length;
    return line("summary", wallMs, {
      done,
      failed: outcomes.length - done - cancelled,
      cancelled,
      bytes: this.#progress.received,
      elapsedMs,
      tasks: outcomes.map(summaryOfTask),
    });
  }

  /** A change of state is told at once, all else at its beat. */
  #isDue({ kind, task }: TaskEvent, nowMs: number): boolean {
    const last = this.#toldAt.get(task) ?? -Infinity;
    if (kind !== "state" && nowMs - last < PROGRESS_EVERY_MS) return false;
    this.#toldAt.set(task, nowMs);
    return true;
  }
}

function isProgress({ kind }: TaskEvent): boolean {
  return kind === "received" || kind === "stored" || kind === "state" ||
    kind === "resumed";
}

function nameOf(event: TaskEvent): string {
  if (event.kind === "found") return "task";
  return isProgress(event) ? "progress" : event.kind;
}

/** The fields of the line for `event`, or undefined where there is none. */
function fieldsOf(
  event: TaskEvent,
  task: TaskView,
  stopped: StopSignal | undefined,
  seeds: readonly string[],
): object | undefined {
  switch (event.kind) {
    case "found":
      return taskFields(task);
    case "received":
    case "stored":
    case "state":
    case "resumed":
      return progressFields(task);
    case "seed":
      return seedFields(event);
    case "done":
      return doneFields(task, event.result);
    case "failed":
      return failedFields(task, event.failure, stopped, seeds);
    case "queued":
    case "pieces":
    case "flight":
    case "target":
    case "note":
      return undefined;
  }
}

function line(event: string, time: number, fields: object): string {
  return jsonLine({
    event,
    time: new Date(time).toISOString(),
    ...fields,
  });
}

function taskFields({ task, name, size, id, seeds }: TaskView): object {
  return { task, name, size, id, verified: id !== null, seeds };
}

function progressFields(task: TaskView): object {
  const { state, size, downloaded, rate, etaMs, seeds } = task;
  return {
    task: task.task,
    name: task.name,
    state,
    downloaded,
    size,
    percent: percentDone(downloaded, size),
    rate: Math.round(rate),
    etaMs: etaMs === null ? null : Math.round(etaMs),
    seeds,
  };
}

function seedFields(event: TaskEvent & { kind: "seed" }): object {
  const { task, seed, what, reason, retryInMs } = event;
  return { task, seed, what, reason, retryInMs: retryInMs ?? null };
}

function doneFields({ task, name }: TaskView, result: TaskResult): object {
  const { elapsedMs, bytesBySeed, how } = result;
  const file = pick(result, ["path", "size", "sha256", "id", "verified"]);
  return { task, name, ...file, elapsedMs, bytesBySeed, how, ...votesIn(result) };
}

function failedFields(
  { task, name }: TaskView,
  failure: TaskFailure,
  stopped: StopSignal | undefined,
  seeds: readonly string[],
): object {
  const { code, message } = failure;
  const hint = hintOf(failure, seeds) ?? null;
  const exit = exitOfFailure(code, stopped);
  return { task, name, code, message, hint, exit, ...votesIn(failure) };
}

function summaryOfTask({ task, name, state, outcome }: TaskOutcome): object {
  const told = outcome.ok
    ? { ...pick(outcome.result, ["path", "size", "sha256", "verified"]), error: null }
    : { path: null, size: null, sha256: null, verified: false, error: outcome.failure.message };
  const votes = votesIn(outcome.ok ? outcome.result : outcome.failure);
  return { task, name, state, ...told, ...votes };
}

/** The contents that seeds hold under the name, where they differ. */
function votesIn({ contents }: TaskResult | TaskFailure): object {
  return contents === undefined ? {} : { contents };
}
