/**
 * What the events of a run add up to: the state that every way of showing it
 * reads. One owner folds events in; nothing here knows how it is shown.
 *
 * A frame costs as much as the tasks that it shows, however many wait.
 */
import {
  DetailTracker,
  isOver,
  RateMeter,
  SeedsProgress,
  type TaskDetail,
  type TaskEvent,
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
  readonly downloaded: number;
  /** What came over the network in this run. */
  readonly received: number;
  /** Seeds that take part now. */
  readonly seeds: readonly string[];
  readonly rate: number;
  /** null when nothing comes. */
  readonly etaMs: number | null;
  /** Of what `active` gives: its seeds one by one, and what is in its way. */
  readonly detail: TaskDetail | null;
}

export interface Totals {
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly active: number;
  readonly waiting: number;
  readonly paused: number;
  readonly downloaded: number;
  /** Bytes of all tasks whose size is known. */
  readonly size: number;
  /** Whether that is all tasks. */
  readonly sizeKnown: boolean;
  readonly received: number;
  readonly rate: number;
  readonly etaMs: number | null;
}

/** Of a task at work. */
interface Inside {
  readonly seeds: SeedsProgress;
  readonly detail: DetailTracker;
}

interface Entry {
  readonly task: string;
  name: string;
  state: TaskState;
  size: number | null;
  id: string | null;
  downloaded: number;
  received: number;
  /** Made when its turn comes: a hundred thousand may wait. */
  seeds: Set<string> | undefined;
  meter: RateMeter | undefined;
  inside: Inside | undefined;
}

/** Events of received bytes come by the thousand, so the fold changes its own state instead of copying it. */
export class RunProgress {
  readonly #entries = new Map<string, Entry>();
  /** Those whose turn has come and that are not over. */
  readonly #begun = new Set<Entry>();
  readonly #sums = new Sums();
  readonly #meter = new RateMeter();

  /** @param nowMs the monotonic time at which `event` happened. */
  apply(event: TaskEvent, nowMs: number): void {
    const entry = this.#entryOf(event);
    this.#sums.remove(entry);
    this.#fold(entry, event, nowMs);
    this.#sums.add(entry);
    if (isOver(entry.state)) this.#begun.delete(entry);
    else if (event.kind === "state") this.#begun.add(entry);
  }

  /** At most `most` of the tasks whose turn has come and that are not over: those at work first, then in the order given. */
  active(now: number, most = Infinity): TaskView[] {
    const entries = [...this.#begun];
    const chosen = entries.length <= most ? entries : [
      ...entries.filter(({ state }) => isActive(state)),
      ...entries.filter(({ state }) => !isActive(state)),
    ].slice(0, most);
    return chosen.map((entry) => {
      return { ...viewOf(entry, now), detail: entry.inside?.detail.at(now) ?? null };
    });
  }

  task(id: string, now: number): TaskView | undefined {
    const entry = this.#entries.get(id);
    return entry && viewOf(entry, now);
  }

  /** Bytes received over the network in this run, for all tasks. */
  get received(): number {
    return this.#sums.received;
  }

  totals(now: number): Totals {
    const { done, failed, cancelled, active, waiting, paused, downloaded, size, received } =
      this.#sums;
    const rate = this.#meter.displayRateAt(now);
    const sizeKnown = this.#sums.unsized === 0;
    return {
      ...{ done, failed, cancelled, active, waiting, paused },
      ...{ downloaded, size, sizeKnown, received, rate },
      // What is paused is waited for by nobody.
      etaMs: sizeKnown && (active + waiting > 0 || paused === 0)
        ? etaMs(size - downloaded - this.#sums.resting, rate)
        : null,
    };
  }

  #fold(entry: Entry, event: TaskEvent, nowMs: number): void {
    if (event.kind === "state" && event.state === "finding") entry.inside = newInside();
    entry.inside?.seeds.take(event, nowMs);
    entry.inside?.detail.take(event);
    switch (event.kind) {
      case "state":
        entry.state = event.state;
        break;
      case "found":
        entry.size = event.size;
        entry.id = event.id;
        entry.seeds = new Set(event.seeds);
        break;
      case "resumed":
        entry.downloaded = event.bytes;
        break;
      case "received":
        this.#receive(entry, event.bytes, nowMs);
        break;
      case "stored":
        entry.downloaded += event.bytes;
        break;
      case "seed":
        applySeedNews(entry.seeds ??= new Set(), event);
        break;
      case "done":
        finish(entry, event.result);
        break;
      case "failed":
        entry.state = "failed";
        entry.inside = undefined;
        break;
    }
  }

  #receive(entry: Entry, bytes: number, nowMs: number): void {
    entry.received += bytes;
    entry.meter ??= new RateMeter();
    entry.meter.add(bytes, nowMs);
    this.#meter.add(bytes, nowMs);
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
      downloaded: 0,
      received: 0,
      seeds: undefined,
      meter: undefined,
      inside: undefined,
    };
    this.#entries.set(event.task, entry);
    this.#sums.add(entry);
    return entry;
  }
}

/** What all tasks come to; each is taken out before it changes and put in again after. */
class Sums {
  done = 0;
  failed = 0;
  cancelled = 0;
  active = 0;
  waiting = 0;
  paused = 0;
  downloaded = 0;
  size = 0;
  received = 0;
  /** Tasks still to come of which no size is known. */
  unsized = 0;
  /** What is missing of those that are paused. */
  resting = 0;

  add(entry: Entry): void {
    this.#count(entry, 1);
  }

  remove(entry: Entry): void {
    this.#count(entry, -1);
  }

  #count({ state, size, downloaded, received }: Entry, sign: 1 | -1): void {
    this[columnOf(state)] += sign;
    this.received += sign * received;
    // What failed will not come: it is no part of what is still to wait for.
    if (state === "failed" || state === "cancelled") return;
    this.size += sign * (size ?? 0);
    this.downloaded += sign * downloaded;
    if (size === null) this.unsized += sign;
    else if (state === "paused") this.resting += sign * (size - downloaded);
  }
}

function columnOf(
  state: TaskState,
): "done" | "failed" | "cancelled" | "active" | "waiting" | "paused" {
  if (isOver(state) || state === "paused") return state;
  return isActive(state) ? "active" : "waiting";
}

/** Whether something is being done for the task now. */
export function isActive(state: TaskState): boolean {
  return state === "finding" || state === "downloading" ||
    state === "verifying";
}

function newInside(): Inside {
  const seeds = new SeedsProgress();
  return { seeds, detail: new DetailTracker(seeds) };
}

function viewOf(entry: Entry, now: number): TaskView {
  const { meter, inside: _, ...shown } = entry;
  const rate = isActive(entry.state) ? meter?.displayRateAt(now) ?? 0 : 0;
  const missing = entry.size === null ? null : entry.size - entry.downloaded;
  return {
    ...shown,
    seeds: [...entry.seeds ?? []],
    rate,
    etaMs: missing === null ? null : etaMs(Math.max(0, missing), rate),
    detail: null,
  };
}

function finish(entry: Entry, result: TaskResult): void {
  entry.state = "done";
  entry.size = result.size;
  entry.downloaded = result.size;
  entry.id = result.id;
  entry.inside = undefined;
}

function applySeedNews(
  seeds: Set<string>,
  { seed, what }: TaskEvent & { kind: "seed" },
): void {
  if (what === "joined" || what === "back") seeds.add(seed);
  // A busy seed still takes part: it said when to come back.
  else if (what !== "busy") seeds.delete(seed);
}
