/**
 * The command lines of p2p and of the programs it is compared with: each the way that its users
 * write it, quiet, without its settings file, and told not to wait for the disk.
 */
import { join } from "@std/path";
import type { MadeFile } from "./data.ts";

export type Command = readonly string[];

/** One file from one or several places. */
export interface One {
  readonly file: MadeFile;
  readonly urls: readonly string[];
  readonly out: string;
}

/** Many files; `list` was written in the program's own way. */
export interface Many {
  readonly list: string;
  readonly out: string;
  readonly atOnce: number;
}

/** No preallocation: on ext4 all of its ways cost about the same (0.92 to 1.00). */
const ARIA2C = [
  "aria2c",
  "--no-conf",
  "-q",
  "--allow-overwrite=true",
  "--auto-file-renaming=false",
  "--file-allocation=none",
];
const CURL = ["curl", "-q", "-sSf"];

/** @param options.connections to each place. */
export function aria2c(
  { file, urls, out }: One,
  { verify, connections = 1 }: { verify: boolean; connections?: number },
): Command {
  const streams = urls.length * connections;
  // Several connections take ranges of 1 MiB.
  const split = [`-x${connections}`, `-s${streams}`, ...(streams === 1 ? [] : ["-k1M"])];
  const check = verify ? [`--checksum=sha-256=${file.sha256}`] : [];
  return [...ARIA2C, ...split, ...check, "-d", out, "-o", file.name, ...urls];
}

export function aria2cMany({ list, out, atOnce }: Many): Command {
  return [...ARIA2C, `-j${atOnce}`, "-x1", "-s1", "-d", out, "-i", list];
}

/** The list that `aria2cMany` takes. */
export function aria2cList(
  files: readonly MadeFile[],
  url: string,
  { verify }: { verify: boolean },
): string {
  const linesOf = ({ name, sha256 }: MadeFile) => [
    `${url}/${name}`,
    `  out=${name}`,
    ...(verify ? [`  checksum=sha-256=${sha256}`] : []),
  ];
  return files.flatMap(linesOf).join("\n") + "\n";
}

export function curl({ file, urls, out }: One): Command {
  return [...CURL, "-o", join(out, file.name), urls[0]!];
}

/** Without `atOnce`, curl's default, which is 50. */
export function curlMany(
  { list, out, atOnce }: Omit<Many, "atOnce"> & { readonly atOnce: number | undefined },
): Command {
  const most = atOnce === undefined ? [] : ["--parallel-max", String(atOnce)];
  return [...CURL, "--parallel", ...most, "--output-dir", out, "-K", list];
}

/** The list that `curlMany` takes. */
export function curlList(files: readonly MadeFile[], url: string): string {
  return files.map(({ name }) => `url = "${url}/${name}"\noutput = "${name}"\n`).join("");
}

export function sha256sum({ file, out }: One): Command {
  return ["sha256sum", join(out, file.name)];
}

export function axel({ file, urls, out }: One, connections: number): Command {
  return ["axel", "-q", "-n", String(connections), "-o", join(out, file.name), ...urls];
}

export interface Get {
  readonly program: string;
  readonly seeds: readonly string[];
  readonly out: string;
  readonly sync: "never" | "finish";
  readonly atOnce?: number;
  /** Everything that the seeds offer, unless names are given. */
  readonly names?: readonly string[];
}

export function p2pGet({ program, seeds, out, sync, atOnce = 3, names }: Get): Command {
  const from = seeds.flatMap((seed) => ["--seed", seed]);
  const what = names ?? ["--all"];
  return [
    program,
    "get",
    "-q",
    "--sync",
    sync,
    "--max",
    `${atOnce}`,
    "--out",
    out,
    ...from,
    ...what,
  ];
}

/** Everything that the seed offers, as users get it. */
export function p2pGetDefault(
  { program, seed, out }: {
    readonly program: string;
    readonly seed: string;
    readonly out: string;
  },
): Command {
  return [program, "get", "-q", "--out", out, "--seed", seed, "--all"];
}
