/** What the command line of the bench asks for. */
import { parseArgs } from "node:util";
import { LINE_FLAGS, type LineOptions, lineOptionsOf } from "./lines/options.ts";

/** What can be measured, in this order. */
export const PARTS = [
  "w1",
  "w2",
  "w3",
  "w4",
  "seeds",
  "clients",
  "tasks",
  "costs",
  "startup",
  "lines",
] as const;
export type Part = typeof PARTS[number];

/** Lines need root and an hour, so they are measured only on request. */
const DEFAULT_PARTS = PARTS.filter((part) => part !== "lines");

export interface BenchOptions {
  readonly quick: boolean;
  readonly parts: readonly Part[];
  readonly rounds: number;
  /** Where the results go. */
  readonly out: string;
  /** Where the temporary folder goes; undefined for the platform's place. */
  readonly dir: string | undefined;
  /** The executable. */
  readonly program: string;
  readonly lines: LineOptions;
}

/** An odd number, so that the median was measured; fewer than five say little about the spread. */
const ROUNDS = 5;
const QUICK_ROUNDS = 3;

/** `quick`, names of parts (all when there is none), and flags. @throws {Error} at anything else. */
export function parseOptions(args: readonly string[], program: string): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: "string" },
      out: { type: "string", default: "dist/bench" },
      dir: { type: "string" },
      p2p: { type: "string", default: program },
      ...LINE_FLAGS,
    },
  });
  const quick = positionals.includes("quick");
  const parts = positionals.filter((word) => word !== "quick").map(partOf);
  return {
    quick,
    parts: parts.length === 0 ? DEFAULT_PARTS : PARTS.filter((part) => parts.includes(part)),
    rounds: roundsOf(values.rounds) ?? (quick ? QUICK_ROUNDS : ROUNDS),
    out: values.out,
    dir: values.dir,
    program: values.p2p,
    lines: lineOptionsOf(values, quick),
  };
}

function partOf(word: string): Part {
  const part = PARTS.find((part) => part === word);
  if (part !== undefined) return part;
  throw new Error(`Cannot measure "${word}": there are quick, ${PARTS.join(", ")}`);
}

function roundsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new Error(`Cannot use --rounds "${text}": it must be a number from 1 to 9999`);
}
