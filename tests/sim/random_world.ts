/** World number n: made by dice, so that a number is all that is needed to meet it again. */
import { diceOf } from "./dice.ts";
import type { DownloadPlan } from "./sim_download.ts";
import { type Habits, PARTIAL_STEP } from "./sim_seed.ts";
import { type DownloadEnd, runWorld, type WorldPlan } from "./world.ts";

const MIB = 1024 * 1024;
/** How long the vote stays open for sources that do not answer. */
const VOTE_GRACE_MS = 2000;
/** From the end of a connection that brought something to the next one. */
const MAX_PAUSE_MS = 750;

export function planOfWorld(number: number): WorldPlan {
  const random = diceOf(number * 7919 + 17);
  const count = 1 + Math.floor(random() * 5);
  const seeds = Array.from({ length: count }, (_, i) => habitsOf(`s${i}`, random));
  // At least one seed is right: then every download must come to its end.
  seeds[0] = {
    name: "s0",
    rate: between(random, 0.2, 30) * MIB,
    latencyMs: between(random, 0, 80),
    ...(random() < 0.1 ? { breaksAfter: bytesBetween(random, 50_000, 2_000_000) } : {}),
  };
  const downloads = [downloadOf(random, 0)];
  // In a third of the worlds more downloads come, and some are cancelled.
  const more = random() < 0.33 ? Math.floor(random() * 4) : 0;
  for (let i = 0; i < more; i++) downloads.push(downloadOf(random, between(random, 0, 5000)));
  const world = random() < 0.1 ? narrowed({ downloads, seeds }, random) : { downloads, seeds };
  return { ...varied(world, random), dice: number };
}

/** The same with sources that appear later or have some pieces only, either order, restarts and a suspension. */
function varied(plan: WorldPlan, random: () => number): WorldPlan {
  const [right, ...helpers] = plan.seeds;
  const seeds = helpers.map((habits): Habits => ({
    ...habits,
    ...random() < 0.2 ? { appearsMs: between(random, 0, 8000) } : {},
    ...random() < 0.2 ? { partialFrom: 1 + Math.floor(random() * (PARTIAL_STEP - 1)) } : {},
    ...random() < 0.1 ? { hashesUntilMs: between(random, 0, 10_000) } : {},
    ...lineOf(random),
  }));
  const downloads = plan.downloads.map((download): DownloadPlan => {
    const { startMs = 0 } = download;
    return {
      ...download,
      order: random() < 0.5 ? "rarest-first" : "in-order",
      ...random() < 0.1 ? { restartMs: startMs + between(random, 0, 5000) } : {},
    };
  });
  const suspended = random() < 0.05
    ? { suspended: { fromMs: between(random, 0, 5000), ms: between(random, 10_000, 600_000) } }
    : {};
  return { downloads, seeds: [{ ...right!, ...lineOf(random) }, ...seeds], ...suspended };
}

/** In a third of the cases a long line, which the machine knows. */
function lineOf(random: () => number): Pick<Habits, "roundTripMs" | "connections"> {
  if (random() >= 0.33) return {};
  return { roundTripMs: between(random, 10, 300), connections: Math.ceil(between(random, 0, 16)) };
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
    downloads: downloads.map((plan) => ({ ...plan, maxInFlight: 2 + Math.floor(random() * 3) })),
    // Each of them may be there before the good ones are.
    seeds: random() < 0.5 ? [steady(seeds[0]!), ...seeds.slice(1), ...dribblers] : [
      steady(seeds[0]!),
      ...dribblers,
    ],
  };
}

/** While it reconnects, those that dribble would get the little memory there is. */
function steady({ breaksAfter: _, ...habits }: Habits): Habits {
  return habits;
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
    { ...usual, breaksAfter: bytesBetween(random, 1000, 2_000_000) },
    {
      ...usual,
      lies: between(random, 0.05, 1),
      breaksAfter: bytesBetween(random, 1000, 2_000_000),
    },
    { ...usual, turns: [{ atMs: fromMs, factor: between(random, 0.001, 4) }] },
  ];
  return kinds[Math.floor(random() * kinds.length)]!;
}

function bytesBetween(random: () => number, low: number, high: number): number {
  return Math.floor(between(random, low, high));
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
  const [{ rate, breaksAfter = Infinity }] = plan.seeds as [Habits, ...Habits[]];
  // Its connection ends every so often, and is made again after a pause.
  const alone = all / rate * 1000 + all / breaksAfter * MAX_PAUSE_MS;
  // The vote waits for sources that do not answer.
  const voteMs = plan.seeds.some(({ late }) => late) ? VOTE_GRACE_MS : 0;
  // Seeds that hash may be waited for, and nothing goes on while the computer is suspended.
  const hashingMs = Math.max(0, ...plan.seeds.map(({ hashesUntilMs = 0 }) => hashesUntilMs));
  const idleMs = hashingMs + (plan.suspended?.ms ?? 0);
  if (ms > 1.5 * alone + 12_000 + voteMs + idleMs) {
    faults.push(`took ${ms} ms, s0 alone would have taken ${alone}`);
  }
  // What a lost connection or a slow seed brought is kept, so this holds in every world.
  // A piece to which a liar contributed is fetched whole from one seed; what others had of it is lost.
  const liars = plan.seeds.filter(({ lies }) => lies !== undefined).length;
  if (twice > Math.max(0.02 * download.size, 2 * MIB) + (2 + 3 * liars) * MIB) {
    faults.push(`${twice} bytes came twice`);
  }
  if (busiestSecond > 5000) faults.push(`${busiestSecond} actions in one second`);
  return faults;
}
