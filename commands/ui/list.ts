/** What seeds offer and how they are, as tables. */
import {
  type Offer,
  type OfferedFile,
  printable,
  type SeedHealth,
  type SeedReport,
} from "../../core/mod.ts";
import { type Column, renderTable } from "./table.ts";
import { formatBytes } from "./units.ts";
import { withSeed } from "./why/account.ts";
import { displayWidth, wrap } from "./width.ts";

/** @param width of the widest line that there is room for. */
export function renderOffer({ files }: Offer, width: number): string[] {
  if (files.length === 0) return ["No files."];
  const table = renderTable(
    [
      { title: "SIZE", right: true },
      { title: "SEEDS", right: true, spare: 1 },
      { title: "BYTES", spare: 2 },
      { title: "NAME", cut: true },
    ],
    files.map((file) => [
      formatBytes(file.size),
      String(file.seeds.length),
      agreementOf(file),
      file.name,
    ]),
    width,
  );
  const differing = files.filter(({ ids }) => ids.length > 1);
  if (differing.length === 0) return table;
  const explained = differing.slice(0, MAX_EXPLAINED).map(whoHasWhat);
  return [...table, "", ...explained.flatMap((line) => wrap(line, width)), ...tail(differing)];
}

/** Enough to see which seed is wrong; the rest is in the JSON. */
const MAX_EXPLAINED = 20;

function tail(differing: readonly OfferedFile[]): string[] {
  const more = differing.length - MAX_EXPLAINED;
  return more > 0 ? [`and ${more} more that differ`] : [];
}

/** Content by content, the one that `get` takes first: that of most seeds, on a tie the lowest id. */
function whoHasWhat({ name, ids, idOf }: OfferedFile): string {
  const holders = (id: string) => Object.keys(idOf).filter((seed) => idOf[seed] === id);
  const contents = ids.map((id) => ({ id, seeds: holders(id) }))
    .toSorted((a, b) => b.seeds.length - a.seeds.length);
  const texts = contents.map(({ id, seeds }) => `${id.slice(0, 8)} at ${seeds.join(", ")}`);
  return printable(`${name} differs: ${texts.join("; ")} (choose with p2p get --id)`);
}

/** Old seeds cannot say what they hold, so agreement is only claimed of those that can. */
function agreementOf({ seeds, ids, idOf }: OfferedFile): string {
  if (ids.length > 1) return `differ (${ids.length})`;
  if (ids.length === 0) return "unknown";
  const silent = Object.values(idOf).filter((id) => id === null).length;
  if (silent > 0) return `${seeds.length - silent} of ${seeds.length} agree`;
  return seeds.length > 1 ? "agree" : "one seed";
}

export function renderSilentSeeds(seeds: readonly SeedReport[]): string[] {
  return seeds.map(({ seed, error }) =>
    `seed ${printable(seed)} does not answer: ${printable(error ?? "no reason known")}`
  );
}

/** @param width of the widest line that there is room for. */
export function renderSeeds(seeds: readonly SeedHealth[], width: number): string[] {
  const columns: readonly Column[] = [
    { title: "SEED", cut: true },
    { title: "STATE" },
    { title: "DIALECT", spare: 1 },
    { title: "PING", right: true, spare: 2 },
    { title: "FILES", right: true, spare: 3 },
    { title: "SIZE", right: true, spare: 4 },
  ];
  const rows = seeds.map(({ seed, ok, dialect, roundTripMs, files, bytes }) => [
    seed,
    ok ? "ok" : "failing",
    dialect ?? "-",
    roundTripMs === null ? "-" : roundTripMs < 1 ? "<1 ms" : `${roundTripMs} ms`,
    files === null ? "-" : String(files),
    bytes === null ? "-" : formatBytes(bytes),
  ]);
  const errors = seeds.map(({ error }) => error ?? "");
  const whole = renderTable(
    [...columns, { title: "ERROR" }],
    rows.map((row, i) => [...row, errors[i]!]),
  );
  if (whole.every((line) => displayWidth(line) <= width)) return whole;
  // An error that is cut says nothing: it has lines of its own.
  const told = seeds.flatMap(({ seed, error }) => error === null ? [] : withSeed(seed, error));
  return [
    ...renderTable(columns, rows, width),
    ...told.flatMap((line) => wrap(printable(line), width)),
  ];
}
