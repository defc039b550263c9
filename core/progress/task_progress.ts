/**
 * The one reducer over the events of a task. The live screen, `get --json`, the run record, `status`
 * and `why` all read their figures from here. It changes its own state instead of copying it, because
 * `received` events come by the thousand.
 */
import { cellOf } from "../base/pieces.ts";
import {
  isOver,
  type TaskEvent,
  type TaskFailure,
  type TaskResult,
  type TaskState,
  type WaitsFor,
} from "../events.ts";
import {
  MAX_DETAIL_SEEDS,
  MAX_REPORT_SEEDS,
  type Span,
  type TaskDetail,
  type TaskSnapshot,
  type TimeReport,
} from "./snapshots.ts";
import { SourceProgress } from "./source_progress.ts";

/** A task at one moment, for a screen or a line of JSON. */
export interface TaskView {
  /** Its id. */
  readonly task: string;
  /** The requested name. */
  readonly name: string;
  /** Its state. */
  readonly state: TaskState;
  /** Bytes; null until a source reported it. */
  readonly size: number | null;
  /** The content's id; null while it is unknown, and if no seed offers a manifest. */
  readonly id: string | null;
  /** Verified bytes, including those of earlier runs. */
  readonly downloaded: number;
  /** Sources that take part now. */
  readonly seeds: readonly string[];
  /** Bytes a second. */
  readonly rate: number;
  /** null when it is unknown. */
  readonly etaMs: number | null;
}

/** What an earlier run left of a task. */
export interface EarlierProgress {
  readonly size: number | null;
  readonly downloaded: number;
  readonly id: string | null;
}

const MAX_TROUBLE_CHARACTERS = 200;

export class TaskProgress {
  readonly task: string;
  name: string;
  /** Where the file was requested, and where it is written: these differ if other content is there. */
  target = "";
  path = "";
  state: TaskState = "waiting";
  /** When that state began, and when the last event came (ms since 1970). */
  since: number;
  updatedAt: number;
  size: number | null;
  id: string | null;
  downloaded: number;
  result: TaskResult | undefined;
  failure: TaskFailure | undefined;
  readonly #queuedAt: number;
  /** Made when the task's turn comes, because a hundred thousand may wait. */
  #work: Work | undefined;
  /** The sources of a task without `#work` that hold its content. */
  #holders: readonly string[] = [];

  /**
   * @param wallMs when it was queued, in ms since 1970.
   * @param nowMs the same moment on the monotonic clock.
   */
  constructor(task: string, wallMs: number, nowMs: number, earlier?: EarlierProgress) {
    this.task = this.name = task;
    this.since = this.updatedAt = wallMs;
    this.#queuedAt = nowMs;
    this.size = earlier?.size ?? null;
    this.id = earlier?.id ?? null;
    this.downloaded = earlier?.downloaded ?? 0;
  }

  /** Whether its turn has come. */
  get begun(): boolean {
    return this.#work !== undefined || this.ended;
  }

  /** Whether no event changes it any more. An interrupted task has ended, and is paused. */
  get ended(): boolean {
    return isOver(this.state) || this.failure !== undefined;
  }

  /** Sources that have the content and were not dropped. */
  get holders(): readonly string[] {
    return this.#work?.names((source) => source.holds) ?? this.#holders;
  }

  /**
   * @param nowMs the monotonic time at which `event` happened.
   * @returns where the time of the task went, if it ended with this event.
   */
  apply(event: TaskEvent, nowMs: number): TimeReport | undefined {
    if (this.ended) return undefined;
    this.updatedAt = event.time;
    if (event.kind === "queued") {
      this.name = event.name;
      this.target = this.path = event.target;
      return undefined;
    }
    const work = this.#work ??= new Work(this.#queuedAt);
    this.#update(work, event, nowMs);
    // While bytes arrive, more of them do not change what the task is waiting for.
    if (event.kind !== "received" || work.span !== "bytes") work.enter(this.#span(work), nowMs);
    if (!this.ended) return undefined;
    const report = work.report(nowMs, event.time);
    this.#holders = this.holders;
    if (this.failure === undefined) this.#work = undefined;
    return report;
  }

  /** The user's rate limit begins or ceases to hold back everything that could be requested. */
  setLimited(limited: boolean, nowMs: number): void {
    const work = this.#work;
    if (work === undefined || this.ended) return;
    work.isLimited = limited;
    work.enter(this.#span(work), nowMs);
  }

  view(nowMs: number): TaskView {
    const { task, name, state, size, id, downloaded } = this;
    const rate = isActive(state) ? this.#work?.rateAt(nowMs) ?? 0 : 0;
    return {
      ...{ task, name, state, size, id, downloaded, rate },
      seeds: this.#work?.names((source) => source.participates) ?? this.#holders,
      etaMs: size === null ? null : etaMs(size - downloaded, rate),
    };
  }

  /** undefined until the content is known, and when the task is done or cancelled. */
  snapshot(nowMs: number): TaskSnapshot | undefined {
    const work = this.#work;
    if (work === undefined || this.size === null) return undefined;
    return {
      downloaded: this.downloaded,
      rate: Math.round(work.rateAt(nowMs)),
      seeds: this.holders,
    };
  }

  /** undefined unless the task is being worked on or waits for something other than its first turn. */
  detail(nowMs: number): TaskDetail | undefined {
    const work = this.#work;
    if (!work?.attempted || this.state === "paused" || this.ended) return undefined;
    return work.detail(nowMs);
  }

  /** @param wallMs the same moment in ms since 1970. @returns undefined before the task's first turn and after its end. */
  timeReport(nowMs: number, wallMs: number): TimeReport | undefined {
    return this.ended ? undefined : this.#work?.report(nowMs, wallMs);
  }

  #update(work: Work, event: TaskEvent, nowMs: number): void {
    switch (event.kind) {
      case "state":
        if (event.state !== this.state) this.since = event.time;
        this.state = event.state;
        work.applyState(event, nowMs);
        break;
      case "found":
        // Pieces of other content do not count.
        if (event.size !== this.size || event.id !== this.id) this.downloaded = 0;
        this.size = event.size;
        this.id = event.id;
        work.setHolders(event.seeds);
        break;
      case "target":
        this.path = event.path;
        break;
      case "resumed":
        this.downloaded = event.bytes;
        break;
      case "pieces":
        work.pieces = { count: event.count, cells: [...event.cells] };
        // The part file of an earlier attempt is gone.
        if (event.cells.every((pieces) => pieces === 0)) this.downloaded = 0;
        break;
      case "flight":
        work.source(event.seed).setInFlight(event.pieces, nowMs);
        break;
      case "line":
        work.source(event.seed).setLine(event);
        break;
      case "received":
        work.trouble = null;
        work.source(event.seed).receive(event.bytes, nowMs);
        break;
      case "stored":
        this.downloaded += event.bytes;
        work.store(event);
        break;
      case "seed":
        work.hasAnswer = true;
        work.source(event.seed).apply(event);
        break;
      case "note":
        if (event.level !== "warn") break;
        work.trouble = event.word ?? event.text.slice(0, MAX_TROUBLE_CHARACTERS);
        break;
      case "done":
        this.result = event.result;
        this.#end("done", event.time);
        this.path = event.result.path;
        this.size = this.downloaded = event.result.size;
        this.id = event.result.id;
        break;
      case "failed":
        this.failure = event.failure;
        this.#end(event.failure.code === "interrupted" ? "paused" : "failed", event.time);
    }
  }

  #end(state: TaskState, time: number): void {
    this.state = state;
    this.since = time;
  }

  #span(work: Work): Span | null {
    if (this.ended) return null;
    switch (this.state) {
      case "waiting":
        return work.waitsFor === "seeds" ? work.problem() ?? "unreachable" : work.waitsFor;
      case "paused":
        return "paused";
      case "verifying":
        return "checking";
      case "finding":
        if (work.hasContent) return "checking";
        return work.hasAnswer ? work.problem() ?? "asking" : "asking";
      default:
        if (this.size !== null && this.downloaded >= this.size) return "finishing";
        return work.problem() ?? (work.isLimited ? "limit" : "bytes");
    }
  }
}

/** What is known of a task whose turn has come. */
class Work {
  readonly #sources = new Map<string, SourceProgress>();
  readonly #spent: Partial<Record<Span, number>> = {};
  #span: Span | null = "place";
  #since: number;
  #hashMs = 0;
  #diskMs = 0;
  waitsFor: WaitsFor = "place";
  /** Whether an attempt was started, one got an answer of any source, and one found the content. */
  attempted = false;
  hasAnswer = false;
  hasContent = false;
  isLimited = false;
  pieces: { count: number; cells: number[] } | undefined;
  trouble: string | null = null;

  constructor(queuedAt: number) {
    this.#since = queuedAt;
  }

  get span(): Span | null {
    return this.#span;
  }

  /** Books the time until now on the current span, and begins `span`. */
  enter(span: Span | null, nowMs: number): void {
    const elapsed = nowMs - this.#since;
    if (this.#span !== null && elapsed > 0) {
      this.#spent[this.#span] = (this.#spent[this.#span] ?? 0) + elapsed;
    }
    this.#since = nowMs;
    this.#span = span;
  }

  source(name: string): SourceProgress {
    let source = this.#sources.get(name);
    if (!source) this.#sources.set(name, source = new SourceProgress(name));
    return source;
  }

  names(isIncluded: (source: SourceProgress) => boolean): string[] {
    const names: string[] = [];
    for (const [name, source] of this.#sources) if (isIncluded(source)) names.push(name);
    return names;
  }

  applyState({ state, waitsFor = "place" }: TaskEvent & { kind: "state" }, nowMs: number): void {
    this.waitsFor = waitsFor;
    if (state === "finding") {
      this.attempted = true;
      this.hasAnswer = this.hasContent = false;
      this.pieces = undefined;
      this.trouble = null;
      this.#sources.forEach((source) => source.restart());
    }
    // A task that has to wait gives up its requests.
    if (state === "waiting") this.#sources.forEach((source) => source.setInFlight(0, nowMs));
  }

  setHolders(names: readonly string[]): void {
    this.hasContent = true;
    for (const source of this.#sources.values()) source.holds = false;
    for (const name of names) this.source(name).setHolds();
  }

  store({ piece, hashMs = 0, diskMs = 0 }: TaskEvent & { kind: "stored" }): void {
    this.#hashMs += hashMs;
    this.#diskMs += diskMs;
    if (this.pieces) this.pieces.cells[cellOf(piece, this.pieces.count)]!++;
  }

  rateAt(nowMs: number): number {
    let sum = 0;
    for (const source of this.#sources.values()) sum += source.displayRateAt(nowMs);
    return sum;
  }

  /** Why no source sends; undefined while one does, or may. */
  problem(): "pending" | "busy" | "unreachable" | undefined {
    let problem: "pending" | "busy" | "unreachable" | undefined;
    for (const { status } of this.#sources.values()) {
      if (status === "gives") return undefined;
      if (status === "pending" || (status === "busy" && problem !== "pending")) problem = status;
      if (status === "failing") problem ??= "unreachable";
    }
    return problem;
  }

  detail(nowMs: number): TaskDetail {
    const sources = this.#bySize();
    const fastest = sources.reduce((max, each) => Math.max(max, each.slowRateAt(nowMs)), 0);
    const shown = sources.slice(0, MAX_DETAIL_SEEDS);
    return {
      seeds: shown.map((source) => source.snapshot(fastest, nowMs)),
      moreSeeds: sources.length - shown.length,
      pieces: this.pieces ?? null,
      trouble: this.trouble,
    };
  }

  report(nowMs: number, wallMs: number): TimeReport {
    this.enter(this.#span, nowMs);
    return {
      spent: { ...this.#spent },
      now: this.#span,
      at: wallMs,
      hashMs: this.#hashMs,
      diskMs: this.#diskMs,
      seeds: this.#bySize().slice(0, MAX_REPORT_SEEDS).map((source) => source.summary(nowMs)),
    };
  }

  /** Those that sent most first. */
  #bySize(): SourceProgress[] {
    return Array.from(this.#sources.values()).sort((a, b) => b.bytes - a.bytes);
  }
}

/** Whether something is being done for the task now. */
export function isActive(state: TaskState): boolean {
  return state === "finding" || state === "downloading" || state === "verifying";
}

/** How long `missing` bytes take at `rate` bytes a second; null if nothing arrives. */
export function etaMs(missing: number, rate: number): number | null {
  if (missing <= 0) return 0;
  return rate > 0 ? missing * 1000 / rate : null;
}
