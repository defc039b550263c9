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
import { formatBytes, formatElapsed, formatMoment, formatRate, plural } from "./units.ts";

/** One sentence without the file's name; safe for a terminal. */
export function eventText(event: TaskEvent): string {
  // A log may be of another version, which knew other events.
  return printable(sentenceOf(event) ?? event.kind);
}

function sentenceOf(event: TaskEvent): string {
  switch (event.kind) {
    case "queued":
      return `queued ${event.name}, to be ${event.target}`;
    case "state":
      return event.state === "waiting" ? WAITS_FOR[event.waitsFor ?? "place"] : STATES[event.state];
    case "found":
      return foundSentence(event);
    case "target":
      return `a different file has its name; saving as ${event.path}`;
    case "resumed":
      return resumedSentence(event);
    case "pieces":
      return `the file has ${plural(event.count, "piece")}`;
    case "flight":
      return `${plural(event.pieces, "piece")} asked of ${event.seed}`;
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
  verifying: "verifying what is there",
  paused: "paused; run p2p resume to continue",
  done: "done",
  failed: "failed",
  cancelled: "cancelled",
};

const WAITS_FOR: Record<WaitsFor, string> = {
  place: "queued: the maximum number of downloads is running",
  seeds: "waits for a seed; meanwhile another download may have its place",
  room: "waits for room on the disk; meanwhile another download may have its place",
};

function foundSentence({ asked, id, seeds, size }: TaskEvent & { kind: "found" }): string {
  const known = id === null ? "no digest" : `id ${id.slice(0, 8)}`;
  const agree = asked === undefined || asked === 1
    ? ""
    : `${seeds.length} of ${plural(asked, "seed")} ${seeds.length === 1 ? "has" : "have"} it, `;
  return `found ${formatBytes(size)} (${agree}${known}) at ${seeds.join(", ")}`;
}

function resumedSentence(event: TaskEvent & { kind: "resumed" }): string {
  const again = event.rehashed > 0 ? `, ${event.rehashed} hashed again` : "";
  return `resumed with ${formatBytes(event.bytes)} of an earlier run (${
    plural(event.pieces, "piece")
  }${again})`;
}

const SEED_NEWS = {
  joined: "takes part",
  dissents: "dissents",
  lacks: "lacks it",
  busy: "is busy",
  failing: "fails",
  corrupt: "sent corrupt bytes",
  back: "answers again",
  dropped: "is not asked again",
} as const satisfies Record<(TaskEvent & { kind: "seed" })["what"], string>;

function seedSentence(event: TaskEvent & { kind: "seed" }): string {
  const reason = event.reason === "" ? "" : `: ${event.reason}`;
  const retry = event.retryInMs === undefined
    ? ""
    : `; next try in ${formatElapsed(event.retryInMs)}`;
  return `seed ${event.seed} ${SEED_NEWS[event.what]}${reason}${retry}`;
}

function failedSentence(failure: TaskFailure): string {
  const { code, message } = failure;
  if (code === "interrupted") return "stopped; run the same command again to resume";
  const hint = hintOf(failure);
  return `failed (${code}): ${message}${hint === undefined ? "" : ` (hint: ${hint})`}`;
}

function doneSentence(result: TaskResult): string {
  const proof = result.verified ? "verified" : "unverified";
  if (result.how === "skipped") {
    return `skipped: ${result.path} exists with different content`;
  }
  if (result.how === "already-there") {
    return `already there: ${result.path}, ${formatBytes(result.size)}, ${proof}`;
  }
  return `done: ${result.path}, ${formatBytes(result.size)} in ${formatElapsed(result.elapsedMs)}${
    speedText(result)
  }, ${proof}${sharesOf(result)}`;
}

/** The average over this run, where it ran long enough to tell; and what of it came in this run, when that is not all. */
export function speedText({ bytesBySeed, elapsedMs, size }: TaskResult): string {
  const bytes = sum(Object.values(bytesBySeed));
  const part = bytes < size ? `${formatBytes(bytes)} fetched` : "";
  const rate = bytes > MIN_BYTES_FOR_RATE && elapsedMs > 0
    ? formatRate(bytes * 1000 / elapsedMs)
    : "";
  const parts = [part, rate].filter((text) => text !== "");
  return parts.length > 0 ? ` (${parts.join(", ")})` : "";
}

/** Fewer bytes say nothing about a line. */
const MIN_BYTES_FOR_RATE = 64 * 1024;

/** Who gave how much, where several did. */
function sharesOf({ bytesBySeed }: TaskResult): string {
  const shares = Object.entries(bytesBySeed).filter(([, bytes]) => bytes > 0);
  if (shares.length < 2) return "";
  const all = sum(shares.map(([, bytes]) => bytes));
  return "; " +
    shares.map(([seed, bytes]) => `${seed} ${Math.round(bytes * 100 / all)}%`).join(", ");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

export function renderLogLine(line: LogLine): string {
  const time = Date.parse(line.time);
  const event = { ...line.event, task: line.task, time } as TaskEvent;
  const moment = Number.isNaN(time) ? "-" : formatMoment(time);
  return `${moment} ${line.level.padEnd(5)} ${eventText(event)}`;
}

export function reaches(level: Level, least: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}

/** On a screen only what changes something is news; a task's log, which core keeps, says more. */
export function levelOf(event: TaskEvent): Level {
  switch (event.kind) {
    case "failed":
      return "error";
    case "note":
      return event.level;
    case "seed":
      return isTrouble(event.what) ? "warn" : event.what === "back" ? "info" : "debug";
    case "state":
      // Somebody said so, maybe in another terminal.
      return event.state === "paused" || event.state === "cancelled" ? "info" : "debug";
    case "found":
    case "target":
    case "resumed":
    case "done":
      return "info";
    case "queued":
    case "pieces":
    case "flight":
    case "received":
    case "stored":
      return "debug";
  }
}
