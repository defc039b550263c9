/** What is measured on lines: the cells, the programs in each, and the goals. */
import type { MadeFile } from "../data.ts";
import {
  aria2c,
  aria2cMany,
  type Command,
  curl,
  curlMany,
  p2pGetDefault,
} from "../command_lines.ts";
import type { ToolName } from "../tools.ts";

export const JOBS = ["large", "small", "one"] as const;
/** One large file, 300 small ones, or a single small one. */
export type Job = typeof JOBS[number];

export interface Cell {
  readonly job: Job;
  readonly rttMs: number;
  readonly lossPercent: number;
  readonly congestion: string;
}

/** What a program finds: files, the servers that have them, and where they go. */
export interface LineField {
  readonly program: string;
  readonly files: readonly MadeFile[];
  /** nginx, the folder of the files. */
  readonly url: string;
  readonly seed: string;
  /** The files, listed for programs that take a list. */
  readonly lists: { readonly aria2c: string; readonly curl: string };
  readonly out: string;
}

export interface Entrant {
  readonly name: string;
  readonly tool: ToolName | "p2p";
  readonly command: (field: LineField) => Command;
  /** Its time is subtracted: the program starts and does nothing. */
  readonly idle?: (field: LineField) => Command;
}

export type Goal = RelativeGoal | AbsoluteGoal;

export interface RelativeGoal {
  readonly kind: "relative";
  /** The fastest of these counts. */
  readonly rivals: readonly string[];
  /** p2p's time in that of the rival. */
  readonly most: number;
}

export interface AbsoluteGoal {
  readonly kind: "absolute";
  readonly mostMs: number;
}

export const P2P = "p2p get";
const MIB = 1024 * 1024;
const KIB = 1024;

const one = ({ files, url, out }: LineField) => ({
  file: files[0]!,
  urls: [`${url}/${files[0]!.name}`],
  out,
});

const LARGE: readonly Entrant[] = [
  { name: P2P, tool: "p2p", command: p2pGetDefault },
  { name: "curl", tool: "curl", command: (field) => curl(one(field)) },
  {
    name: "aria2c -x1",
    tool: "aria2c",
    command: (field) => aria2c(one(field), { verify: false }),
  },
  {
    name: "aria2c -x16",
    tool: "aria2c",
    command: (field) => aria2c(one(field), { verify: false, connections: 16 }),
  },
];

const SMALL: readonly Entrant[] = [
  { name: P2P, tool: "p2p", command: p2pGetDefault },
  {
    name: "curl -Z",
    tool: "curl",
    command: ({ lists, out }) => curlMany({ list: lists.curl, out, atOnce: undefined }),
  },
  {
    name: "aria2c -j3",
    tool: "aria2c",
    command: ({ lists, out }) => aria2cMany({ list: lists.aria2c, out, atOnce: 3 }),
  },
  {
    name: "aria2c -j16",
    tool: "aria2c",
    command: ({ lists, out }) => aria2cMany({ list: lists.aria2c, out, atOnce: 16 }),
  },
];

/** The time of a file, not that of the start of a program. */
const ONE: readonly Entrant[] = [
  {
    name: P2P,
    tool: "p2p",
    command: p2pGetDefault,
    idle: ({ program }) => [program, "--version"],
  },
  {
    name: "curl",
    tool: "curl",
    command: (field) => curl(one(field)),
    idle: () => ["curl", "--version"],
  },
  {
    name: "aria2c",
    tool: "aria2c",
    command: (field) => aria2c(one(field), { verify: false }),
    idle: () => ["aria2c", "--version"],
  },
];

export const ENTRANTS: Readonly<Record<Job, readonly Entrant[]>> = {
  large: LARGE,
  small: SMALL,
  one: ONE,
};

/** A program is chosen by its name or by its tool's; p2p takes part in any case. */
export function entrantsOf(job: Job, programs: readonly string[] | undefined): readonly Entrant[] {
  const isChosen = ({ name, tool }: Entrant) =>
    programs === undefined || tool === "p2p" || programs.includes(name) || programs.includes(tool);
  return ENTRANTS[job].filter(isChosen);
}

/** The files of a job; `largeMiB` is the size of the large one. */
export function filesOf(job: Job, largeMiB: number): { count: number; size: number } {
  switch (job) {
    case "large":
      return { count: 1, size: largeMiB * MIB };
    case "small":
      return { count: 300, size: 16 * KIB };
    case "one":
      return { count: 1, size: 16 * KIB };
  }
}

/** What p2p may need at most in `cell`. */
export function goalsOf({ job, rttMs, lossPercent, congestion }: Cell): Goal[] {
  const isLossy = lossPercent > 0;
  const relative = (most: number, ...rivals: string[]) =>
    ({ kind: "relative", rivals, most }) as const;
  switch (job) {
    case "large":
      if (!isLossy) return [relative(1.05, "curl", "aria2c -x1", "aria2c -x16")];
      // BBR does not slow down at these losses, so they do not limit a single flow.
      return congestion === "bbr"
        ? [relative(1.1, "aria2c -x16")]
        : [relative(1.1, "aria2c -x16"), relative(0.35, "aria2c -x1")];
    case "small":
      return rttMs === 100 && !isLossy ? [{ kind: "absolute", mostMs: 1500 }] : [];
    case "one":
      return isLossy ? [] : [relative(1.15, "curl")];
  }
}

export function describeCell({ job, rttMs, lossPercent, congestion }: Cell): string {
  return `${job}, ${rttMs} ms, ${lossPercent} %, ${congestion}`;
}
