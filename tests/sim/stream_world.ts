/**
 * Worlds in which one download is a stream: its pieces are passed on in order to a reader that may be
 * slow or stop for a while. The seeds are those of `random_world.ts`, and so one of them is right.
 */
import { MIN_PIECE_BYTES } from "../../core/base/pieces.ts";
import { diceOf } from "./dice.ts";
import { planOfWorld } from "./random_world.ts";
import type { StreamPlan } from "./sim_download.ts";
import type { Habits } from "./sim_seed.ts";
import { type DownloadEnd, runWorld, type WorldPlan } from "./world.ts";

const GIVE_UP_MS = 120_000;
/** From the end of a connection that brought something to the next one. */
const MAX_PAUSE_MS = 750;

/** A world, and its reader. */
export interface StreamWorld {
  readonly world: WorldPlan;
  readonly stream: StreamPlan;
}

export function planOfStream(number: number): StreamWorld {
  const random = diceOf(number * 6101 + 5);
  const { seeds, ...plan } = planOfWorld(number);
  const { size } = plan.downloads[0]!;
  const pieces = Math.ceil(size / MIN_PIECE_BYTES);
  const windowPieces = 1 + Math.floor(random() * 40);
  const stream: StreamPlan = {
    windowPieces,
    // In half of the worlds the reader is slower than most seeds.
    msAPiece: random() < 0.5 ? random() * 20 : random() * 1000,
    ...random() < 0.2
      // Longer than a content may be silent.
      ? { pause: { after: Math.floor(random() * pieces), ms: random() * 5 * GIVE_UP_MS } }
      : {},
    ...random() < 0.2 ? { firstPiece: Math.floor(random() * pieces) } : {},
  };
  const download = { size, stream, maxInFlight: windowPieces + 2, giveUpMs: GIVE_UP_MS };
  return { world: { ...plan, seeds, downloads: [download] }, stream };
}

/** What is wrong with how stream `number` ended; nothing is right. */
export function faultsOfStream(number: number): string[] {
  const plan = planOfStream(number);
  const [end] = runWorld(plan.world).downloads as [DownloadEnd];
  return [...end.faults, ...faultsOfEnd(plan, end)];
}

function faultsOfEnd({ world, stream }: StreamWorld, end: DownloadEnd): string[] {
  const faults: string[] = [];
  const { size } = world.downloads[0]!;
  const { how, ms, twice } = end;
  if (how !== "complete") faults.push(`ended with ${how} although s0 is right`);
  const pieces = Math.ceil(size / MIN_PIECE_BYTES) - (stream.firstPiece ?? 0);
  const [{ rate, breaksAfter = Infinity, latencyMs = 0 }] = world.seeds as [Habits, ...Habits[]];
  // A small window leaves the line idle for a round trip every few pieces.
  const roundTrips = pieces / stream.windowPieces * 2 * latencyMs;
  const alone = size / rate * 1000 + size / breaksAfter * MAX_PAUSE_MS + roundTrips;
  const readMs = pieces * stream.msAPiece + (stream.pause?.ms ?? 0);
  const hashingMs = Math.max(0, ...world.seeds.map(({ hashesUntilMs = 0 }) => hashesUntilMs));
  const idleMs = hashingMs + (world.suspended?.ms ?? 0) +
    (world.seeds.some((s) => s.late) ? 2000 : 0);
  if (ms > 1.5 * alone + readMs + idleMs + 15_000) {
    faults.push(
      `took ${Math.round(ms)} ms; s0 alone ${Math.round(alone)}, the reader ${Math.round(readMs)}`,
    );
  }
  const liars = world.seeds.filter(({ lies }) => lies !== undefined).length;
  if (twice > Math.max(0.05 * size, 4 * MIN_PIECE_BYTES) + (2 + 3 * liars) * MIN_PIECE_BYTES) {
    faults.push(`${twice} bytes came twice`);
  }
  return faults;
}
