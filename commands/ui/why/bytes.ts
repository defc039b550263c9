/** What bytes wait for: this computer's part, which it knows, or what is outside of it. */
import type { TimeReport } from "../../../core/mod.ts";
import { formatElapsed, formatRate } from "../units.ts";
import { type Diagnosis, rateOf } from "./account.ts";

/** @param rate bytes a second, where no seed's is known. @param verb "waits for", or what it was in the past. */
export function bytesDiagnosis(account: TimeReport | null, rate: number, verb: string): Diagnosis {
  const { spent = {}, hashMs = 0, diskMs = 0 } = account ?? {};
  const { bytes = 0 } = spent;
  if (bytes === 0 || Math.max(hashMs, diskMs) <= bytes / 2) return outside(account, rate, verb);
  const within = `of the ${formatElapsed(bytes)} in which bytes came`;
  return hashMs > diskMs
    ? {
      cause: "processor",
      sentence: `${verb} this computer: hashing took ${formatElapsed(hashMs)} ${within}`,
      advice: "let fewer other programs run meanwhile",
    }
    : {
      cause: "disk",
      sentence: `${verb} this disk: writing took ${formatElapsed(diskMs)} ${within}`,
      advice: "download to a faster disk with --out",
    };
}

interface Giving {
  readonly seed: string;
  readonly rate: number;
}

/** From here the way and its other end look alike. */
const WHICH = "p2p cannot tell which";

function outside(account: TimeReport | null, rate: number, verb: string): Diagnosis {
  const giving = (account?.seeds ?? [])
    .filter(({ standing, bytes }) => standing === "gives" && bytes > 0)
    .map((seed) => ({ seed: seed.seed, rate: rateOf(seed, account!) }));
  if (giving.length > 1) return severalSeeds(giving, verb);
  const [one] = giving;
  const who = one ? `${one.seed} gives all of it, ` : "";
  return {
    cause: "bytes",
    sentence: `${verb} the network or the seed, ${WHICH}: ${who}${formatRate(one?.rate ?? rate)}`,
    advice: "add seeds that have it with --seed; p2p list shows which do",
  };
}

/** A seed whose rate is below this part of the fastest one's is called slow. */
const SLOW_PART = 4;

function severalSeeds(giving: readonly Giving[], verb: string): Diagnosis {
  const fastest = Math.max(...giving.map(({ rate }) => rate));
  const slow = giving.filter(({ rate }) => rate * SLOW_PART < fastest);
  const slowText = slow.map(({ seed, rate }) => `${seed} ${formatRate(rate)}`).join(", ");
  const total = giving.reduce((sum, { rate }) => sum + rate, 0);
  return {
    cause: "bytes",
    sentence: `${verb} the network or the seeds, ${WHICH}: ${giving.length} seeds give ` +
      `${formatRate(total)} together${slowText && `; slow: ${slowText}`}`,
    advice: slow.length > 0
      ? "nothing: slow seeds get fewer pieces, and the last ones are asked elsewhere too"
      : "more --seed-connections help where the way is long; more seeds where they are slow",
  };
}
