/** The output of `p2p why`: what limits or limited a task, the figures, and what to do about it. */
import { printable, type SeedSummary, type TaskCase, type TimeReport } from "../../../core/mod.ts";
import { rateOf, timesOf } from "./account.ts";
import { diagnosisOf } from "./diagnosis.ts";
import { lineTexts } from "./line.ts";
import { renderDetail } from "../table.ts";
import { formatBytes, formatRate, plural } from "../units.ts";

export function renderCase(theCase: TaskCase): string[] {
  const { task, account } = theCase;
  const { sentence, advice } = diagnosisOf(theCase);
  const seeds = account?.seeds.map((seed) => seedText(seed, account)).join("; ");
  return [
    printable(`${task.name} ${sentence}.`),
    ...renderDetail([
      ["time", account && timesOf(account) || null],
      ["seeds", seeds || null],
      ["try", advice ?? null],
    ]),
  ];
}

/** The fields of `why --json`, in their order. */
export function caseFields(theCase: TaskCase): object {
  const { task: { task, name, state }, account, limits } = theCase;
  const { cause, sentence, advice } = diagnosisOf(theCase);
  const { spent = {}, seeds = [], hashMs = 0, diskMs = 0 } = account ?? {};
  return {
    ...{ task, name, state, cause, sentence: `${name} ${sentence}`, advice: advice ?? null },
    ...{ spentMs: spent, hashMs, diskMs, limits, seeds },
  };
}

/** Words for standings whose own name says too little. */
const STANDINGS: Partial<Record<SeedSummary["standing"], string>> = {
  pending: "is hashing it",
  lacks: "does not have it",
  dissents: "has a different version",
  dropped: "given up",
};

function seedText(seed: SeedSummary, account: TimeReport): string {
  const parts = [
    ...seed.bytes > 0 ? [formatBytes(seed.bytes), formatRate(rateOf(seed, account))] : [],
    ...lineTexts(seed),
    ...seed.standing === "gives" ? [] : [STANDINGS[seed.standing] ?? seed.standing],
    ...seed.failures > 0 ? [`failed ${plural(seed.failures, "time")}`] : [],
    ...seed.corrupt > 0 ? [`${plural(seed.corrupt, "wrong piece")}`] : [],
  ];
  return `${seed.seed} ${
    parts.join(", ") || (account.now === null ? "sent nothing" : "nothing yet")
  }`;
}
