/**
 * What the events of a run add up to: the state that every way of showing it
 * reads. One owner folds events in; nothing here knows how it is shown.
 */
import {
  isOver,
  RateMeter,
  type TaskEvent,
  type TaskFailure,
  type TaskResult,
  type TaskState,
} from "../../core/mod.ts";
import { etaMs } from "./units.ts";

export interface TaskView {
  readonly task: string;
  readonly name: string;
  readonly state: TaskState;
  /** null until a seed said it. */
  readonly size: number | null;
  readonly id: string | null;
  /** Verified bytes, those of earlier runs among them. */
  readonly held: number;
  /** What came over the network in this run. */
  readonly received: number;
  /** Seeds that take part now. */
  readonly seeds: readonly string[];
  readonly rate: number;
  /** null when nothing comes. */
  readonly etaMs: number | null;
  /** Why nothing comes, in the last words heard of a seed; null when something does. */
  readonly trouble: string | null;
  readonly result: TaskResult | undefined;
  readonly failure: TaskFailure | undefined;
}

export interface Totals {
  readonly done: number;
  readonly failed: number;
  readonly active: number;
  readonly waiting: number;
  readonly held: number;
  /** Bytes of all tasks whose size is known. */
  readonly size: number;
  /** Whether that is all tasks. */
  readonly sizeKnown: boolean;
  readonly received: number;
  readonly rate: number;
  readonly etaMs: number | null;
}

interface Entry {
  readonly task: string;
  name: string;
  state: TaskState;
  size: number | null;
  id: string | null;
  held: number;
  received: number;
  /** Made when its turn comes: a hundred thousand may wait. */
  seeds: Set<string> | undefined;
  meter: RateMeter | undefined;
  trouble: string | null;
  /** Its turn has come once. */
  begun: boolean;
  result: TaskResult | undefined;
  failure: TaskFailure | undefined;
}

/** Events of received bytes come by the thousand, so the fold changes its own state instead of copying it. */
export class View {
  readonly #entries = new Map<string, Entry>();
  readonly #meter = new RateMeter();

  apply(event: TaskEvent): void {
    const entry = this.#entryOf(event);
    switch (event.kind) {
      case "state":
        entry.state = event.state;
        entry.begun = true;
        break;
      case "found":
        entry.size = event.size;
        entry.id = event.id;
        entry.seeds = new Set(event.seeds);
        break;
      case "resumed":
        entry.held = event.bytes;
        break;
      case "received":
        entry.trouble = null;
        this.#receive(entry, event.bytes, event.time);
        break;
      case "stored":
        entry.held += event.bytes;
        break;
      case "seed":
        applySeedNews(entry.seeds ??= new Set(), event);
        if (event.what === "busy" || event.what === "failing") entry.trouble = event.reason;
        break;
      case "done":
        finish(entry, event.result);
        break;
      case "failed":
        entry.state = "failed";
        entry.failure = event.failure;
        break;
    }
  }

  /** The tasks whose turn has come and that are not over, in the order given. */
  active(now: number): TaskView[] {
    return [...this.#entries.values()].filter(({ begun, state }) => begun && !isOver(state))
      .map((entry) => viewOf(entry, now));
  }

  task(id: string, now: number): TaskView | undefined {
    const entry = this.#entries.get(id);
    return entry && viewOf(entry, now);
  }

  totals(now: number): Totals {
    const totals = { done: 0, failed: 0, active: 0, waiting: 0, held: 0, size: 0, received: 0 };
    let sizeKnown = true;
    for (const { state, size, held, received } of this.#entries.values()) {
      totals[columnOf(state)]++;
      totals.received += received;
      // What failed will not come: it is no part of what is still to wait for.
      if (state === "failed" || state === "cancelled") continue;
      totals.size += size ?? 0;
      totals.held += held;
      sizeKnown &&= size !== null;
    }
    const rate = this.#meter.at(now);
    const left = totals.size - totals.held;
    return { ...totals, sizeKnown, rate, etaMs: sizeKnown ? etaMs(left, rate) : null };
  }

  #receive(entry: Entry, bytes: number, time: number): void {
    entry.received += bytes;
    entry.meter ??= new RateMeter();
    entry.meter.add(bytes, time);
    this.#meter.add(bytes, time);
  }

  #entryOf(event: TaskEvent): Entry {
    const known = this.#entries.get(event.task);
    if (known) {
      if (event.kind === "queued") known.name = event.name;
      return known;
    }
    const entry: Entry = {
      task: event.task,
      name: event.kind === "queued" ? event.name : event.task,
      state: "waiting",
      size: null,
      id: null,
      held: 0,
      received: 0,
      seeds: undefined,
      meter: undefined,
      trouble: null,
      begun: false,
      result: undefined,
      failure: undefined,
    };
    this.#entries.set(event.task, entry);
    return entry;
  }
}

function columnOf(state: TaskState): "done" | "failed" | "active" | "waiting" {
  if (state === "done") return "done";
  if (isOver(state)) return "failed";
  return isActive(state) ? "active" : "waiting";
}

/** Whether something is being done for the task now. */
export function isActive(state: TaskState): boolean {
  return state === "finding" || state === "downloading" ||
    state === "verifying";
}

function viewOf(entry: Entry, now: number): TaskView {
  const rate = isActive(entry.state) ? entry.meter?.at(now) ?? 0 : 0;
  const missing = entry.size === null ? null : entry.size - entry.held;
  return {
    ...entry,
    seeds: [...entry.seeds ?? []],
    rate,
    etaMs: missing === null ? null : etaMs(Math.max(0, missing), rate),
  };
}

function finish(entry: Entry, result: TaskResult): void {
  entry.state = "done";
  entry.result = result;
  entry.size = result.size;
  entry.held = result.size;
  entry.id = result.id;
}

function applySeedNews(
  seeds: Set<string>,
  { seed, what }: TaskEvent & { kind: "seed" },
): void {
  if (what === "joined" || what === "back") seeds.add(seed);
  // A busy seed still takes part: it said when to come back.
  else if (what !== "busy") seeds.delete(seed);
}
