/** Where to ask when the user has configured no seed. */
import {
  type DownloadSettings,
  formatSourceAddress,
  type NearbySeed,
  printable,
  type SourceAddress,
} from "../core/mod.ts";
import type { Environment } from "./environment.ts";
import type { LoadedSettings } from "./load_settings.ts";

export interface NearbySettings {
  readonly settings: DownloadSettings;
  /** What the user should know of the seeds that are asked. */
  readonly notes: readonly string[];
}

/**
 * Adds the seeds that announce themselves on the local network, if the user has configured none. The
 * seed of this computer is asked only if it runs. The seeds found must agree on each file's content,
 * because one machine can announce many.
 */
export async function withNearbySeeds(
  { core }: Environment,
  { values, origins }: Pick<LoadedSettings, "values" | "origins">,
  settings: DownloadSettings,
  signal: AbortSignal,
): Promise<NearbySettings> {
  if (origins.seeds !== "default" || !values.discover) return { settings, notes: [] };
  const found = await core.nearbySeeds(DISCOVERY_MS, signal);
  const hasToken = settings.token !== undefined;
  const usable = found.filter(({ token }) => hasToken || !token);
  const closed = found.length - usable.length;
  const notes = closed === 0 ? [] : [
    `note: ${closed === 1 ? "a seed" : `${closed} seeds`} on this network ` +
    `${closed === 1 ? "asks" : "ask"} for a token: give it with --token-file`,
  ];
  const nearby = usable.filter((seed) => !isLocalDefault(seed, settings.seeds)).map(addressOf);
  if (nearby.length === 0) return { settings, notes };
  const seeds = [...await core.answeringSeeds(settings, signal), ...nearby];
  const names = nearby.map(formatSourceAddress).join(", ");
  return {
    settings: { ...settings, seeds, requireAgreement: true },
    notes: [`note: no seed is configured; found on this network: ${printable(names)}`, ...notes],
  };
}

/** Neighbours answer within milliseconds; a wireless network may delay multicast by 100 ms and more. */
export const DISCOVERY_MS = 300;

/** Why there may be a seed that was not found. */
export const NOTHING_FOUND =
  "note: no seed announced itself on this network. A firewall (UDP port 5353), a VPN, or an access " +
  "point that isolates its clients can hide one that runs";

/** The seed of this computer answers by its loopback address, too. */
function isLocalDefault({ host, port }: NearbySeed, defaults: readonly SourceAddress[]): boolean {
  return defaults.some((each) => "host" in each && each.host === host && each.port === port);
}

function addressOf({ host, port, tls }: NearbySeed): SourceAddress {
  return { host, port, tls };
}
