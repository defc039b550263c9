/** The flags of `bench lines`. */
import { type Cell, ENTRANTS, type Job, JOBS } from "./cells.ts";

export interface LineOptions {
  readonly cells: readonly Cell[];
  /** Programs besides p2p; undefined for all. */
  readonly programs: readonly string[] | undefined;
  /** Of the line, in each direction. */
  readonly mbit: number;
  /** The size of the large file. */
  readonly largeMiB: number;
  /** A run that takes longer is ended and counts as this long. */
  readonly limitMs: number;
}

/** For `parseArgs`. */
export const LINE_FLAGS = {
  job: { type: "string" },
  rtt: { type: "string" },
  loss: { type: "string" },
  congestion: { type: "string" },
  programs: { type: "string" },
  mbit: { type: "string" },
  "large-mib": { type: "string" },
  limit: { type: "string" },
} as const;

export type LineFlags = { readonly [Flag in keyof typeof LINE_FLAGS]?: string | undefined };

const RTT_MS = "20,100,200";
const LOSS_PERCENT = "0,0.1,1";
/** The default of most systems, and the other one in wide use. */
const CONGESTION = "cubic,bbr";
/** A fast line at home, which two processors at both ends and in the middle keep full. */
const MBIT = "200";
/** Long enough that the start of TCP is not all of it, and that lossy cells end within the limit. */
const LARGE_MIB = 64;
const QUICK_LARGE_MIB = 16;
const LIMIT_SECONDS = 60;
const QUICK_LIMIT_SECONDS = 12;

/** @throws {Error} naming the flag that cannot be used. */
export function lineOptionsOf(flags: LineFlags, quick: boolean): LineOptions {
  const jobs = listOf(flags.job ?? JOBS.join()).map((word) => jobOf(word));
  const rtts = listOf(flags.rtt ?? RTT_MS).map((word) => numberOf("rtt", word, 1, 2000));
  const losses = listOf(flags.loss ?? LOSS_PERCENT).map((word) => numberOf("loss", word, 0, 50));
  const controls = listOf(flags.congestion ?? CONGESTION);
  const large = flags["large-mib"] ?? `${quick ? QUICK_LARGE_MIB : LARGE_MIB}`;
  const limit = flags.limit ?? `${quick ? QUICK_LIMIT_SECONDS : LIMIT_SECONDS}`;
  const cells: Cell[] = [];
  for (const job of jobs) {
    for (const congestion of controls) {
      for (const rttMs of rtts) {
        for (const lossPercent of losses) cells.push({ job, rttMs, lossPercent, congestion });
      }
    }
  }
  return {
    cells,
    programs: flags.programs === undefined ? undefined : programsOf(flags.programs),
    mbit: numberOf("mbit", flags.mbit ?? MBIT, 1, 1000),
    largeMiB: numberOf("large-mib", large, 1, 65_536),
    limitMs: numberOf("limit", limit, 1, 3600) * 1000,
  };
}

function listOf(text: string): string[] {
  return text.split(",").map((word) => word.trim()).filter((word) => word !== "");
}

function jobOf(word: string): Job {
  const job = JOBS.find((job) => job === word);
  if (job !== undefined) return job;
  throw new Error(`Cannot use --job "${word}": there are ${JOBS.join(", ")}`);
}

function numberOf(flag: string, word: string, least: number, most: number): number {
  const number = Number(word);
  if (/^\d+(?:\.\d+)?$/.test(word) && number >= least && number <= most) return number;
  throw new Error(`Cannot use --${flag} "${word}": it must be a number from ${least} to ${most}`);
}

function programsOf(text: string): string[] {
  const entrants = Object.values(ENTRANTS).flat();
  const known = new Set(entrants.flatMap(({ name, tool }) => [name, tool]));
  return listOf(text).map((word) => {
    if (known.has(word)) return word;
    throw new Error(`Cannot use --programs "${word}": there are ${[...known].join(", ")}`);
  });
}
