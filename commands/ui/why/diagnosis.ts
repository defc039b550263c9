/** What limits or limited a task: decided from where its time went, and said in a sentence. */
import { isOver, type Span, type TaskCase, type TimeReport } from "../../../core/mod.ts";
import { type Diagnosis, limitFlagsOf, limitOf, reasonsOf } from "./account.ts";
import { bytesDiagnosis } from "./bytes.ts";
import { pastDiagnosis } from "./past.ts";
import { formatBytes, formatElapsed, formatPart, plural } from "../units.ts";

export function diagnosisOf(theCase: TaskCase): Diagnosis {
  const { state, pid } = theCase.task;
  if (isOver(state)) return pastDiagnosis(theCase);
  if (pid === null) return stopped(theCase);
  const now = state === "paused" ? "paused" : theCase.account?.now ?? SPAN_OF_STATE[state];
  const cause = now === "bytes" || now === "limit" ? heavier(theCase) : now;
  if (cause === "bytes") return bytesDiagnosis(theCase.account, theCase.task.rate, "waits for");
  return { cause, ...SENTENCES[cause](theCase) };
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

const SENTENCES: Record<
  Exclude<Span, "bytes">,
  (theCase: TaskCase) => Omit<Diagnosis, "cause">
> = {
  place: ({ running, ahead, task, now, queuedAt, account, limits }) => ({
    sentence: `waits for a place, for ${
      formatElapsed(account?.spent.place ?? Math.max(0, now - queuedAt))
    } by now: ${plural(running, "download")} ${
      running === 1 ? "runs" : "run"
    }, and ${ahead} wait before it${limits ? ` (--max ${limits.max} when it began)` : ""}`,
    advice: `p2p max ${(limits?.max ?? running) + 1} lets one more run; p2p pause of another ` +
      `makes room for ${task.task}`,
  }),
  paused: ({ task, account }) => ({
    sentence: `is paused by you${forTime(account, "paused")}, with ${partOf(task)} there`,
    advice: `p2p resume ${task.task}`,
  }),
  room: ({ task, account }) => ({
    sentence: `waits for room on the disk${forTime(account, "room")}: ${
      formatBytes((task.size ?? 0) - task.downloaded)
    } of it are missing`,
    advice: `free some space where ${task.path} is; it goes on by itself`,
  }),
  asking: ({ account }) => ({
    sentence: `asks the seeds what they have${forTime(account, "asking")}`,
    advice: undefined,
  }),
  pending: ({ account }) => ({
    sentence: `waits for a seed to hash the file${forTime(account, "pending")}: ${
      reasonsOf(account, "pending")
    }`,
    advice: "nothing: a seed hashes a file once, about a second a gigabyte",
  }),
  busy: ({ account }) => ({
    sentence: `waits for a seed at its own limit${forTime(account, "busy")}: ${
      reasonsOf(account, "busy")
    }`,
    advice: "add a seed with --seed, or raise the seed's --max-connections, " +
      "--client-connections or --uploads",
  }),
  unreachable: ({ account }) => ({
    sentence: `waits for a seed that can be reached${forTime(account, "unreachable")}: ${
      reasonsOf(account, "failing")
    }`,
    advice: "look at the seeds with p2p seeds; it tries them again by itself until --give-up",
  }),
  checking: ({ account }) => ({
    sentence: `reads and hashes what is on this disk already${forTime(account, "checking")}`,
    advice: undefined,
  }),
  finishing: ({ account }) => ({
    sentence: `has all its bytes and waits for the disk to have them safely${
      forTime(account, "finishing")
    }`,
    advice: "--sync never leaves that to the system",
  }),
  limit: (theCase) => ({
    sentence: `is held back by your own limit, ${limitOf(theCase)}, for ${
      limitedTime(theCase.account)
    }`,
    advice: `give it more with ${limitFlagsOf(theCase)}, or none, and run the same p2p get again`,
  }),
};

function stopped({ task }: TaskCase): Diagnosis {
  if (task.pausedBy === "user") {
    return {
      cause: "paused",
      sentence: `is paused by you, with ${partOf(task)} there: no process is running it`,
      advice: `p2p resume ${task.task}, then run the same p2p get again`,
    };
  }
  return {
    cause: "stopped",
    sentence: `is stopped, with ${partOf(task)} there: no process is running it`,
    advice: "run the same p2p get again",
  };
}

function forTime(account: TimeReport | null, span: Span): string {
  const ms = account?.spent[span];
  return ms === undefined ? "" : `, for ${formatElapsed(ms)} by now`;
}

function limitedTime(account: TimeReport | null): string {
  const { limit = 0, bytes = 0 } = account?.spent ?? {};
  return `${formatElapsed(limit)} of the ${formatElapsed(limit + bytes)} in which bytes could come`;
}

function partOf({ downloaded, size }: TaskCase["task"]): string {
  return size === null ? formatBytes(downloaded) : formatPart(downloaded, size);
}
