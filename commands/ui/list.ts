/** Prints `p2p list`: the files that the seeds offer and the state of each seed, as tables. */
import {
  type Offer,
  type OfferedFile,
  printable,
  type SeedHealth,
  type SeedReport,
} from "../../core/mod.ts";
import { type Column, renderTable } from "./table.ts";
import { formatBytes, plural } from "./units.ts";
import { withSeed } from "./why/account.ts";
import { displayWidth, wrap } from "./width.ts";

/** Enough to see which seed is wrong; the rest is in the JSON. */
const MAX_EXPLAINED = 20;

/** @param width of the widest line that fits. */
export function renderOffer({ files }: Offer, width: number): string[] {
  if (files.length === 0) return ["No files."];
  const columns: Column<OfferedFile>[] = [
    { title: "SIZE", right: true, text: ({ size }) => formatBytes(size) },
    { title: "SEEDS", right: true, spare: 1, text: ({ seeds }) => String(seeds.length) },
    { title: "CONTENT", spare: 2, text: agreementOf },
    { title: "NAME", cut: true, text: ({ name }) => name },
  ];
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const differing = files.filter(({ ids }) => ids.length > 1);
  const more = differing.length - MAX_EXPLAINED;
  const notes = [
    `${plural(files.length, "file")}, ${formatBytes(bytes)}`,
    ...differing.slice(0, MAX_EXPLAINED).map(versionsText),
    ...more > 0 ? [`and ${more} more that differ`] : [],
  ];
  return [...renderTable(columns, files, width), "", ...notes.flatMap((line) => wrap(line, width))];
}

/** The versions of a file, the one that `get` takes first: most seeds, on a tie the lowest id. */
function versionsText({ name, ids, idOf }: OfferedFile): string {
  const holders = (id: string) => Object.keys(idOf).filter((seed) => idOf[seed] === id);
  const versions = ids.map((id) => ({ id, seeds: holders(id) }))
    .toSorted((a, b) => b.seeds.length - a.seeds.length);
  const texts = versions.map(({ id, seeds }) => `${id.slice(0, 8)} at ${seeds.join(", ")}`);
  return printable(`${name} differs: ${texts.join("; ")} (choose with p2p get --id)`);
}

/** Old seeds cannot prove what they have, so only the others count as having the same content. */
function agreementOf({ seeds, ids, idOf }: OfferedFile): string {
  if (ids.length > 1) return `${ids.length} versions`;
  if (ids.length === 0) return "unknown";
  const silent = Object.values(idOf).filter((id) => id === null).length;
  if (silent > 0) return `${seeds.length - silent} of ${seeds.length} same`;
  return seeds.length > 1 ? "same" : "-";
}

export function renderSilentSeeds(seeds: readonly SeedReport[]): string[] {
  return seeds.map(({ seed, error }) =>
    printable(`seed ${seed}: ${withoutSeed(seed, error) ?? "no answer"}`)
  );
}

/** A connection error names its seed, which the line does already. */
export function withoutSeed(seed: string, reason: string | null): string | undefined {
  return reason?.replace(`Cannot connect to ${seed}: `, "");
}

/** @param width of the widest line that fits. */
export function renderSeeds(seeds: readonly SeedHealth[], width: number): string[] {
  const columns: Column<SeedHealth>[] = [
    { title: "SEED", cut: true, text: ({ seed }) => seed },
    { title: "STATE", text: ({ ok }) => ok ? "ok" : "failed" },
    { title: "PROTOCOL", spare: 1, text: protocolOf },
    { title: "PING", right: true, spare: 2, text: pingOf },
    { title: "FILES", right: true, spare: 3, text: ({ files }) => String(files ?? "-") },
    {
      title: "SIZE",
      right: true,
      spare: 4,
      text: (s) => s.bytes === null ? "-" : formatBytes(s.bytes),
    },
  ];
  const error = ({ seed, error }: SeedHealth) => withoutSeed(seed, error) ?? "";
  const whole = renderTable([...columns, { title: "ERROR", text: error }], seeds);
  if (whole.every((line) => displayWidth(line) <= width)) return whole;
  // A cut error would say nothing, so each error has lines of its own.
  const errors = seeds.flatMap(({ seed, error }) => error === null ? [] : withSeed(seed, error));
  return [
    ...renderTable(columns, seeds, width),
    ...errors.flatMap((line) => wrap(printable(line), width)),
  ];
}

function protocolOf({ dialect }: SeedHealth): string {
  switch (dialect) {
    case null:
      return "-";
    case "session":
      return "v2";
    case "one-shot":
      return "v1";
    case "http":
      return "http";
  }
}

function pingOf({ roundTripMs }: SeedHealth): string {
  if (roundTripMs === null) return "-";
  return roundTripMs < 1 ? "<1 ms" : `${roundTripMs} ms`;
}
