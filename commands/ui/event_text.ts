/** Events of a download as sentences, for the plain view and for `p2p logs`. */
import {
  isTrouble,
  type Level,
  LEVELS,
  type LogLine,
  printable,
  type TaskEvent,
  type TaskFailure,
  type TaskResult,
  type TaskState,
  type WaitsFor,
} from "../../core/mod.ts";
import { hintOf } from "./hints.ts";
import { withoutSeed } from "./list.ts";
import { formatBytes, formatElapsed, formatMoment, formatRate, plural } from "./units.ts";

export function reaches(level: Level, least: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}

/** On a screen only changes are news; the task's log, which core keeps, says more. */
export function levelOf(event: TaskEvent): Level {
  switch (event.kind) {
    case "failed":
      return "error";
    case "note":
      return event.level;
    case "seed":
      return isTrouble(event.what) ? "warn" : event.what === "back" ? "info" : "debug";
    case "state":
      // The user asked for it, maybe in another terminal.
      return event.state === "paused" || event.state === "cancelled" ? "info" : "debug";
    case "found":
    case "target":
    case "resumed":
    case "done":
      return "info";
    default:
      return "debug";
  }
}

/** A stored line of a task's log as a line for people. */
export function renderLogLine(line: LogLine): string {
  const time = Date.parse(line.time);
  const event = { ...line.event, task: line.task, time } as TaskEvent;
  const moment = Number.isNaN(time) ? "-" : formatMoment(time);
  return `${moment} ${line.level.padEnd(5)} ${eventText(event)}`;
}

/** One sentence without the file's name; safe for a terminal. */
export function eventText(event: TaskEvent): string {
  // Another version may have written the log, with events that this one does not know.
  return printable(sentenceOf(event) ?? event.kind);
}

function sentenceOf(event: TaskEvent): string {
  switch (event.kind) {
    case "queued":
      return `queued ${event.name}, to be saved as ${event.target}`;
    case "state":
      return event.state === "waiting" ? WAITS_FOR[event.waitsFor ?? "place"] : STATES[event.state];
    case "found":
      return foundSentence(event);
    case "target":
      return `a different file has its name; saving as ${event.path}`;
    case "resumed": {
      const again = event.rehashed > 0 ? `, ${event.rehashed} hashed again` : "";
      const pieces = plural(event.pieces, "piece");
      const { bytes, reused = 0 } = event;
      if (event.leftOut) return `begins after the first ${formatBytes(bytes)} (${pieces})`;
      const parts = [
        ...bytes > reused || reused === 0
          ? [`${formatBytes(bytes - reused)} of an earlier run`]
          : [],
        ...reused > 0 ? [`${formatBytes(reused)} of the file that is there`] : [],
      ];
      return `resumed with ${parts.join(" and ")} (${pieces}${again})`;
    }
    case "pieces":
      return `the file has ${plural(event.count, "piece")}`;
    case "given":
      return `sent ${formatBytes(event.bytes)} to other receivers`;
    case "flight":
      return `${plural(event.pieces, "piece")} requested from ${event.seed}`;
    case "line":
      return lineSentence(event);
    case "received":
      return `received ${formatBytes(event.bytes)} from ${event.seed}`;
    case "stored":
      return `stored piece ${event.piece}, ${formatBytes(event.bytes)} from ${event.seed}`;
    case "seed":
      return seedSentence(event);
    case "note":
      return event.text;
    case "done":
      return doneSentence(event.result);
    case "failed":
      return failedSentence(event.failure);
  }
}

const STATES: Record<Exclude<TaskState, "waiting">, string> = {
  finding: "asking the seeds",
  downloading: "downloading",
  verifying: "verifying the existing file",
  paused: "paused; run p2p resume to continue",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
};

const WAITS_FOR: Record<WaitsFor, string> = {
  place: "queued: the maximum number of downloads is running",
  seeds: "waiting for a seed; another download may run meanwhile",
  room: "waiting for disk space; another download may run meanwhile",
};

function foundSentence({ asked, id, seeds, size }: TaskEvent & { kind: "found" }): string {
  const known = id === null ? "no digest" : `id ${id.slice(0, 8)}`;
  const agree = asked === undefined || asked === 1
    ? ""
    : `${seeds.length} of ${plural(asked, "seed")} ${seeds.length === 1 ? "has" : "have"} it, `;
  return `found ${formatBytes(size)} (${agree}${known}) at ${seeds.join(", ")}`;
}

function lineSentence(
  { seed, roundTripMs, connections, windowBytes, goodput, memoryBound }: TaskEvent & {
    kind: "line";
  },
): string {
  const trip = roundTripMs === null ? "" : `, round trip ${formatElapsed(roundTripMs)}`;
  const memory = memoryBound ? ", limited by --memory" : "";
  return `${seed} sends ${formatRate(goodput)} over ${plural(connections, "connection")}` +
    `${trip}; up to ${formatBytes(windowBytes)} requested${memory}`;
}

function seedSentence({ seed, what, reason, retryInMs }: TaskEvent & { kind: "seed" }): string {
  const short = withoutSeed(seed, reason);
  const why = short ? `: ${short}` : "";
  const retry = retryInMs === undefined ? "" : `; next try in ${formatElapsed(retryInMs)}`;
  const sentences: Record<typeof what, string> = {
    joined: `seed ${seed} joined${why}`,
    dissents: `ignoring seed ${seed}${why}`,
    lacks: `seed ${seed} does not have the file`,
    busy: `seed ${seed} is busy${why}${retry}`,
    failing: `seed ${seed}${why || " failed"}${retry}`,
    corrupt: `seed ${seed} sent corrupt data${why}${retry}`,
    back: `seed ${seed} answers again${why}`,
    dropped: `gave up on seed ${seed}${why}`,
  };
  return sentences[what];
}

function failedSentence(failure: TaskFailure): string {
  const { code, message } = failure;
  if (code === "interrupted") return "stopped; run the same command again to resume";
  const hint = hintOf(failure);
  return `failed (${code}): ${message}${hint === undefined ? "" : ` (hint: ${hint})`}`;
}

function doneSentence(result: TaskResult): string {
  const { path, how, elapsedMs } = result;
  const size = formatBytes(result.size);
  const proof = result.verified ? "verified" : "unverified";
  if (how === "skipped") return `skipped: ${path} exists with different content`;
  if (how === "already-there") return `already there: ${path}, ${size}, ${proof}`;
  const time = `${formatElapsed(elapsedMs)}${speedText(result)}`;
  return `done: ${path}, ${size} in ${time}, ${proof}${sharesOf(result)}`;
}

/** Too few bytes for a meaningful rate. */
const MIN_RATE_BYTES = 64 * 1024;

/** The average rate of this run, if meaningful, and the bytes of this run if they are not all. */
export function speedText({ bytesBySeed, elapsedMs, size }: TaskResult): string {
  const bytes = sum(Object.values(bytesBySeed));
  const parts = [
    ...bytes < size ? [`${formatBytes(bytes)} downloaded`] : [],
    ...bytes > MIN_RATE_BYTES && elapsedMs > 0 ? [formatRate(bytes * 1000 / elapsedMs)] : [],
  ];
  return parts.length > 0 ? ` (${parts.join(", ")})` : "";
}

/** The share of each seed, if several sent bytes. */
function sharesOf({ bytesBySeed }: TaskResult): string {
  const shares = Object.entries(bytesBySeed).filter(([, bytes]) => bytes > 0);
  if (shares.length < 2) return "";
  const all = sum(shares.map(([, bytes]) => bytes));
  const texts = shares.map(([seed, bytes]) => `${seed} ${Math.round(bytes * 100 / all)}%`);
  return `; ${texts.join(", ")}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
