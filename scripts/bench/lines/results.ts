/** The results on lines as tables. */
import { ratioOf, type Spread, spreadOf } from "../statistics.ts";
import { spread, type Table } from "../table.ts";
import { type Cell, describeCell, type Goal, goalsOf, type Job, P2P } from "./cells.ts";
import type { Traffic } from "./line.ts";

/** One run of one program. */
export interface LineSample {
  readonly wallMs: number;
  /** It was ended at the limit, so it would have taken longer. */
  readonly unfinished: boolean;
  readonly userMs: number;
  readonly sysMs: number;
  readonly residentKiB: number;
  readonly traffic: Traffic;
}

export interface CellResult {
  readonly cell: Cell;
  /** In the order of the cell's programs. */
  readonly results: readonly { readonly name: string; readonly samples: readonly LineSample[] }[];
}

/** Where the true figure lies, compared with the measured one. */
type Bound = "exact" | "atMost" | "atLeast" | "unknown";

interface Ratio extends Spread {
  readonly bound: Bound;
}

/**
 * p2p's time in that of a rival, round by round. A run that did not finish makes the figure a bound:
 * of p2p's, the ratio is at least this; of the rival's, at most.
 */
function ratioTo(p2p: readonly LineSample[], rival: readonly LineSample[]): Ratio {
  const wallsOf = (samples: readonly LineSample[]) => samples.map(({ wallMs }) => wallMs);
  const isBound = (samples: readonly LineSample[]) => samples.some(({ unfinished }) => unfinished);
  const bound = isBound(p2p)
    ? isBound(rival) ? "unknown" : "atLeast"
    : isBound(rival)
    ? "atMost"
    : "exact";
  return { ...ratioOf(wallsOf(p2p), wallsOf(rival)), bound };
}

/** The rows are cells of the same job, the columns its programs. */
export function tableOfJob(job: Job, cells: readonly CellResult[], title: string): Table {
  const ofJob = cells.filter(({ cell }) => cell.job === job);
  const names = [...new Set(ofJob.flatMap(({ results }) => results.map(({ name }) => name)))];
  const rivals = names.filter((name) => name !== P2P);
  return {
    title,
    head: [
      "line",
      ...names.map((name) => `${name} s`),
      ...rivals.map((name) => `p2p to ${name}`),
      "p2p connections",
      "p2p MiB",
      "goals",
    ],
    rows: ofJob.map((result) => {
      const samplesOf = (name: string) =>
        result.results.find((one) => one.name === name)?.samples ?? [];
      const p2p = samplesOf(P2P);
      return [
        describeLine(result.cell),
        ...names.map((name) => timeText(samplesOf(name))),
        ...rivals.map((name) => {
          const samples = samplesOf(name);
          return samples.length === 0 ? "" : ratioText(ratioTo(p2p, samples));
        }),
        spread(spreadOf(p2p.map(({ traffic }) => traffic.connections)), 0),
        String(Math.round(Math.max(...p2p.map(({ residentKiB }) => residentKiB)) / 1024)),
        verdictOn(result),
      ];
    }),
  };
}

function describeLine({ rttMs, lossPercent, congestion }: Cell): string {
  return `${rttMs} ms, ${lossPercent} %, ${congestion}`;
}

/** One line for the terminal as soon as a cell has been measured. */
export function summaryOf(result: CellResult): string {
  const times = result.results.map(({ name, samples }) => `${name} ${timeText(samples)}`);
  const verdict = verdictOn(result);
  return `${describeCell(result.cell)}: ${times.join("; ")}${verdict && `; goals ${verdict}`}`;
}

/** "holds", "MISSED: ...", "unknown" where runs were ended too early to tell, "" without a goal or a rival. */
export function verdictOn(result: CellResult): string {
  const judged = goalsOf(result.cell).flatMap((goal) => judge(goal, result) ?? []);
  const missed = judged.filter(({ verdict }) => verdict === "missed");
  if (missed.length > 0) return `MISSED: ${missed.map(({ text }) => text).join("; ")}`;
  if (judged.some(({ verdict }) => verdict === "unknown")) return "unknown";
  return judged.length > 0 ? "holds" : "";
}

interface Judged {
  readonly verdict: "holds" | "missed" | "unknown";
  readonly text: string;
}

/** undefined where no rival ran. */
function judge(goal: Goal, { results }: CellResult): Judged | undefined {
  const samplesOf = (name: string) => results.find((one) => one.name === name)?.samples;
  const p2p = samplesOf(P2P)!;
  if (goal.kind === "absolute") {
    const { median } = spreadOf(p2p.map(({ wallMs }) => wallMs));
    const bound = p2p.some(({ unfinished }) => unfinished) ? "atLeast" : "exact";
    const text = `${timeText(p2p)} s, at most ${goal.mostMs / 1000} s`;
    return { verdict: compare(median, goal.mostMs, bound), text };
  }
  const ratios = goal.rivals.flatMap((name) => {
    const samples = samplesOf(name);
    return samples === undefined ? [] : [{ name, ratio: ratioTo(p2p, samples) }];
  });
  // p2p's ratio is largest to the fastest of them.
  const [fastest] = ratios.toSorted((a, b) => b.ratio.median - a.ratio.median);
  if (fastest === undefined) return undefined;
  const { name, ratio } = fastest;
  const text = `${ratioText(ratio)} of ${name}, at most ${goal.most}`;
  return { verdict: compare(ratio.median, goal.most, ratio.bound), text };
}

function compare(value: number, most: number, bound: Bound): Judged["verdict"] {
  if (value <= most) return bound === "exact" || bound === "atMost" ? "holds" : "unknown";
  return bound === "exact" || bound === "atLeast" ? "missed" : "unknown";
}

const SIGNS = { exact: "", atMost: "<", atLeast: ">", unknown: "~" } as const;

function ratioText(ratio: Ratio): string {
  return SIGNS[ratio.bound] + spread(ratio, 2);
}

function timeText(samples: readonly LineSample[]): string {
  if (samples.length === 0) return "";
  const sign = samples.some(({ unfinished }) => unfinished) ? ">" : "";
  return sign + spread(spreadOf(samples.map(({ wallMs }) => wallMs / 1000)), 2);
}
