/** How the seeds are: whether each answers, in which dialect, how soon, and how much it offers. */
import { P2pError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import type { DownloadSettings } from "../config.ts";
import type { SeedSource } from "../source/seed_source.ts";
import { SourcePool } from "../source/pool.ts";
import { askForList, MAX_LISTINGS, type SeedReport } from "./list.ts";
import type { NetworkRuntime } from "./runtime.ts";

export interface SeedHealth extends SeedReport {
  /** The shortest of a few, whole ms; null where it cannot be measured: old seeds have no PING. */
  readonly roundTripMs: number | null;
  /** null where it did not tell. */
  readonly files: number | null;
  readonly bytes: number | null;
}

/** The first one may wait for what the connection brings with it, and any for a busy machine. */
const PINGS = 3;

/** One report a seed, in their order; asked all at once. */
export async function seedHealth(
  settings: DownloadSettings,
  { clock, dial }: NetworkRuntime,
  signal: AbortSignal,
): Promise<SeedHealth[]> {
  await using pool = new SourcePool({ ...settings, clock, dial });
  const links = pool.links(settings.seeds);
  const listings = new Semaphore(MAX_LISTINGS);
  return await Promise.all(links.map(async (link) => {
    // Before the list, behind which it would wait.
    const roundTripMs = await shortestPing(link, signal);
    const { report, files } = await askForList(link, listings, settings.giveUpMs, clock, signal);
    if (!report.ok) return { ...report, roundTripMs, files: null, bytes: null };
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    return { ...report, roundTripMs, files: files.length, bytes };
  }));
}

async function shortestPing(link: SeedSource, signal: AbortSignal): Promise<number | null> {
  let shortest: number | null = null;
  try {
    for (let ping = 0; ping < PINGS; ping++) {
      const ms = await link.ping(signal);
      if (ms === undefined) return null;
      shortest = Math.min(shortest ?? Infinity, ms);
    }
    return shortest;
  } catch (error) {
    signal.throwIfAborted();
    // What is wrong with it, its list will say.
    if (error instanceof P2pError) return shortest;
    throw error;
  }
}
