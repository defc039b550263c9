/** The results of a comparison as a table and as data. */
import type { Sample } from "./workspace.ts";
import type { Comparison } from "./comparison.ts";
import { median, ratioOf, type Spread, spreadOf } from "./statistics.ts";
import { bytes, mib, seconds, secondsSpread, spread, type Table } from "./table.ts";
import type { Goal } from "./workloads.ts";

/** The figures of one tool. */
export interface RankingRow {
  readonly name: string;
  readonly wallMs: Spread;
  readonly userMs: number;
  readonly sysMs: number;
  /** The most of all rounds. */
  readonly residentKiB: number;
  readonly serverCpuMs: number;
  readonly serverResidentKiB: number;
  /** Wall time in that of each base, round by round. */
  readonly ratios: Readonly<Record<string, Spread>>;
}

export function rankingOf({ workload, results }: Comparison): RankingRow[] {
  const wallsOf = (samples: readonly Sample[]) => samples.map(({ wallMs }) => wallMs);
  const bases = results.filter(({ name }) => workload.bases.includes(name));
  return results.map(({ name, samples }) => ({
    name,
    wallMs: spreadOf(wallsOf(samples)),
    userMs: median(samples.map(({ userMs }) => userMs)),
    sysMs: median(samples.map(({ sysMs }) => sysMs)),
    residentKiB: Math.max(...samples.map(({ residentKiB }) => residentKiB)),
    serverCpuMs: median(samples.map(({ serverCpuMs }) => serverCpuMs)),
    serverResidentKiB: Math.max(...samples.map(({ serverResidentKiB }) => serverResidentKiB)),
    ratios: Object.fromEntries(
      bases.map((base) => [base.name, ratioOf(wallsOf(samples), wallsOf(base.samples))]),
    ),
  }));
}

export function tableOf(comparison: Comparison, standings: readonly RankingRow[]): Table {
  const { workload, files } = comparison;
  const bases = workload.bases.filter((base) => standings.some(({ name }) => name === base));
  return {
    title: `${workload.title} (${files.count} x ${bytes(files.size)})`,
    head: [
      "program",
      "wall s",
      ...bases.map((base) => `to ${base}`),
      "user+sys s",
      "MiB",
      "server CPU s",
      "server MiB",
    ],
    rows: standings.map((one) => [
      one.name,
      secondsSpread(one.wallMs),
      ...bases.map((base) => spread(one.ratios[base]!, 2)),
      `${seconds(one.userMs, 2)}+${seconds(one.sysMs, 2)}`,
      mib(one.residentKiB),
      seconds(one.serverCpuMs, 2),
      mib(one.serverResidentKiB),
    ]),
    // The goals are for the sizes of the whole bench.
    notes: files === workload.files
      ? workload.goals.flatMap((goal) => verdictOn(goal, standings))
      : [],
  };
}

/** Nothing where one of the two did not run. */
function verdictOn({ name, base, most }: Goal, standings: readonly RankingRow[]): string[] {
  const ratio = standings.find((one) => one.name === name)?.ratios[base];
  if (ratio === undefined) return [];
  const verdict = ratio.median <= most ? "holds" : "MISSED";
  return [`goal: ${name} in at most ${most} of ${base}: ${spread(ratio, 2)}, ${verdict}`];
}
