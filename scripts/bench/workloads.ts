/** The four jobs that programs are compared on, and who takes part in each. */
import type { MadeFile } from "./data.ts";
import {
  aria2c,
  aria2cMany,
  axel,
  type Command,
  curl,
  curlMany,
  type Get,
  p2pGet,
  sha256sum,
} from "./command_lines.ts";
import type { ToolName } from "./tools.ts";

/** What a case finds on the field: files, who offers them, and where they go. */
export interface Field {
  readonly program: string;
  readonly files: readonly MadeFile[];
  /** Of the folder that the files lie in, one a mirror. */
  readonly urls: readonly string[];
  readonly seeds: readonly string[];
  /** The same files, listed for programs that take a list. */
  readonly lists: { readonly aria2c: string; readonly aria2cVerify: string; readonly curl: string };
  readonly out: string;
}

export interface Case {
  readonly name: string;
  /** Not p2p but this program, from nginx. */
  readonly tool?: ToolName;
  /** How many of the seeds it takes from, one unless said. */
  readonly seeds?: number;
  /** From a seed that was just started and has hashed nothing. */
  readonly cold?: boolean;
  /** Also in the quick bench. */
  readonly quick?: boolean;
  /** What to run, one after the other. */
  readonly commands: (field: Field) => Command[];
}

export interface Workload {
  readonly id: string;
  readonly title: string;
  readonly files: { readonly count: number; readonly size: number };
  readonly quickFiles: { readonly count: number; readonly size: number };
  /** As many mirrors of nginx, and as many seeds. */
  readonly sources: number;
  /** Whom the others are measured by. */
  readonly bases: readonly string[];
  readonly cases: readonly Case[];
  readonly goals: readonly Goal[];
}

/** What p2p is to need at most, of another one's wall time. */
export interface Goal {
  readonly name: string;
  readonly base: string;
  readonly most: number;
}

const MIB = 1024 * 1024;
const KIB = 1024;

const PLAIN = "aria2c";
const VERIFYING = "aria2c --checksum";
const CURL_AND_SHA = "curl, then sha256sum";
const P2P = "p2p get --sync never";
const P2P_SYNC = "p2p get";

const one = ({ files, urls, out }: Field) => ({ file: files[0]!, urls, out });
const get = (field: Field, sync: Get["sync"]) => [p2pGet({ ...field, sync })];

/** p2p as its peers do it, and as it does it by itself. */
function p2pCases({ seeds }: { seeds: number }): Case[] {
  return [
    { name: P2P, seeds, quick: true, commands: (field) => get(field, "never") },
    { name: P2P_SYNC, seeds, quick: true, commands: (field) => get(field, "finish") },
  ];
}

const ONE_FILE_CASES: readonly Case[] = [
  {
    name: PLAIN,
    tool: "aria2c",
    quick: true,
    commands: (f) => [aria2c(one(f), { verify: false })],
  },
  {
    name: VERIFYING,
    tool: "aria2c",
    quick: true,
    commands: (f) => [aria2c(one(f), { verify: true })],
  },
];

function manyCases({ atOnce, verify }: { atOnce: number; verify: boolean }): Case {
  return {
    name: (verify ? VERIFYING : PLAIN) + (atOnce === 3 ? "" : ` -j${atOnce}`),
    tool: "aria2c",
    quick: atOnce === 3,
    commands: ({ lists, out }) => [
      aria2cMany({ list: verify ? lists.aria2cVerify : lists.aria2c, out, atOnce }),
    ],
  };
}

function curlCase(atOnce: number): Case {
  return {
    name: `curl --parallel-max ${atOnce}`,
    tool: "curl",
    commands: ({ lists, out }) => [curlMany({ list: lists.curl, out, atOnce })],
  };
}

const GOALS = [
  { name: P2P, base: PLAIN, most: 0.65 },
  { name: P2P, base: VERIFYING, most: 0.25 },
];

export const WORKLOADS: readonly Workload[] = [
  {
    id: "w1",
    title: "W1: one large file, one source",
    files: { count: 1, size: 1024 * MIB },
    quickFiles: { count: 1, size: 128 * MIB },
    sources: 1,
    bases: [PLAIN, VERIFYING, CURL_AND_SHA],
    cases: [
      ...ONE_FILE_CASES,
      { name: "curl", tool: "curl", quick: true, commands: (f) => [curl(one(f))] },
      {
        name: CURL_AND_SHA,
        tool: "curl",
        quick: true,
        commands: (f) => [curl(one(f)), sha256sum(one(f))],
      },
      { name: "axel -n 8", tool: "axel", commands: (f) => [axel(one(f), 8)] },
      ...p2pCases({ seeds: 1 }),
      {
        name: "p2p get --sync never, seed hashes first",
        cold: true,
        commands: (f) => get(f, "never"),
      },
    ],
    goals: [...GOALS, { name: P2P, base: CURL_AND_SHA, most: 0.22 }],
  },
  {
    id: "w2",
    title: "W2: one large file, four sources",
    files: { count: 1, size: 1024 * MIB },
    quickFiles: { count: 1, size: 128 * MIB },
    sources: 4,
    bases: [PLAIN, VERIFYING],
    cases: [
      ...ONE_FILE_CASES,
      { name: "axel -n 4", tool: "axel", commands: (f) => [axel(one(f), 4)] },
      ...p2pCases({ seeds: 4 }),
    ],
    goals: [{ name: P2P, base: PLAIN, most: 0.65 }, { name: P2P, base: VERIFYING, most: 0.22 }],
  },
  {
    id: "w3",
    title: "W3: six large files, three at a time",
    files: { count: 6, size: 512 * MIB },
    quickFiles: { count: 6, size: 32 * MIB },
    sources: 4,
    bases: [PLAIN, VERIFYING],
    cases: [
      manyCases({ atOnce: 3, verify: false }),
      manyCases({ atOnce: 3, verify: true }),
      curlCase(3),
      ...p2pCases({ seeds: 1 }),
      {
        name: "p2p get --sync never, 4 seeds",
        seeds: 4,
        commands: (f) => get(f, "never"),
      },
    ],
    goals: GOALS,
  },
  {
    id: "w4",
    title: "W4: many small files, three at a time",
    files: { count: 2000, size: 16 * KIB },
    quickFiles: { count: 500, size: 16 * KIB },
    sources: 1,
    bases: [PLAIN, VERIFYING],
    cases: [
      manyCases({ atOnce: 3, verify: false }),
      manyCases({ atOnce: 3, verify: true }),
      manyCases({ atOnce: 16, verify: false }),
      curlCase(3),
      ...p2pCases({ seeds: 1 }),
    ],
    goals: [{ name: P2P, base: PLAIN, most: 0.4 }, { name: P2P, base: VERIFYING, most: 0.4 }],
  },
];
