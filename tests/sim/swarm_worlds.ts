/** The swarms of `deno task simulate swarm`: lines, arrivals and conduct, with what each may take. */
import { type ReceiverPlan, runSwarm, type SwarmPlan } from "./swarm_world.ts";

interface SwarmCase {
  readonly name: string;
  readonly receivers: number;
  readonly each?: (index: number) => ReceiverPlan;
  readonly more?: Partial<SwarmPlan>;
  /** The most for the last receiver, in times of one transfer, and for the seed, in copies. */
  readonly times: number;
  readonly copies: number;
}

const isTenth = (index: number) => index % 10 === 0;

export const SWARM_CASES: readonly SwarmCase[] = [
  { name: "alone", receivers: 1, times: 1.01, copies: 1.01 },
  { name: "10", receivers: 10, times: 1.15, copies: 1.3 },
  { name: "100", receivers: 100, times: 1.25, copies: 1.3 },
  { name: "1,000", receivers: 1000, times: 1.35, copies: 1.3 },
  { name: "2,000", receivers: 2000, times: 1.5, copies: 1.3 },
  {
    name: "100, half with a quarter of the line",
    receivers: 100,
    each: (index) => ({ line: index % 2 ? 1 : 0.25 }),
    times: 5,
    copies: 5,
  },
  {
    name: "100, one after the other over the time of one transfer",
    receivers: 100,
    each: (index) => ({ startMs: index * 130 }),
    times: 1.25,
    copies: 2.5,
  },
  {
    name: "100, each leaves when it is done",
    receivers: 100,
    each: () => ({ leaves: true }),
    times: 2,
    copies: 2,
  },
  {
    name: "100, 30 % share nothing",
    receivers: 100,
    each: (index) => index % 10 < 3 ? { conduct: "rides" } : {},
    times: 2.5,
    copies: 2.5,
  },
  {
    name: "100, 10 % send wrong bytes",
    receivers: 100,
    each: (index) => isTenth(index) ? { conduct: "lies" } : {},
    times: 1.4,
    copies: 1.5,
  },
  {
    name: "100, 10 % say that they have everything and send nothing",
    receivers: 100,
    each: (index) => isTenth(index) ? { conduct: "stalls" } : {},
    times: 1.8,
    copies: 1.8,
  },
  { name: "100, knowledge 1 s old", receivers: 100, more: { staleMs: 1000 }, times: 2, copies: 2 },
  {
    name: "100, the seed goes after 1.1 transfers",
    receivers: 100,
    more: { seedDiesMs: 14_800 },
    times: 1.4,
    copies: 1.2,
  },
];

/** Runs the cases whose name contains `filter`. @returns how many took more than they may */
export function runSwarmCases(filter: string, print: (line: string) => void): number {
  let bad = 0;
  for (const { name, receivers, each = () => ({}), more, times, copies } of SWARM_CASES) {
    if (!name.includes(filter)) continue;
    const startedAt = performance.now();
    const plans = Array.from({ length: receivers }, (_, index) => each(index));
    const end = runSwarm({ pieces: 256, receivers: plans, ...more });
    const factor = end.lastMs / end.oneMs;
    const isBad = !(factor <= times) || end.seedCopies > copies || end.unfinished > 0 ||
      end.faults.length > 0;
    if (isBad) bad++;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    print(
      `${isBad ? "BAD" : "ok "} ${name}: last ${factor.toFixed(2)} T (${times}), median ` +
        `${(end.medianMs / end.oneMs).toFixed(2)} T, seed ${end.seedCopies.toFixed(2)} copies ` +
        `(${copies}), ${end.unfinished} unfinished, ${seconds} s`,
    );
    for (const fault of end.faults.slice(0, 3)) print(`    ${fault}`);
  }
  return bad;
}
