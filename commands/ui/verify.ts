/** The results of `p2p verify`, as sentences and as JSON. */
import { printable, type Verdict, type Verification, type WrongPieces } from "../../core/mod.ts";
import { renderFailure } from "./failure.ts";
import { shellWord } from "./hints.ts";
import { formatBytes, percentOf, plural } from "./units.ts";

/** Further ranges are only counted. */
const MAX_RANGES = 10;

/** The result of one file, for standard output; none if it failed. */
export function renderVerification({ path, name, verdict }: Verification): string[] {
  if (verdict.kind === "failed") return [];
  const as = name === path ? "" : ` (as "${name}")`;
  return [printable(`${path}${as}: ${sentenceOf(verdict)}`)];
}

/** The failure, or what to do about a difference, for standard error. */
export function renderVerifyFault({ path, name, verdict }: Verification): string[] {
  if (verdict.kind === "same") return [];
  if (verdict.kind === "failed") {
    return renderFailure({
      message: `Cannot verify "${path}": ${verdict.reason}`,
      hint: HINTS[verdict.code] ?? "See how the seeds are doing with p2p seeds",
    });
  }
  const command = `p2p get ${shellWord(name)}${
    outOf(path, name)
  } --on-conflict overwrite downloads it again`;
  return [`hint: ${printable(command)}`];
}

/** The --out that makes `get` write to `path`. */
function outOf(path: string, name: string): string {
  const plain = path.replaceAll("\\", "/").replace(/^(?:\.\/+)+/, "");
  if (plain === name || !plain.endsWith(`/${name}`)) return "";
  return ` --out ${shellWord(plain.slice(0, -name.length - 1) || "/")}`;
}

const HINTS: Partial<Record<string, string>> = {
  usage: "Name existing files, as in: p2p verify *.iso",
  disk: "Check the file and its permissions",
  "not-found": "See the seeds' files with p2p list; names are relative to the current folder",
  auth: "Give the seed's token with --token-file",
  corrupt: "Compare with p2p list",
  protocol: "Name seeds that offer digests with --seed",
};

type Compared = Exclude<Verdict, { kind: "failed" }>;

function sentenceOf(verdict: Compared): string {
  const { size, id, seeds } = verdict;
  const known = `id ${id.slice(0, 8)}`;
  if (verdict.kind === "differs") {
    return `differs from ${seeds.join(", ")} (${known}): ${differenceOf(verdict)}`;
  }
  const others = verdict.others.length > 0
    ? `; ${verdict.others.join(", ")} ${
      verdict.others.length === 1 ? "has" : "have"
    } a different version`
    : "";
  return `same as on ${seeds.join(", ")} (${formatBytes(size)}, ${known})${others}`;
}

function differenceOf({ size, seedSize, pieces, wrong }: Compared & { kind: "differs" }): string {
  const count = wrong.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const shown = wrong.slice(0, MAX_RANGES).map(rangeText);
  const more = wrong.length > MAX_RANGES ? `, and ${wrong.length - MAX_RANGES} more ranges` : "";
  return [
    ...size === seedSize ? [] : [lengthText(size - seedSize)],
    count === 0
      ? size === seedSize ? "no piece differs" : "the rest matches"
      : `${count} of ${plural(pieces, "piece")} differ: ${shown.join(", ")}${more}`,
  ].join("; ");
}

function lengthText(surplus: number): string {
  const bytes = plural(Math.abs(surplus), "byte");
  return surplus > 0 ? `${bytes} too long` : `${bytes} too short`;
}

function rangeText({ first, last, range: { start, end } }: WrongPieces): string {
  const name = first === last ? `piece ${first}` : `pieces ${first}-${last}`;
  return `${name} (bytes ${start}-${end - 1})`;
}

export function renderHashed(path: string, hashed: number, size: number): string {
  return printable(
    `${path}: hashed ${formatBytes(hashed)} of ${formatBytes(size)} (${percentOf(hashed, size)}%)`,
  );
}

/** The fields of one file in `verify --json`. */
export function verificationFields({ path, name, verdict }: Verification): object {
  switch (verdict.kind) {
    case "same": {
      const { size, id, seeds, others } = verdict;
      return { file: path, name, result: "same", size, id, seeds, others, error: null };
    }
    case "differs": {
      const { size, seedSize, id, seeds, pieces, wrong } = verdict;
      const ranges = wrong.map(({ first, last, range: { start, end } }) => {
        return { first, last, start, end };
      });
      const known = { file: path, name, result: "differs", size, seedSize, id, seeds };
      return { ...known, pieces, wrong: ranges, error: null };
    }
    case "failed":
      return { file: path, name, result: verdict.code, error: verdict.reason };
  }
}
