/** What the measured network path to a seed says about its speed. */
import type { LineFigures, SeedSummary, TaskCase } from "../../../core/mod.ts";
import { formatBytes, formatRate, plural } from "../units.ts";
import { rateOf, WHICH } from "./account.ts";

export interface LineFinding {
  readonly cause: "bytes" | "memory" | "connections";
  /** Follows "is limited by" or "were limited by". */
  readonly what: string;
  readonly advice: string;
}

/** With less, a lost packet costs little; a LAN answers faster, also through Wi-Fi. */
const MIN_LONG_ROUND_TRIP_MS = 10;
/** core keeps data for this many round trips in flight, since congestion control may double the rate within one. */
const WINDOW_ROUND_TRIPS = 3;
/**
 * core starts with 4 connections on a long line and opens more as long as that makes it faster: while
 * they start, or where packets are lost.
 */
const MIN_MANY_CONNECTIONS = 8;
/**
 * A flow that loses one packet in 10,000 carries about 122 packets a round trip (1.22 / √p, Mathis et
 * al., 1997). With more in flight than that, loss does not matter; with less, either loss limits it or
 * the line is shared by many flows. Only a person who knows the rate of the line can tell.
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
    return line.connections < MIN_MANY_CONNECTIONS ? undefined : flowsFinding(seed, line, rate);
  }
  if (seedConnections === undefined || seedConnections >= MIN_MANY_CONNECTIONS) return undefined;
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

function flowsFinding(seed: SeedSummary, line: LineFigures, rate: number): LineFinding {
  return {
    cause: "bytes",
    what: `the network or the seed ${WHICH}: ${flowsText(seed, line, rate)}`,
    advice: `if the line is faster than ${formatRate(rate)}, packets are lost: let the seed send ` +
      "with BBR (on Linux: sysctl net.ipv4.tcp_congestion_control=bbr), or add seeds with --seed",
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
