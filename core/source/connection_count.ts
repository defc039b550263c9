/**
 * How many connections to one seed are worth having, as a pure decision: events and the time go in,
 * commands come out. More are tried while requests wait, kept if the seed's total goodput rose
 * noticeably within a few round trips, and closed if it did not.
 *
 * A single TCP flow that loses packets carries about 1.22 MSS / (RTT √p) (Mathis et al., 1997), so on
 * a long line with loss several flows carry several times as much. On a LAN one or two are enough.
 */

export type ConnectionEvent =
  /** Requests wait that a further connection could carry. */
  | { readonly kind: "waiting" }
  | { readonly kind: "received"; readonly bytes: number }
  /** A connection is being opened that was not commanded. */
  | { readonly kind: "opening" }
  | { readonly kind: "opened" }
  /** An open connection has ended, maybe after a command. */
  | { readonly kind: "closed"; readonly commanded: boolean }
  /** A connection could not be opened; no further one is tried for `pauseMs`. */
  | { readonly kind: "refused"; readonly pauseMs: number }
  | { readonly kind: "roundTrip"; readonly ms: number };

export type ConnectionCommand =
  | { readonly kind: "open" }
  /** Send no further requests over one of the connections, and close it. */
  | { readonly kind: "close" };

export interface ConnectionLimit {
  /** Open and opening connections together. */
  readonly max: number;
  /** Whether connections must prove that they help. Otherwise as many as `max` are opened when requests wait. */
  readonly adapts: boolean;
}

/** A LAN answers faster, also through Wi-Fi; the Internet mostly does not. */
export const LONG_ROUND_TRIP_MS = 10;
/** With a short round trip a lost packet costs little, so more connections than this cannot help. */
const MAX_SHORT = 4;
/**
 * A long line starts with as many as browsers open to a server: to find them by trials would take
 * longer than many downloads.
 */
const INITIAL_LONG = 6;
/** A trial succeeds if goodput rose by this share; the rate of several flows with loss varies by as much. */
const MIN_GAIN = 0.08;
/** After several failed trials, as many more are tried: each must help by more than the variation. */
const STEP_SHARE = 1 / 4;
const MAX_FAILED_DOUBLINGS = 3;
/** A new flow reaches its rate in about three round trips: its initial window is 14 KB, doubled each time. */
const TRIAL_ROUND_TRIPS = 3;
/** A trial fails only then: the new flows may have lost a packet early. */
const MAX_TRIAL_ROUND_TRIPS = 6;
/** Goodput is compared over this many round trips, because data comes in bursts of one. */
const RATE_ROUND_TRIPS = 2;
/** In a shorter time, losses and the delays of a busy machine vary the rate by more than the gain. */
const MIN_RATE_MS = 150;
const MIN_TRIAL_MS = 250;
/**
 * After a failed trial, the next one waits. Shortly at first: in slow start flows are faster than
 * they can stay, so what was measured before the first trial may be too much. Doubled each time.
 */
const RETRY_TRIAL_MS = 1000;
/** A busy seed has other clients. */
const RETRY_AFTER_BUSY_MS = 60_000;
const MAX_RETRY_TRIAL_MS = 600_000;

interface Trial {
  /** The number of connections before it. */
  readonly from: number;
  /** Bytes a second before it. */
  readonly goodput: number;
  /** When its last connection was open; undefined while one is being opened. */
  openAtMs: number | undefined;
}

export class ConnectionCount {
  readonly #limit: ConnectionLimit;
  #live = 0;
  #opening = 0;
  /** Connections that were closed by command and are still open. */
  #closing = 0;
  /** As many as are known to help. */
  #target: number;
  #trial: Trial | undefined;
  #roundTripMs: number | undefined;
  /** No connection is opened beside those that live, and no trial begins, before these times. */
  #refusedUntilMs = -Infinity;
  #settledUntilMs = -Infinity;
  #openedAtMs = -Infinity;
  #failedTrials = 0;
  readonly #goodput = new RecentBytes();

  constructor(limit: ConnectionLimit) {
    this.#limit = limit;
    this.#target = limit.adapts ? 1 : limit.max;
  }

  /** Connections that are open or being opened. */
  get total(): number {
    return this.#live + this.#opening;
  }

  handle(event: ConnectionEvent, nowMs: number): ConnectionCommand[] {
    switch (event.kind) {
      case "waiting":
        return this.#waiting(nowMs);
      case "received":
        this.#goodput.add(event.bytes, nowMs, this.#rateMs);
        return this.#evaluate(nowMs);
      case "opening":
        this.#opening++;
        return [];
      case "opened":
        this.#opening--;
        this.#live++;
        this.#openedAtMs = nowMs;
        if (this.#trial && this.#opening === 0) this.#trial.openAtMs = nowMs;
        return [];
      case "closed":
        this.#live--;
        if (event.commanded) this.#closing--;
        // What is left of the trial cannot show anything.
        if (this.#trial && this.#live <= this.#trial.from) this.#trial = undefined;
        return [];
      case "refused":
        this.#refused(event.pauseMs, nowMs);
        return [];
      case "roundTrip":
        this.#measured(event.ms);
        return [];
    }
  }

  get #max(): number {
    const { max, adapts } = this.#limit;
    return !adapts || this.#isLong ? max : Math.min(max, MAX_SHORT);
  }

  get #isLong(): boolean {
    return this.#roundTripMs !== undefined && this.#roundTripMs >= LONG_ROUND_TRIP_MS;
  }

  get #rateMs(): number {
    return Math.max(RATE_ROUND_TRIPS * (this.#roundTripMs ?? 0), MIN_RATE_MS);
  }

  #trialMs(roundTrips: number): number {
    return roundTrips * Math.max(this.#roundTripMs ?? 0, MIN_TRIAL_MS / TRIAL_ROUND_TRIPS);
  }

  #measured(ms: number): void {
    this.#roundTripMs = Math.min(ms, this.#roundTripMs ?? Infinity);
    if (!this.#limit.adapts) return;
    if (this.#isLong) this.#target = Math.max(this.#target, Math.min(INITIAL_LONG, this.#max));
    else this.#target = Math.min(this.#target, this.#max);
  }

  #waiting(nowMs: number): ConnectionCommand[] {
    if (this.total > 0 && nowMs < this.#refusedUntilMs) return [];
    const working = this.total - this.#closing;
    // A short line may need fewer than the user allows: one more for each request that waits.
    if (!this.#limit.adapts) return this.#open(this.#isLong ? this.#max : 1);
    if (working < this.#target) return this.#open(this.#target - working);
    if (this.#trial || nowMs < this.#settledUntilMs) return [];
    const goodput = this.#goodput.rateAt(nowMs, this.#rateMs);
    // The last ones that were opened must have shown first what they bring.
    const isSettled = nowMs - this.#openedAtMs >= this.#rateMs;
    if (goodput === undefined || this.#opening > 0 || !isSettled) return [];
    // Doubled while it helps, as in slow start; less when it is known that twice as many do not.
    const step = Math.ceil(working * STEP_SHARE);
    const more = this.#isLong && this.#failedTrials < MAX_FAILED_DOUBLINGS ? working : step;
    const commands = this.#open(Math.min(more, this.#max - working));
    if (commands.length > 0) this.#trial = { from: working, goodput, openAtMs: undefined };
    return commands;
  }

  /** Opens at most `count`; connections that are being closed count until they have ended. */
  #open(count: number): ConnectionCommand[] {
    const opened = Math.max(0, Math.min(count, this.#max - this.total));
    this.#opening += opened;
    return Array.from({ length: opened }, () => ({ kind: "open" }));
  }

  #evaluate(nowMs: number): ConnectionCommand[] {
    const trial = this.#trial;
    if (trial?.openAtMs === undefined) return [];
    const ageMs = nowMs - trial.openAtMs;
    if (ageMs < this.#trialMs(TRIAL_ROUND_TRIPS)) return [];
    const goodput = this.#goodput.rateAt(nowMs, this.#rateMs) ?? 0;
    const working = this.#live - this.#closing;
    if (goodput >= (1 + MIN_GAIN) * trial.goodput) {
      this.#trial = undefined;
      this.#failedTrials = 0;
      this.#target = working;
      return [];
    }
    if (ageMs < this.#trialMs(MAX_TRIAL_ROUND_TRIPS)) return [];
    this.#trial = undefined;
    const pauseMs = Math.min(MAX_RETRY_TRIAL_MS, RETRY_TRIAL_MS * 2 ** this.#failedTrials++);
    this.#settledUntilMs = nowMs + pauseMs;
    this.#target = trial.from;
    const surplus = Math.max(0, working - trial.from);
    this.#closing += surplus;
    return Array.from({ length: surplus }, () => ({ kind: "close" }));
  }

  #refused(pauseMs: number, nowMs: number): void {
    this.#opening--;
    this.#refusedUntilMs = Math.max(this.#refusedUntilMs, nowMs + pauseMs);
    this.#trial = undefined;
    if (!this.#limit.adapts) return;
    // What the seed accepted is kept, and more is not tried for long.
    this.#target = Math.max(1, this.#live - this.#closing);
    if (this.#live > 0) this.#settledUntilMs = nowMs + RETRY_AFTER_BUSY_MS;
  }
}

/** The bytes of the last moments, by time. */
class RecentBytes {
  readonly #slices: { readonly atMs: number; bytes: number }[] = [];
  #sinceMs: number | undefined;

  add(bytes: number, nowMs: number, windowMs: number): void {
    this.#sinceMs ??= nowMs;
    const last = this.#slices.at(-1);
    if (last && nowMs - last.atMs < windowMs / 16) last.bytes += bytes;
    else this.#slices.push({ atMs: nowMs, bytes });
    this.#forget(nowMs - windowMs);
  }

  /** Bytes a second over the window; undefined until bytes came for that long. */
  rateAt(nowMs: number, windowMs: number): number | undefined {
    this.#forget(nowMs - windowMs);
    if (this.#sinceMs === undefined || nowMs - this.#sinceMs < windowMs) return undefined;
    return this.#slices.reduce((sum, { bytes }) => sum + bytes, 0) * 1000 / windowMs;
  }

  #forget(beforeMs: number): void {
    let old = 0;
    while (old < this.#slices.length && this.#slices[old]!.atMs < beforeMs) old++;
    if (old > 0) this.#slices.splice(0, old);
  }
}
