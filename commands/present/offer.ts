/** What seeds offer and how they are, as tables. */
import { type Offer, type OfferedFile, printable, type SeedReport } from "../../core/mod.ts";
import { renderTable } from "./table.ts";
import { formatBytes } from "./units.ts";

export function renderOffer({ files }: Offer): string[] {
  if (files.length === 0) return ["No files."];
  return renderTable(
    [
      { title: "SIZE", right: true },
      { title: "SEEDS", right: true },
      { title: "BYTES" },
      { title: "NAME" },
    ],
    files.map((file) => [
      formatBytes(file.size),
      String(file.seeds.length),
      agreementOf(file),
      file.name,
    ]),
  );
}

/** Old seeds cannot say what they hold, so agreement is only claimed of those that can. */
function agreementOf({ seeds, ids }: OfferedFile): string {
  if (ids.length > 1) return `differ (${ids.length})`;
  if (ids.length === 0) return "unknown";
  return seeds.length > 1 ? "agree" : "one seed";
}

export function renderSilentSeeds(seeds: readonly SeedReport[]): string[] {
  return seeds.map(({ seed, error }) =>
    `seed ${printable(seed)} does not answer: ${printable(error ?? "no reason known")}`
  );
}

export function renderSeeds(seeds: readonly SeedReport[]): string[] {
  return renderTable(
    ["SEED", "STATE", "DIALECT", "ERROR"].map((title) => ({ title })),
    seeds.map(({ seed, ok, dialect, error }) => [
      seed,
      ok ? "ok" : "failing",
      dialect ?? "-",
      error ?? "",
    ]),
  );
}
