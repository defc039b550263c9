/** What limits a task, or limited it: decided by where its time goes, and said in a sentence. */
import { isOver, type Span, SPANS, type TaskCase, type TimeReport } from "../../../core/mod.ts";
import { formatBytes, formatElapsed, formatPart, formatRate, plural } from "../units.ts";
import {
  LABELS,
  limitFlagsOf,
  limitOf,
  percentText,
  rateOf,
  reasonsOf,
  totalOf,
  WHICH,
} from "./account.ts";
import { type LineFinding, lineFindingOf } from "./line.ts";

export interface Diagnosis {
  /** Where its time goes or, for the time of receiving, what limits it, if that is known. */
  readonly cause: Span | "stopped" | "processor" | "disk" | LineFinding["cause"] | "nothing";
  /** Follows the name of the task. */
  readonly sentence: string;
  readonly advice: string | undefined;
}

export function diagnosisOf(theCase: TaskCase): Diagnosis {
  const { account, task: { state, pid, rate } } = theCase;
  if (isOver(state)) return pastDiagnosis(theCase);
  if (pid === null) return stopped(theCase);
  const now = state === "paused" ? "paused" : account?.now ?? SPAN_OF_STATE[state];
  const cause = now === "bytes" || now === "limit" ? heavier(theCase) : now;
  if (cause === "bytes") return bytesDiagnosis(theCase, rate, "present");
  const [sentence, advice] = SENTENCES[cause](theCase);
  return { cause, sentence, advice };
}

/** For a process that has reported only the state so far. */
const SPAN_OF_STATE = {
  waiting: "place",
  finding: "asking",
  verifying: "checking",
  downloading: "bytes",
} as const;

/** Both alternate many times a second, so the one that took more time counts. */
function heavier({ account }: TaskCase): "bytes" | "limit" {
  const { limit = 0, bytes = 0 } = account?.spent ?? {};
  return limit > bytes ? "limit" : "bytes";
}

/** The sentence and the advice while a task is running. */
const SENTENCES: Record<
  Exclude<Span, "bytes">,
  (theCase: TaskCase) => readonly [sentence: string, advice?: string]
> = {
  place({ running, ahead, task, now, queuedAt, account, limits }) {
    const time = formatElapsed(account?.spent.place ?? Math.max(0, now - queuedAt));
    const downloads = `${plural(running, "download")} ${running === 1 ? "is" : "are"} running`;
    const others = `${ahead} ${ahead === 1 ? "is" : "are"} ahead of it`;
    const max = limits ? ` (--max ${limits.max} when it began)` : "";
    const next = (limits?.max ?? running) + 1;
    return [
      `has been queued for ${time}: ${downloads}, ${others}${max}`,
      `p2p max ${next} starts one more; p2p pause of another makes room for ${task.task}`,
    ];
  },
  paused: ({ task, account }) => [
    `is paused by you${timeOf(account, "paused")}, ${partOf(task)} downloaded`,
    `p2p resume ${task.task}`,
  ],
  room({ task, account }) {
    const missing = formatBytes((task.size ?? 0) - task.downloaded);
    return [
      `is waiting for disk space${timeOf(account, "room")}: ${missing} more needed`,
      `free some space where ${task.path} is; it resumes by itself`,
    ];
  },
  asking: ({ account }) => [`is asking the seeds what they have${timeOf(account, "asking")}`],
  pending: ({ account }) => [
    `is waiting for a seed to hash the file${timeOf(account, "pending")}: ` +
    reasonsOf(account, "pending"),
    "wait: a seed hashes a file once, about a second per gigabyte",
  ],
  busy: ({ account }) => [
    `is waiting for a busy seed${timeOf(account, "busy")}: ${reasonsOf(account, "busy")}`,
    "add a seed with --seed, or raise the seed's --max-connections, " +
    "--client-connections or --uploads",
  ],
  unreachable: ({ account }) => [
    `is waiting for a reachable seed${timeOf(account, "unreachable")}: ` +
    reasonsOf(account, "failing"),
    "see how the seeds are doing with p2p seeds; it retries by itself until --give-up",
  ],
  checking: ({ account }) => [
    `is verifying what is on this disk already${timeOf(account, "checking")}`,
  ],
  finishing: ({ account }) => [
    `has all its bytes and is syncing them to the disk${timeOf(account, "finishing")}`,
    "--sync never leaves that to the system",
  ],
  limit: (theCase) => [
    `is limited by ${limitOf(theCase)} for ${limitedTime(theCase.account)}`,
    `raise or drop ${limitFlagsOf(theCase)} and run the same p2p get again`,
  ],
};

function stopped({ task }: TaskCase): Diagnosis {
  const part = `${partOf(task)} downloaded: no process is running it`;
  return task.pausedBy === "user"
    ? {
      cause: "paused",
      sentence: `is paused by you, ${part}`,
      advice: `p2p resume ${task.task}, then run the same p2p get again`,
    }
    : { cause: "stopped", sentence: `is stopped, ${part}`, advice: "run the same p2p get again" };
}

function timeOf(account: TimeReport | null, span: Span): string {
  const ms = account?.spent[span];
  return ms === undefined ? "" : ` (${formatElapsed(ms)} so far)`;
}

function limitedTime(account: TimeReport | null): string {
  const { limit = 0, bytes = 0 } = account?.spent ?? {};
  const all = `${formatElapsed(limit + bytes)} of transfer`;
  return bytes === 0 ? `all of its ${all}` : `${formatElapsed(limit)} of its ${all}`;
}

function partOf({ downloaded, size }: TaskCase["task"]): string {
  return size === null ? formatBytes(downloaded) : formatPart(downloaded, size);
}

/** A finished task that spent less time than this was held up by nothing. */
const MIN_MENTIONED_MS = 500;

/** What took most of the time of a finished task. */
function pastDiagnosis(theCase: TaskCase): Diagnosis {
  const { task: { task, state, error }, account } = theCase;
  const opening = state === "failed" ? `failed: ${error ?? "no reason known"}` : `is ${state}`;
  const log = state === "done" ? undefined : `see the whole log with p2p logs ${task}`;
  const all = account ? totalOf(account) : 0;
  if (account === null || all < MIN_MENTIONED_MS) {
    const quick = state === "done" ? `; nothing held it up in its ${formatElapsed(all)}` : "";
    return { cause: "nothing", sentence: opening + quick, advice: log };
  }
  const { spent } = account;
  const span = SPANS.reduce((a, b) => (spent[b] ?? 0) > (spent[a] ?? 0) ? b : a);
  const ms = spent[span]!;
  const { cause, sentence, advice } = pastOf(span, theCase);
  const part = `${formatElapsed(ms)} (${percentText(ms, all)})`;
  return {
    cause,
    sentence: `${opening}; of its ${formatElapsed(all)}, ${part} ${sentence}`,
    advice: log ?? advice,
  };
}

function pastOf(span: Span, theCase: TaskCase): Diagnosis {
  const { account } = theCase;
  const sentence = `were spent ${LABELS[span]}`;
  switch (span) {
    case "place":
      return { cause: span, sentence, advice: "run more at once with --max" };
    case "limit":
      return {
        cause: span,
        sentence: `were limited by ${limitOf(theCase)}`,
        advice: `raise or drop ${limitFlagsOf(theCase)} next time`,
      };
    case "bytes":
      return bytesDiagnosis(theCase, 0, "past");
    case "busy":
    case "pending":
    case "unreachable": {
      const reasons = reasonsOf(account, span === "unreachable" ? "failing" : span);
      return {
        cause: span,
        sentence: sentence + (reasons && `: ${reasons}`),
        advice: "add seeds with --seed or p2p seeds add",
      };
    }
    case "finishing":
      return { cause: span, sentence, advice: "--sync never leaves that to the system" };
    default:
      return { cause: span, sentence, advice: undefined };
  }
}

type Tense = "present" | "past";
const VERB: Record<Tense, string> = { present: "is limited by", past: "were limited by" };

/** What limits receiving: a part of this computer or the path to a seed, if known, or something outside. @param rate bytes a second, if no seed's is known. */
function bytesDiagnosis(theCase: TaskCase, rate: number, tense: Tense): Diagnosis {
  const { account } = theCase;
  const { spent = {}, hashMs = 0, diskMs = 0 } = account ?? {};
  const { bytes = 0 } = spent;
  if (bytes === 0 || Math.max(hashMs, diskMs) <= bytes / 2) {
    const finding = lineFindingOf(theCase);
    if (finding === undefined) return outside(account, rate, tense);
    const { cause, what, advice } = finding;
    return { cause, sentence: `${VERB[tense]} ${what}`, advice };
  }
  const within = `of the ${formatElapsed(bytes)} of receiving`;
  return hashMs > diskMs
    ? {
      cause: "processor",
      sentence: `${VERB[tense]} this computer: hashing took ${formatElapsed(hashMs)} ${within}`,
      advice: "close other programs",
    }
    : {
      cause: "disk",
      sentence: `${VERB[tense]} this disk: writing took ${formatElapsed(diskMs)} ${within}`,
      advice: "download to a faster disk with --out",
    };
}

/** A seed slower than this part of the fastest one is called slow. */
const SLOW_FACTOR = 4;

function outside(account: TimeReport | null, rate: number, tense: Tense): Diagnosis {
  const active = (account?.seeds ?? [])
    .filter(({ standing, bytes }) => standing === "gives" && bytes > 0)
    .map((seed) => ({ seed: seed.seed, rate: rateOf(seed, account!) }));
  if (active.length <= 1) {
    const [one] = active;
    const sends = tense === "present" ? "sends" : "sent";
    const who = one ? `${one.seed} ${sends} everything, ` : "";
    return {
      cause: "bytes",
      sentence: `${VERB[tense]} the network or the seed ${WHICH}: ${who}` +
        formatRate(one?.rate ?? rate),
      advice: "add seeds that have it with --seed; p2p list shows which do",
    };
  }
  const fastest = Math.max(...active.map(({ rate }) => rate));
  const slow = active.filter(({ rate }) => rate * SLOW_FACTOR < fastest);
  const slowText = slow.map(({ seed, rate }) => `${seed} ${formatRate(rate)}`).join(", ");
  const total = active.reduce((sum, { rate }) => sum + rate, 0);
  const send = tense === "present" ? "send" : "sent";
  return {
    cause: "bytes",
    sentence: `${VERB[tense]} the network or the seeds ${WHICH}: ${active.length} seeds ${send} ` +
      `${formatRate(total)} together${slowText && `; slow: ${slowText}`}`,
    advice: slow.length > 0
      ? "add faster seeds with --seed; slow ones already get fewer pieces"
      : "add more seeds that have it with --seed; p2p list shows which do",
  };
}
