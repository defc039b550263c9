/** How the seeds are: whether each answers, in which dialect, how soon, and how much it offers. */
import { P2pError } from "../base/errors.ts";
import { Slots } from "../base/slots.ts";
import type { DownloadSettings } from "../config.ts";
import type { SeedLink } from "../net/seed_link.ts";
import { SeedPool } from "../net/seed_pool.ts";
import { askForList, LISTINGS, type SeedReport } from "./list.ts";
import type { Surroundings } from "./surroundings.ts";

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
export async function healthOf(
  settings: DownloadSettings,
  { clock, dial }: Surroundings,
  signal: AbortSignal,
): Promise<SeedHealth[]> {
  await using pool = new SeedPool({ ...settings, clock, dial });
  const links = pool.links(settings.seeds);
  const listings = new Slots(LISTINGS);
  return await Promise.all(links.map(async (link) => {
    // Before the list, behind which it would wait.
    const roundTripMs = await pinged(link, signal);
    const { report, files } = await askForList(link, listings, settings.giveUpMs, clock, signal);
    if (!report.ok) return { ...report, roundTripMs, files: null, bytes: null };
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    return { ...report, roundTripMs, files: files.length, bytes };
  }));
}

async function pinged(link: SeedLink, signal: AbortSignal): Promise<number | null> {
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
