/** What limited a task that is over: what took most of its time. */
import { type Span, SPANS, type TaskCase, type TimeReport } from "../../../core/mod.ts";
import { formatElapsed } from "../units.ts";
import {
  type Diagnosis,
  LABELS,
  limitFlagsOf,
  limitOf,
  percentText,
  reasonsOf,
  totalOf,
} from "./account.ts";
import { bytesDiagnosis } from "./bytes.ts";

/** Nobody asks where less time than that went. */
const MIN_MENTIONED_MS = 500;

export function pastDiagnosis(theCase: TaskCase): Diagnosis {
  const { task: { task, state, error }, account } = theCase;
  const opening = state === "failed" ? `failed: ${error ?? "no reason known"}` : `is ${state}`;
  const story = state === "done" ? undefined : `p2p logs ${task} tells the whole story`;
  const all = account ? totalOf(account) : 0;
  if (account === null || all < MIN_MENTIONED_MS) {
    const quick = state === "done" ? `; nothing held it up in its ${formatElapsed(all)}` : "";
    return { cause: "nothing", sentence: opening + quick, advice: story };
  }
  const span = longestOf(account);
  const ms = account.spent[span]!;
  const { cause, sentence, advice } = pastOf(span, theCase);
  const part = `${formatElapsed(ms)} (${percentText(ms, all)})`;
  return {
    cause,
    sentence: `${opening}; of its ${formatElapsed(all)}, ${part} ${sentence}`,
    advice: story ?? advice,
  };
}

function longestOf({ spent }: TimeReport): Span {
  return SPANS.reduce((a, b) => (spent[b] ?? 0) > (spent[a] ?? 0) ? b : a);
}

/** The end of a sentence that begins with the time. */
function pastOf(span: Span, theCase: TaskCase): Diagnosis {
  const { account } = theCase;
  const wentBy = `went by with ${LABELS[span]}`;
  switch (span) {
    case "place":
      return {
        cause: span,
        sentence: "went by before its turn came",
        advice: "let more run at a time with --max",
      };
    case "limit":
      return {
        cause: span,
        sentence: `was your own limit, ${limitOf(theCase)}`,
        advice: `next time, more with ${limitFlagsOf(theCase)}, or none`,
      };
    case "bytes": {
      const { cause, sentence, advice } = bytesDiagnosis(account, 0, "waited for");
      return { cause, sentence: `it ${sentence}`, advice };
    }
    case "busy":
    case "pending":
    case "unreachable": {
      const reasons = reasonsOf(account, span === "unreachable" ? "failing" : span);
      return {
        cause: span,
        sentence: wentBy + (reasons && `: ${reasons}`),
        advice: "more seeds help: --seed, or p2p seeds add",
      };
    }
    case "finishing":
      return {
        cause: span,
        sentence: "the disk took to have the bytes safely",
        advice: "--sync never leaves that to the system",
      };
    default:
      return { cause: span, sentence: wentBy, advice: undefined };
  }
}
