/** World number n: made by dice, so that a number is all that is needed to meet it again. */
import { diceOf } from "./dice.ts";
import type { DownloadPlan } from "./sim_download.ts";
import type { Habits } from "./sim_seed.ts";
import { type DownloadEnd, runWorld, type WorldPlan } from "./world.ts";

const MIB = 1024 * 1024;

export function planOfWorld(number: number): WorldPlan {
  const random = diceOf(number * 7919 + 17);
  const count = 1 + Math.floor(random() * 5);
  const seeds = Array.from({ length: count }, (_, i) => habitsOf(`s${i}`, random));
  // At least one seed is right: then every download must come to its end.
  seeds[0] = {
    name: "s0",
    rate: between(random, 0.2, 30) * MIB,
    latencyMs: between(random, 0, 80),
  };
  const downloads = [downloadOf(random, 0)];
  // In a third of the worlds more downloads come, and some are cancelled.
  const more = random() < 0.33 ? Math.floor(random() * 4) : 0;
  for (let i = 0; i < more; i++) downloads.push(downloadOf(random, between(random, 0, 5000)));
  return {
    ...(random() < 0.1 ? narrowed({ downloads, seeds }, random) : { downloads, seeds }),
    dice: number,
  };
}

/** The same with so little memory that seeds which dribble could hold all of it. */
function narrowed({ downloads, seeds }: WorldPlan, random: () => number): WorldPlan {
  const dribblers = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, i) => ({
    name: `d${i}`,
    rate: between(random, 1, 50),
    latencyMs: between(random, 0, 200),
    late: random() < 0.2,
  }));
  return {
    downloads: downloads.map((plan) => ({ ...plan, mostInFlight: 2 + Math.floor(random() * 3) })),
    // Each of them may be there before the good ones are.
    seeds: random() < 0.5 ? [...seeds, ...dribblers] : [...seeds.slice(0, 1), ...dribblers],
  };
}

function downloadOf(random: () => number, startMs: number): DownloadPlan {
  const size = Math.floor(between(random, 0, 60) * MIB);
  const cancelled = startMs > 0 && random() < 0.3;
  return { size, startMs, ...(cancelled ? { cancelMs: startMs + between(random, 0, 3000) } : {}) };
}

function habitsOf(name: string, random: () => number): Habits {
  const rate = between(random, 0.05, 50) * MIB;
  const latencyMs = between(random, 0, 200);
  const usual = { name, rate, latencyMs, late: random() < 0.2 };
  const fromMs = between(random, 0, 5000);
  const kinds: Habits[] = [
    usual,
    { ...usual, rate: between(random, 500, 20_000) },
    { ...usual, away: [{ fromMs, toMs: Infinity }] },
    { ...usual, away: [{ fromMs, toMs: fromMs + between(random, 100, 20_000) }] },
    { ...usual, silentFromMs: fromMs },
    { ...usual, lies: between(random, 0.05, 1) },
    { ...usual, busy: between(random, 0.1, 1) },
    { ...usual, turns: [{ atMs: fromMs, factor: between(random, 0.001, 4) }] },
  ];
  return kinds[Math.floor(random() * kinds.length)]!;
}

function between(random: () => number, low: number, high: number): number {
  return low + random() * (high - low);
}

/** What is wrong with how world `number` ended; nothing is right. */
export function faultsOfWorld(number: number): string[] {
  const plan = planOfWorld(number);
  const { downloads } = runWorld(plan);
  return downloads.flatMap((
    end,
    i,
  ) => [...end.faults, ...faultsOfEnd(plan, plan.downloads[i]!, end)]);
}

function faultsOfEnd(plan: WorldPlan, download: DownloadPlan, end: DownloadEnd): string[] {
  const { how, ms, twice, busiestSecond } = end;
  const faults: string[] = [];
  const wished = how === "cancelled" && download.cancelMs !== undefined;
  if (how !== "complete" && !wished) faults.push(`ended with ${how} although s0 is right`);
  // Helpers that stall, lie or crawl may cost some time, but not the day.
  const all = plan.downloads.reduce((sum, { size }) => sum + size, 0);
  const alone = all / plan.seeds[0]!.rate * 1000;
  if (ms > 1.5 * alone + 12_000) faults.push(`took ${ms} ms, s0 alone would have taken ${alone}`);
  // What was lost with connections is not the scheduler's doing; what it asks twice is.
  const unlucky = plan.seeds.some((habits) => habits.away || habits.silentFromMs || habits.turns);
  // Where memory is short, pieces are taken back from who crawls, with what it has sent of them.
  const share = download.mostInFlight === undefined ? 0.02 : 0.25;
  if (!unlucky && twice > Math.max(share * download.size, 2 * MIB) + 2 * MIB) {
    faults.push(`${twice} bytes came twice`);
  }
  if (busiestSecond > 5000) faults.push(`${busiestSecond} actions in one second`);
  return faults;
}
