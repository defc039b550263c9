/**
 * What a server counts and measures. Label values are never a client's own text,
 * neither a name nor an address: a client could make up any number of them.
 */
import type { Clock } from "../../base/clock.ts";
import type { ErrorReply, ErrorReplyCode } from "../../protocol/error_replies.ts";
import type { SessionRequest } from "../../protocol/requests.ts";
import { Counter, gauge, Histogram, type Metric } from "./metrics.ts";

export type ClientProtocol = "session" | "one-shot" | "http";
/** "invalid" is a line that is no request. */
export type RequestKind = SessionRequest["verb"] | "GET" | "HEAD" | "invalid";
/** "lost": the connection ended before the reply was sent. */
export type RequestResult = "OK" | ErrorReplyCode | "lost";

/** What is read when the metrics are requested. */
export interface Gauges {
  readonly connections: number;
  readonly uploads: { readonly taken: number; readonly waiting: number };
  readonly hashing: { readonly running: number; readonly waiting: number };
  /** As of the last walk. */
  readonly offered: { readonly files: number; readonly bytes: number };
  readonly residentBytes: number;
}

/** Open for one request, from its arrival to the end of its reply; counted when it is disposed. */
export interface CountedRequest extends Disposable {
  answered(): void;
  refused(reply: ErrorReply): void;
}

/**
 * In seconds. `MANIFEST` waits 0.1 s for its hashing; after 30 s a client that does
 * not read is disconnected.
 */
const DURATION_BOUNDS = [0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Reasons are texts of this program, a handful; the limit is for one that contains a number. */
const MAX_REASONS = 32;

export class MetricsRegistry {
  readonly accepted = new Counter("p2p_connections_accepted_total", "Connections accepted.");
  readonly refused = new Counter(
    "p2p_connections_refused_total",
    "Connections refused.",
    ["reason"],
    MAX_REASONS,
  );
  readonly evicted = new Counter(
    "p2p_connections_evicted_total",
    "Connections closed for another client because the server was full.",
  );
  readonly requests = new Counter(
    "p2p_requests_total",
    "Requests by their result.",
    ["dialect", "kind", "result"],
  );
  readonly durations = new Histogram(
    "p2p_request_duration_seconds",
    "From the arrival of a request to the end of its reply.",
    DURATION_BOUNDS,
    ["kind"],
  );
  readonly busy = new Counter("p2p_busy_total", "BUSY replies.", ["reason"], MAX_REASONS);
  readonly fileBytes = new Counter("p2p_file_bytes_sent_total", "Bytes of files sent.");
  readonly hashedBytes = new Counter("p2p_hashed_bytes_total", "Bytes of files hashed.");
  readonly #clock: Clock;
  readonly #startedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.wallTime();
  }

  /** A client connected; `refusedFor` says why it was refused. */
  connected(refusedFor?: string): void {
    if (refusedFor === undefined) return this.accepted.add(1);
    this.refused.add(1, refusedFor);
    this.busy.add(1, refusedFor);
  }

  request(protocol: ClientProtocol, kind: RequestKind): CountedRequest {
    const startedAt = this.#clock.now();
    let result: RequestResult = "lost";
    return {
      answered: () => void (result = "OK"),
      refused: ({ code, text }) => {
        result = code;
        if (code === "BUSY") this.busy.add(1, text.replace(/^retry-after-ms=\d+ ?/, ""));
      },
      [Symbol.dispose]: () => {
        this.requests.add(1, protocol, kind, result);
        this.durations.observe((this.#clock.now() - startedAt) / 1000, kind);
      },
    };
  }

  metrics({ connections, uploads, hashing, offered, residentBytes }: Gauges): Metric[] {
    return [
      gauge("p2p_connections", "Open connections.", connections),
      this.accepted,
      this.refused,
      this.evicted,
      this.requests,
      this.durations,
      this.busy,
      this.fileBytes,
      gauge("p2p_uploads", "Bodies being sent and waiting.", [
        { labels: { state: "taken" }, value: uploads.taken },
        { labels: { state: "waiting" }, value: uploads.waiting },
      ]),
      gauge("p2p_hashing_files", "Files being hashed and waiting.", [
        { labels: { state: "running" }, value: hashing.running },
        { labels: { state: "waiting" }, value: hashing.waiting },
      ]),
      this.hashedBytes,
      gauge("p2p_files_offered", "Files in the folder, as of the last walk.", offered.files),
      gauge("p2p_offered_bytes", "Bytes of these files.", offered.bytes),
      gauge("process_start_time_seconds", "Seconds since 1970.", this.#startedAt / 1000),
      gauge("process_resident_memory_bytes", "Memory in use.", residentBytes),
    ];
  }
}
