/** What limits or limited a task: decided from where its time went, and said in a sentence. */
import { type Account, type SeedAccount, type Span, SPANS, type TaskCase } from "../../core/mod.ts";
import { formatBytes, formatElapsed, formatPart, formatRate, plural } from "./units.ts";

/** What the bottleneck is: where its time goes, or, of the time for bytes, what of this computer they wait for. */
export type Cause = Span | "stopped" | "processor" | "disk" | "nothing";

export interface Verdict {
  readonly cause: Cause;
  /** Without the task's name in front. */
  readonly sentence: string;
  /** The next step; undefined where there is nothing to do. */
  readonly advice: string | undefined;
}

export const LABELS: Record<Span, string> = {
  place: "in the queue",
  paused: "paused",
  room: "no room on the disk",
  asking: "asking seeds",
  pending: "seeds hashing",
  busy: "seeds busy",
  unreachable: "no seed reachable",
  checking: "checking this disk",
  limit: "your limit",
  bytes: "receiving",
  finishing: "syncing",
};

export function verdictOf(theCase: TaskCase): Verdict {
  const { state, pid } = theCase.task;
  if (state === "done" || state === "failed" || state === "cancelled") {
    return verdictOfEnd(theCase);
  }
  if (pid === null) return stopped(theCase);
  const span = state === "paused" ? "paused" : theCase.account?.now ?? SPAN_OF_STATE[state];
  return SENTENCES[span === "bytes" || span === "limit" ? heavier(theCase) : span](theCase);
}

/** Before its process told more than the state. */
const SPAN_OF_STATE = {
  waiting: "place",
  finding: "asking",
  verifying: "checking",
  downloading: "bytes",
} as const;

/** Both come and go many times a second: what took more of the time counts. */
function heavier({ account }: TaskCase): "bytes" | "limit" {
  const { limit = 0, bytes = 0 } = account?.spent ?? {};
  return limit > bytes ? "limit" : "bytes";
}

const SENTENCES: Record<Span, (theCase: TaskCase) => Verdict> = {
  place: ({ running, ahead, task, now, queuedAt, account, limits }) => ({
    cause: "place",
    sentence: `waits for a place, for ${
      formatElapsed(account?.spent.place ?? Math.max(0, now - queuedAt))
    } by now: ${plural(running, "download")} ${
      running === 1 ? "runs" : "run"
    }, and ${ahead} wait before it${limits ? ` (--max ${limits.max} when it began)` : ""}`,
    advice: `p2p max ${(limits?.max ?? running) + 1} lets one more run; p2p pause of another ` +
      `makes room for ${task.task}`,
  }),
  paused: ({ task, account }) => ({
    cause: "paused",
    sentence: `is paused${forTime(account, "paused")}, with ${partOf(task)} there`,
    advice: `p2p resume ${task.task}`,
  }),
  room: ({ task, account }) => ({
    cause: "room",
    sentence: `waits for room on the disk${forTime(account, "room")}: ${
      formatBytes((task.size ?? 0) - task.downloaded)
    } of it are missing`,
    advice: `free some space where ${task.path} is; it goes on by itself`,
  }),
  asking: ({ account }) => ({
    cause: "asking",
    sentence: `asks the seeds what they have${forTime(account, "asking")}`,
    advice: undefined,
  }),
  pending: ({ account }) => ({
    cause: "pending",
    sentence: `waits for a seed to hash the file${forTime(account, "pending")}: ${
      reasonsOf(account, "pending")
    }`,
    advice: "nothing: a seed hashes a file once, about a second a gigabyte",
  }),
  busy: ({ account }) => ({
    cause: "busy",
    sentence: `waits for a seed at its own limit${forTime(account, "busy")}: ${
      reasonsOf(account, "busy")
    }`,
    advice: "add a seed with --seed, or raise the seed's --max-connections, " +
      "--client-connections or --uploads",
  }),
  unreachable: ({ account }) => ({
    cause: "unreachable",
    sentence: `waits for a seed that can be reached${forTime(account, "unreachable")}: ${
      reasonsOf(account, "failing")
    }`,
    advice: "look at the seeds with p2p seeds; it tries them again by itself until --give-up",
  }),
  checking: ({ account }) => ({
    cause: "checking",
    sentence: `reads and hashes what is on this disk already${forTime(account, "checking")}`,
    advice: undefined,
  }),
  finishing: ({ account }) => ({
    cause: "finishing",
    sentence: `has all its bytes and waits for the disk to have them safely${
      forTime(account, "finishing")
    }`,
    advice: "--sync never leaves that to the system",
  }),
  limit: (theCase) => ({
    cause: "limit",
    sentence: `is held back by your own limit, ${limitOf(theCase)}, for ${
      shareOf(theCase.account, "limit")
    }`,
    advice: `give it more with ${limitFlagsOf(theCase)}, or none, and run the same p2p get again`,
  }),
  bytes: ({ account, task }) => bytesVerdict(account, task.rate, "waits for"),
};

/** Of the time for bytes: this computer's part, which it knows, or what is outside of it. */
function bytesVerdict(account: Account | null, rate: number, verb: string): Verdict {
  const { spent = {}, hashMs = 0, diskMs = 0 } = account ?? {};
  const { bytes = 0 } = spent;
  if (bytes > 0 && Math.max(hashMs, diskMs) > bytes / 2) {
    return hashMs > diskMs
      ? {
        cause: "processor",
        sentence: `${verb} this computer: hashing took ${formatElapsed(hashMs)} of the ${
          formatElapsed(bytes)
        } in which bytes came`,
        advice: "let fewer other programs run meanwhile",
      }
      : {
        cause: "disk",
        sentence: `${verb} this disk: writing took ${formatElapsed(diskMs)} of the ${
          formatElapsed(bytes)
        } in which bytes came`,
        advice: "download to a faster disk with --out",
      };
  }
  return outside(account, rate, verb);
}

/** A seed whose rate is below this part of the fastest one's is called slow. */
const SLOW_PART = 4;

function outside(account: Account | null, rate: number, verb: string): Verdict {
  const giving = (account?.seeds ?? []).filter(({ standing, bytes }) =>
    standing === "gives" && bytes > 0
  );
  const rates = giving.map((seed) => ({ seed: seed.seed, rate: rateOf(seed, account!) }));
  const fastest = Math.max(0, ...rates.map((each) => each.rate));
  const slow = rates.filter((each) => each.rate * SLOW_PART < fastest);
  const cannotTell = "p2p cannot tell which";
  if (giving.length <= 1) {
    const who = giving[0] ? `${giving[0].seed} gives all of it, ` : "";
    const pace = formatRate(rates[0]?.rate ?? rate);
    return {
      cause: "bytes",
      sentence: `${verb} the network or the seed, ${cannotTell}: ${who}${pace}`,
      advice: "add seeds that have it with --seed; p2p list shows which do",
    };
  }
  const slowText = slow.length === 0
    ? ""
    : `; slow: ${slow.map((each) => `${each.seed} ${formatRate(each.rate)}`).join(", ")}`;
  const total = rates.reduce((sum, each) => sum + each.rate, 0);
  return {
    cause: "bytes",
    sentence: `${verb} the network or the seeds, ${cannotTell}: ${giving.length} seeds give ${
      formatRate(total)
    } together${slowText}`,
    advice: slow.length > 0
      ? "nothing: slow seeds get fewer pieces, and the last ones are asked elsewhere too"
      : "more --seed-connections help where the way is long; more seeds where they are slow",
  };
}

/** Nobody asks where less time than that went. */
const WORTH_A_WORD_MS = 500;

/** What it was that took most of the time of one that is over. */
function verdictOfEnd({ task, account, limits, ...rest }: TaskCase): Verdict {
  const end = task.state === "failed" ? `failed: ${task.error ?? "no reason known"}` : task.state;
  const again = task.state === "done" ? undefined : `p2p logs ${task.task} tells the whole story`;
  const all = account ? totalOf(account) : 0;
  const opening = task.state === "failed" ? end : `is ${end}`;
  if (account === null || all < WORTH_A_WORD_MS) {
    const quick = task.state === "done" ? `; nothing held it up in its ${formatElapsed(all)}` : "";
    return { cause: "nothing", sentence: opening + quick, advice: again };
  }
  const longest = SPANS.reduce((a, b) => (account.spent[b] ?? 0) > (account.spent[a] ?? 0) ? b : a);
  const { cause, phrase, advice } = pastOf(longest, { task, account, limits, ...rest });
  return {
    cause,
    sentence: `${opening}; of its ${formatElapsed(all)}, ${
      formatElapsed(account.spent[longest]!)
    } (${percentText(account.spent[longest]!, all)}) ${phrase}`,
    advice: again ?? advice,
  };
}

function pastOf(
  span: Span,
  theCase: TaskCase,
): { cause: Cause; phrase: string; advice: string | undefined } {
  const { account } = theCase;
  switch (span) {
    case "place":
      return {
        cause: span,
        phrase: "went by before its turn came",
        advice: "let more run at a time with --max",
      };
    case "limit":
      return {
        cause: span,
        phrase: `was your own limit, ${limitOf(theCase)}`,
        advice: `next time, more with ${limitFlagsOf(theCase)}, or none`,
      };
    case "bytes": {
      const { cause, sentence, advice } = bytesVerdict(account, 0, "waited for");
      return { cause, phrase: `it ${sentence}`, advice };
    }
    case "busy":
    case "pending":
    case "unreachable": {
      const standing = span === "unreachable" ? "failing" : span;
      const reasons = reasonsOf(account, standing);
      return {
        cause: span,
        phrase: `went by with ${LABELS[span]}${reasons && `: ${reasons}`}`,
        advice: "more seeds help: --seed, or p2p seeds add",
      };
    }
    case "finishing":
      return {
        cause: span,
        phrase: "the disk took to have the bytes safely",
        advice: "--sync never leaves that to the system",
      };
    default:
      return { cause: span, phrase: `went by with ${LABELS[span]}`, advice: undefined };
  }
}

function stopped({ task }: TaskCase): Verdict {
  return {
    cause: "stopped",
    sentence: `is stopped, with ${partOf(task)} there: no process works on it`,
    advice: `run the same p2p get again; p2p resume ${task.task} first, if you paused it`,
  };
}

function forTime(account: Account | null, span: Span): string {
  const ms = account?.spent[span];
  return ms === undefined ? "" : `, for ${formatElapsed(ms)} by now`;
}

function shareOf(account: Account | null, span: Span): string {
  const { limit = 0, bytes = 0 } = account?.spent ?? {};
  return `${formatElapsed(account?.spent[span] ?? 0)} of the ${
    formatElapsed(limit + bytes)
  } in which bytes could come`;
}

function limitOf({ limits }: TaskCase): string {
  const { limit = null, taskLimit = null } = limits ?? {};
  const names = [
    ...limit === null ? [] : [`--limit ${formatRate(limit)} over all downloads`],
    ...taskLimit === null ? [] : [`--task-limit ${formatRate(taskLimit)} each`],
  ];
  return names.join(" and ") || "on bytes a second";
}

/** Those that were given; all where nobody knows. */
function limitFlagsOf({ limits }: TaskCase): string {
  const { limit = null, taskLimit = null } = limits ?? {};
  if (limit !== null && taskLimit === null) return "--limit";
  if (limit === null && taskLimit !== null) return "--task-limit";
  return "--limit or --task-limit";
}

function reasonsOf(account: Account | null, standing: SeedAccount["standing"]): string {
  const seeds = (account?.seeds ?? []).filter((seed) => seed.standing === standing);
  return seeds.map(({ seed, reason }) => withSeed(seed, reason)).join("; ");
}

function withSeed(seed: string, reason: string | null): string {
  if (reason === null) return seed;
  return reason.includes(seed) ? reason : `${seed}: ${reason}`;
}

function partOf({ downloaded, size }: TaskCase["task"]): string {
  return size === null ? formatBytes(downloaded) : formatPart(downloaded, size);
}

export function totalOf({ spent }: Account): number {
  return SPANS.reduce((sum, span) => sum + (spent[span] ?? 0), 0);
}

export function percentText(part: number, all: number): string {
  return `${Math.round(part * 100 / all)}%`;
}

/** Of late; of what is over, on average. */
export function rateOf({ bytes, rate }: SeedAccount, { now, spent }: Account): number {
  const ms = (spent.bytes ?? 0) + (spent.limit ?? 0);
  return now === null && ms > 0 ? bytes * 1000 / ms : rate;
}
