/** The results of `p2p verify`, as sentences and as JSON. */
import {
  type ErrorCode,
  printable,
  type Verdict,
  type Verification,
  type WrongPieces,
} from "../../core/mod.ts";
import { HINT, renderFailure } from "./failure.ts";
import { hintOf, seedFlags, shellWord } from "./hints.ts";
import { formatBytes, percentOf, plural } from "./units.ts";

const MAX_RANGES = 10;

export function renderVerification({ path, name, verdict }: Verification): string[] {
  if (verdict.kind === "failed") return [];
  const as = name === path ? "" : ` (as "${name}")`;
  return [printable(`${path}${as}: ${sentenceOf(verdict)}`)];
}

/** The failure, or what to do about a difference, for standard error. @param seeds as `--seed` names them. */
export function renderVerifyFault(
  { path, name, verdict }: Verification,
  seeds: readonly string[] = [],
): string[] {
  if (verdict.kind === "same") return [];
  if (verdict.kind === "failed") {
    const { code, reason } = verdict;
    const hint = HINTS[code] ?? hintOf({ code, message: reason }, seeds);
    return renderFailure({ message: `Cannot verify "${path}": ${reason}`, hint });
  }
  const get = `p2p get ${shellWord(name)}${outOf(path, name)}${seedFlags(seeds)}`;
  return [printable(`${HINT}${get} --on-conflict overwrite downloads it again`)];
}

/** The --out that makes `get` write to `path`. */
function outOf(path: string, name: string): string {
  const plain = path.replaceAll("\\", "/").replace(/^(?:\.\/+)+/, "");
  if (plain === name || !plain.endsWith(`/${name}`)) return "";
  return ` --out ${shellWord(plain.slice(0, -name.length - 1) || "/")}`;
}

const HINTS: Partial<Record<ErrorCode, string>> = {
  usage: "Name existing files, as in: p2p verify *.iso",
  disk: "Check the file and its permissions",
  "not-found": "See the seeds' files with p2p list; names are relative to the current folder",
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
  const [first, ...more] = verdict.others;
  const others = first === undefined
    ? ""
    : `; ${verdict.others.join(", ")} ${more.length > 0 ? "have" : "has"} a different version`;
  return `same as on ${seeds.join(", ")} (${formatBytes(size)}, ${known})${others}`;
}

function differenceOf({ size, seedSize, pieces, wrong }: Compared & { kind: "differs" }): string {
  const count = wrong.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const shown = wrong.slice(0, MAX_RANGES).map(rangeText);
  const more = wrong.length > MAX_RANGES ? `, and ${wrong.length - MAX_RANGES} more ranges` : "";
  const length = `${plural(Math.abs(size - seedSize), "byte")} too ${
    size > seedSize ? "long" : "short"
  }`;
  return [
    ...size === seedSize ? [] : [length],
    count === 0
      ? size === seedSize ? "no piece differs" : "the rest matches"
      : `${count} of ${plural(pieces, "piece")} differ: ${shown.join(", ")}${more}`,
  ].join("; ");
}

function rangeText({ first, last, range: { start, end } }: WrongPieces): string {
  const name = first === last ? `piece ${first}` : `pieces ${first}-${last}`;
  return `${name} (bytes ${start}-${end - 1})`;
}

export function renderHashed(path: string, hashed: number, size: number): string {
  const part = `${formatBytes(hashed)} of ${formatBytes(size)} (${percentOf(hashed, size)}%)`;
  return printable(`${path}: hashed ${part}`);
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
