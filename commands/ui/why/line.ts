/** What the measured network path to a seed says about its speed. */
import type { LineFigures, SeedSummary, TaskCase } from "../../../core/mod.ts";
import { formatBytes, formatRate, plural } from "../units.ts";
import { rateOf } from "./account.ts";

export interface LineFinding {
  readonly cause: "memory" | "loss" | "connections";
  /** Follows "is limited by" or "were limited by". */
  readonly what: string;
  readonly advice: string;
}

/** With less, a lost packet costs little; a LAN answers faster, also through Wi-Fi. */
const MIN_LONG_ROUND_TRIP_MS = 10;
/** core keeps data for this many round trips in flight, since congestion control may double the rate within one. */
const WINDOW_ROUND_TRIPS = 3;
/**
 * core starts with 4 connections on a long line and keeps twice as many only if they made it faster.
 * On a line without loss, 4 share its whole rate, and more gain nothing.
 */
const MIN_LOSSY_CONNECTIONS = 8;
/**
 * A flow that loses one packet in 10,000 carries about 122 packets a round trip (1.22 / √p, Mathis et
 * al., 1997); with less in flight than that, its rate is what loss leaves of it.
 */
const MAX_LOSSY_FLIGHT_BYTES = 122 * 1448;

/** undefined where the figures show no reason. */
export function lineFindingOf(theCase: TaskCase): LineFinding | undefined {
  const { account, limits, running } = theCase;
  if (account === null) return undefined;
  const lines = account.seeds.flatMap((seed) =>
    seed.line === undefined ? [] : [{ seed, line: seed.line, rate: rateOf(seed, account) }]
  );
  // The seed that sends most decides, as long as it sends more than all others.
  const [main, ...others] = lines.toSorted((a, b) => b.rate - a.rate);
  const rest = others.reduce((sum, { rate }) => sum + rate, 0);
  if (main === undefined || main.rate <= rest) return undefined;
  const { line, rate, seed } = main;
  const { roundTripMs } = line;
  if (roundTripMs === null || roundTripMs < MIN_LONG_ROUND_TRIP_MS) return undefined;
  const inFlight = rate * roundTripMs / 1000;
  const { memory, seedConnections } = limits ?? {};
  const share = memory === undefined ? undefined : memory / Math.max(1, running);
  if (line.memoryBound && share !== undefined && share <= WINDOW_ROUND_TRIPS * inFlight) {
    return memoryFinding(seed, roundTripMs, memory!, running);
  }
  if (inFlight / line.connections > MAX_LOSSY_FLIGHT_BYTES) return undefined;
  if (seedConnections === "auto") {
    return line.connections < MIN_LOSSY_CONNECTIONS ? undefined : lossFinding(seed, line, rate);
  }
  if (seedConnections === undefined || seedConnections >= MIN_LOSSY_CONNECTIONS) return undefined;
  return {
    cause: "connections",
    what: `--seed-connections ${seedConnections}, or by the network or the seed: ` +
      flowsText(seed, line, rate),
    advice: "run it without --seed-connections: then p2p opens as many as make it faster",
  };
}

function memoryFinding(
  { seed }: SeedSummary,
  roundTripMs: number,
  memory: number,
  running: number,
): LineFinding {
  const shared = running > 1 ? ` for ${plural(running, "download")}` : "";
  return {
    cause: "memory",
    what: `--memory ${formatBytes(memory)}${shared}: with a round trip of ` +
      `${Math.round(roundTripMs)} ms, ${seed} could have more on its way`,
    advice: "raise --memory",
  };
}

function lossFinding(seed: SeedSummary, line: LineFigures, rate: number): LineFinding {
  return {
    cause: "loss",
    what: `lost packets, or a limit for each connection: ${flowsText(seed, line, rate)}, and ` +
      "more connections made it faster",
    advice: `let the seed send with BBR, which lost packets slow down less (on Linux: ` +
      "sysctl net.ipv4.tcp_congestion_control=bbr), or add seeds with --seed",
  };
}

function flowsText({ seed }: SeedSummary, line: LineFigures, rate: number): string {
  const { connections } = line;
  const carry = connections === 1 ? "carries" : "carry";
  const each = connections === 1 ? "" : " each";
  return `${plural(connections, "connection")} to ${seed} ${carry} ` +
    `${formatRate(rate / connections)}${each} at a round trip of ${
      Math.round(line.roundTripMs!)
    } ms`;
}

/** "round trip 100 ms", "12 connections"; nothing of a LAN, where they do not matter. */
export function lineTexts({ line }: SeedSummary): string[] {
  const roundTripMs = Math.round(line?.roundTripMs ?? 0);
  if (line === undefined || roundTripMs === 0) return [];
  return [`round trip ${roundTripMs} ms`, plural(line.connections, "connection")];
}
