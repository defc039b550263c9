/** What a seed lets others watch: its tally, and how things stand at this moment. */
import type { Metric } from "./metrics_text.ts";
import { LATENCY_BOUNDS, type MetricsRegistry } from "./metrics_registry.ts";

/** How things stand now. */
export interface Gauges {
  readonly connections: number;
  readonly uploads: { readonly taken: number; readonly waiting: number };
  readonly hashing: { readonly running: number; readonly waiting: number };
  /** As of the last look at the folder. */
  readonly offered: { readonly files: number; readonly bytes: number };
  readonly residentBytes: number;
}

export function metricsOf(tally: MetricsRegistry, standing: Gauges): Metric[] {
  return [
    ...connectionMetrics(tally, standing),
    ...requestMetrics(tally),
    ...workMetrics(tally, standing),
    gauge("process_start_time_seconds", "When this seed began to listen, since 1970.", [
      { value: tally.startedAt / 1000 },
    ]),
    gauge("process_resident_memory_bytes", "Memory in use.", [{ value: standing.residentBytes }]),
  ];
}

function connectionMetrics(tally: MetricsRegistry, { connections }: Gauges): Metric[] {
  return [
    gauge("p2p_connections", "Connections open now.", [{ value: connections }]),
    counter("p2p_connections_accepted_total", "Connections that were let in.", [
      { value: tally.accepted },
    ]),
    counter(
      "p2p_connections_refused_total",
      "Connections that were turned away.",
      byReason(tally.turnedAway.entries),
    ),
    counter(
      "p2p_connections_evicted_total",
      "Connections whose place went to another client, because the seed was full.",
      [{ value: tally.evicted }],
    ),
  ];
}

function requestMetrics(tally: MetricsRegistry): Metric[] {
  return [
    counter(
      "p2p_requests_total",
      "Requests that are over, by what came of them.",
      tally.requests.map(({ count, ...labels }) => ({ labels, value: count })),
    ),
    {
      name: "p2p_request_duration_seconds",
      help: "From a request's taking to the end of its reply.",
      type: "histogram",
      bounds: LATENCY_BOUNDS,
      samples: tally.latencies.map(([kind, { buckets, seconds }]) => ({
        labels: { kind },
        buckets,
        sum: seconds,
      })),
    },
    counter(
      "p2p_busy_total",
      "Clients and requests that were asked to come back later.",
      byReason(tally.busy.entries),
    ),
  ];
}

function workMetrics(tally: MetricsRegistry, { uploads, hashing, offered }: Gauges): Metric[] {
  return [
    counter("p2p_file_bytes_sent_total", "Bytes of files in bodies that were sent whole.", [
      { value: tally.fileBytes },
    ]),
    gauge("p2p_uploads", "Bodies being sent, and waiting for their turn.", [
      { labels: { state: "taken" }, value: uploads.taken },
      { labels: { state: "waiting" }, value: uploads.waiting },
    ]),
    gauge("p2p_hashing_files", "Files being hashed, and waiting for their turn.", [
      { labels: { state: "running" }, value: hashing.running },
      { labels: { state: "waiting" }, value: hashing.waiting },
    ]),
    counter("p2p_hashed_bytes_total", "Bytes of files that were hashed.", [
      { value: tally.hashedBytes },
    ]),
    gauge("p2p_files_offered", "Files in the folder, as of the last look.", [
      { value: offered.files },
    ]),
    gauge("p2p_offered_bytes", "What these files hold together.", [{ value: offered.bytes }]),
  ];
}

type Samples = (Metric & { readonly type: "counter" | "gauge" })["samples"];

function counter(name: string, help: string, samples: Samples): Metric {
  return { name, help, type: "counter", samples };
}

function gauge(name: string, help: string, samples: Samples): Metric {
  return { name, help, type: "gauge", samples };
}

function byReason(entries: readonly [string, number][]): Samples {
  return entries.map(([reason, value]) => ({ labels: { reason }, value }));
}
