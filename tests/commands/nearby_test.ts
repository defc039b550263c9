import { assertEquals } from "@std/assert";
import {
  type DownloadSettings,
  downloadSettings,
  formatSourceAddress,
  type NearbySeed,
} from "../../core/mod.ts";
import { withNearbySeeds } from "../../commands/nearby.ts";
import type { LoadedSettings } from "../../commands/load_settings.ts";
import { fakeEnvironment } from "./fake_environment.ts";

const never = new AbortController().signal;
const LOCAL = downloadSettings(["127.0.0.1"]);
const NAS: NearbySeed = { host: "192.168.1.10", port: 7270, tls: false, token: false };

interface Case {
  readonly name: string;
  readonly found: readonly NearbySeed[];
  readonly local?: boolean;
  readonly origin?: string;
  readonly discover?: boolean;
  readonly token?: string;
  readonly seeds: readonly string[];
  readonly agreement: boolean;
  readonly notes: readonly string[];
}

const FOUND = "note: no seed is configured; found on this network:";
const cases: Case[] = [
  {
    name: "nothing is found",
    found: [],
    seeds: ["127.0.0.1:7270"],
    agreement: false,
    notes: [],
  },
  {
    name: "a seed is found and this computer has none",
    found: [NAS],
    seeds: ["192.168.1.10:7270"],
    agreement: true,
    notes: [`${FOUND} 192.168.1.10:7270`],
  },
  {
    name: "a seed is found and this computer has one, which is found, too",
    found: [{ ...NAS, host: "127.0.0.1" }, { ...NAS, host: "fe80::1%eth0", tls: true }],
    local: true,
    seeds: ["127.0.0.1:7270", "tls://[fe80::1%eth0]:7270"],
    agreement: true,
    notes: [`${FOUND} tls://[fe80::1%eth0]:7270`],
  },
  {
    name: "only the seed of this computer is found",
    found: [{ ...NAS, host: "127.0.0.1" }],
    local: true,
    seeds: ["127.0.0.1:7270"],
    agreement: false,
    notes: [],
  },
  {
    name: "seeds are configured",
    found: [NAS],
    origin: "--seed",
    seeds: ["127.0.0.1:7270"],
    agreement: false,
    notes: [],
  },
  {
    name: "discovery is off",
    found: [NAS],
    discover: false,
    seeds: ["127.0.0.1:7270"],
    agreement: false,
    notes: [],
  },
  {
    name: "the seed found asks for a token and none is configured",
    found: [{ ...NAS, token: true }],
    seeds: ["127.0.0.1:7270"],
    agreement: false,
    notes: ["note: a seed on this network asks for a token: give it with --token-file"],
  },
  {
    name: "the seed found asks for a token and one is configured",
    found: [{ ...NAS, token: true }],
    token: "secret",
    seeds: ["192.168.1.10:7270"],
    agreement: true,
    notes: [`${FOUND} 192.168.1.10:7270`],
  },
];
for (
  const { name, found, local = false, origin = "default", discover = true, token, ...want } of cases
) {
  Deno.test(`withNearbySeeds() returns where to ask when ${name}`, async () => {
    const core = {
      nearbySeeds: () => Promise.resolve([...found]),
      answeringSeeds: ({ seeds }: DownloadSettings) => Promise.resolve(local ? [...seeds] : []),
    };
    const loaded = { values: { discover }, origins: { seeds: origin } };
    const { settings, notes } = await withNearbySeeds(
      fakeEnvironment({ core }),
      loaded as LoadedSettings,
      { ...LOCAL, token },
      never,
    );
    assertEquals(settings.seeds.map(formatSourceAddress), want.seeds);
    assertEquals([settings.requireAgreement, notes], [want.agreement, want.notes]);
  });
}
