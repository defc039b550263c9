/** The results as files: a page in Markdown for people, and JSON with every single run. */
import { join } from "@std/path";
import type { Machine } from "./machine.ts";
import { bytes, renderTable, type Table } from "./table.ts";

export interface Report {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly elapsedMs: number;
  readonly quick: boolean;
  readonly rounds: number;
  readonly machine: Machine;
  /** What could not be measured, and why. */
  readonly notes: readonly string[];
  readonly tables: readonly Table[];
  /** Everything that the tables were made from, by part. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** @returns the paths of what was written. */
export async function writeReport(report: Report, dir: string): Promise<string[]> {
  await Deno.mkdir(dir, { recursive: true });
  const stem = report.quick ? "quick" : "bench";
  const [page, data] = [join(dir, `${stem}.md`), join(dir, `${stem}.json`)];
  await Deno.writeTextFile(page, renderReport(report));
  await Deno.writeTextFile(data, JSON.stringify(report, null, 2) + "\n");
  return [page, data];
}

function renderReport(report: Report): string {
  return [renderHead(report), ...report.tables.map(renderTable)].join("\n");
}

function renderHead({ startedAt, elapsedMs, quick, rounds, machine, notes }: Report): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const minutes = (elapsedMs / 60_000).toFixed(1);
  const growth = quick ? ", of one for what grows" : "";
  const lines = [
    `${startedAt.slice(0, 10)}, ${minutes} minutes, load ${machine.load.toFixed(1)} at the start`,
    `${machine.cores} cores of ${machine.cpu}, ${
      bytes(machine.memoryBytes)
    }, ${machine.system}, ${machine.filesystem}`,
    versions.join(", "),
    `medians of ${rounds} rounds (min-max)${growth}, in turn, the order reversed in every second; ratios are medians of each round's; loopback, sources in the page cache, memory just used; every file compared with its source`,
    "user+sys, MiB: of the one who downloads; of the server: CPU of all processes, memory of the largest",
    ...notes,
  ];
  const title = quick ? "# Quick bench: small sizes, for a first look only" : "# Bench";
  return [title, "", ...lines.map((line) => `- ${line}`), ""].join("\n");
}
