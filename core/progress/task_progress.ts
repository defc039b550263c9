/** One task of this process, followed by its events for those who look at it from outside while it runs. */
import { isOver, type TaskEvent } from "../events.ts";
import { TimeAccount, type TimeReport } from "./time_account.ts";
import { SeedsProgress } from "./seed_progress.ts";
import { DetailTracker, type TaskDetail } from "./task_detail.ts";

/** How one task stands at this moment. */
export interface TaskSnapshot {
  readonly downloaded: number;
  readonly rate: number;
  readonly seeds: readonly string[];
}

export class TaskProgress {
  readonly #seeds = new SeedsProgress();
  /** Until it was told a last time. */
  #accounting: TimeAccount | undefined;
  /** While somebody works on it. */
  #detail: DetailTracker | undefined;
  /** undefined until it is found, and when it is over. */
  #downloaded: number | undefined;

  /** @param queuedAt when it began to wait for its turn. */
  constructor(queuedAt: number) {
    this.#accounting = new TimeAccount(queuedAt, this.#seeds);
  }

  /** @param nowMs the monotonic time at which `event` happened. */
  take(event: TaskEvent, nowMs: number): void {
    this.#seeds.take(event, nowMs);
    this.#accounting?.take(event, nowMs);
    switch (event.kind) {
      case "found":
        this.#downloaded = 0;
        break;
      case "resumed":
        this.#downloaded = event.bytes;
        break;
      case "stored":
        if (this.#downloaded !== undefined) this.#downloaded += event.bytes;
        break;
      case "state":
        if (event.state === "finding") this.#detail = new DetailTracker(this.#seeds);
        if (event.state === "paused" || isOver(event.state)) this.#detail = undefined;
        if (isOver(event.state)) this.#downloaded = undefined;
        break;
      case "done":
        this.#detail = this.#downloaded = undefined;
        break;
      case "failed":
        this.#detail = undefined;
    }
    this.#detail?.take(event);
  }

  /** A limit of the user's begins or ceases to hold back all that the task could ask for. */
  limited(limited: boolean, nowMs: number): void {
    this.#accounting?.limited(limited, nowMs);
  }

  /** How far it has come; undefined where there is nothing to tell. */
  nowAt(nowMs: number): TaskSnapshot | undefined {
    if (this.#downloaded === undefined) return undefined;
    const holders = Array.from(this.#seeds).filter(([, { holds }]) => holds);
    const rates = Array.from(this.#seeds, ([, { rate }]) => rate.displayRateAt(nowMs));
    return {
      downloaded: this.#downloaded,
      rate: Math.round(rates.reduce((sum, rate) => sum + rate, 0)),
      seeds: holders.map(([name]) => name),
    };
  }

  detailAt(nowMs: number): TaskDetail | undefined {
    return this.#detail?.at(nowMs);
  }

  /** @param wallMs the same moment in ms since 1970, with which the account is stamped. */
  accountAt(nowMs: number, wallMs: number): TimeReport | undefined {
    return this.#accounting?.at(nowMs, wallMs);
  }

  /** The account of a task that is over, once; undefined while it is not. */
  closeAccount(nowMs: number, wallMs: number): TimeReport | undefined {
    if (!this.#accounting?.over) return undefined;
    const account = this.accountAt(nowMs, wallMs);
    this.#accounting = undefined;
    return account;
  }

  /** Whether there is nothing left to tell. */
  get isGone(): boolean {
    return this.#accounting === undefined && this.#downloaded === undefined;
  }
}
