/**
 * What a seed has done so far, in plain numbers: to count costs next to nothing
 * beside what is counted. No text of a client's is ever a key, neither a name nor
 * an address: there would be as many as somebody likes to make up.
 */
import type { Clock } from "../../base/clock.ts";
import type { ErrorReply, ErrorReplyCode } from "../../protocol/error_replies.ts";
import type { SessionRequest } from "../../protocol/requests.ts";

export type ClientProtocol = "session" | "one-shot";
/** What a request asks for; "invalid" is a line that asks for nothing that we know. */
export type RequestKind = SessionRequest["verb"] | "invalid";
/** "lost": the client was gone, or we were, before the reply was sent. */
export type RequestResult = "OK" | ErrorReplyCode | "lost";

/**
 * Upper bounds of the latency's buckets, in seconds: below a millisecond all is
 * well, 0.1 s is how long `MANIFEST` may wait for its hashing, beyond 30 s a
 * client that does not read is given up.
 */
export const LATENCY_BOUNDS = [0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** Sums by key. */
class Counts<Key> {
  readonly #byKey = new Map<Key, number>();

  add(key: Key): void {
    this.#byKey.set(key, (this.#byKey.get(key) ?? 0) + 1);
  }

  /** In the order in which the keys came up. */
  get entries(): [Key, number][] {
    return [...this.#byKey];
  }

  has(key: Key): boolean {
    return this.#byKey.has(key);
  }

  get size(): number {
    return this.#byKey.size;
  }
}

/** How long requests of one kind took. */
class Latency {
  /** How many fell into each bucket of `LATENCY_BOUNDS`; the last one is for all above. */
  readonly buckets = new Array<number>(LATENCY_BOUNDS.length + 1).fill(0);
  seconds = 0;

  add(seconds: number): void {
    let bucket = 0;
    while (bucket < LATENCY_BOUNDS.length && seconds > LATENCY_BOUNDS[bucket]!) bucket++;
    this.buckets[bucket]!++;
    this.seconds += seconds;
  }
}

/** Reasons are texts of our own, a handful; this is for the day when one of them has a number in it. */
const MAX_REASONS = 32;

export class MetricsRegistry {
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  accepted = 0;
  /** Connections whose place went to another client. */
  evicted = 0;
  /** Of files, in bodies that were sent whole. */
  fileBytes = 0;
  hashedBytes = 0;
  /** Connections that were turned away, by the reason. */
  readonly turnedAway = new Counts<string>();
  /** Answers with BUSY, by the reason; clients that were turned away among them. */
  readonly busy = new Counts<string>();
  readonly #requests = new Map<ClientProtocol, Map<RequestKind, Counts<RequestResult>>>();
  readonly #latencies = new Map<RequestKind, Latency>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.startedAt = clock.wallTime();
  }

  /** A client connected; `refusedFor` says why it may not stay. */
  connected(refusedFor?: string): void {
    if (refusedFor === undefined) return void this.accepted++;
    addReason(this.turnedAway, refusedFor);
    addReason(this.busy, refusedFor);
  }

  /** Takes a request; it is counted, with the time that it took, when what comes back is disposed. */
  request(dialect: ClientProtocol, kind: RequestKind): CountedRequest {
    return new CountedRequest(this, kind, this.countsOf(dialect, kind), this.#clock);
  }

  countsOf(dialect: ClientProtocol, kind: RequestKind): Counts<RequestResult> {
    const byKind = getOrMake(this.#requests, dialect, () => new Map());
    return getOrMake(byKind, kind, () => new Counts<RequestResult>());
  }

  latencyOf(kind: RequestKind): Latency {
    return getOrMake(this.#latencies, kind, () => new Latency());
  }

  get requests(): {
    dialect: ClientProtocol;
    kind: RequestKind;
    result: RequestResult;
    count: number;
  }[] {
    return [...this.#requests].flatMap(([dialect, byKind]) =>
      [...byKind].flatMap(([kind, counts]) =>
        counts.entries.map(([result, count]) => ({ dialect, kind, result, count }))
      )
    );
  }

  get latencies(): [RequestKind, Latency][] {
    return [...this.#latencies];
  }
}

/** One request, from its taking to the end of its reply. */
class CountedRequest implements Disposable {
  readonly #tally: MetricsRegistry;
  readonly #kind: RequestKind;
  readonly #counts: Counts<RequestResult>;
  readonly #clock: Clock;
  readonly #takenAt: number;
  #result: RequestResult = "lost";

  constructor(
    tally: MetricsRegistry,
    kind: RequestKind,
    counts: Counts<RequestResult>,
    clock: Clock,
  ) {
    this.#tally = tally;
    this.#kind = kind;
    this.#counts = counts;
    this.#clock = clock;
    this.#takenAt = clock.now();
  }

  answered(): void {
    this.#result = "OK";
  }

  refused({ code, text }: ErrorReply): void {
    this.#result = code;
    if (code === "BUSY") addReason(this.#tally.busy, text.replace(/^retry-after-ms=\d+ ?/, ""));
  }

  [Symbol.dispose](): void {
    this.#counts.add(this.#result);
    const ms = this.#clock.now() - this.#takenAt;
    this.#tally.latencyOf(this.#kind).add(ms / 1000);
  }
}

function addReason(counts: Counts<string>, reason: string): void {
  counts.add(counts.has(reason) || counts.size < MAX_REASONS ? reason : "other");
}

function getOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
