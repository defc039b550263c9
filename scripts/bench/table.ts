/** Tables in Markdown, and the words for figures in them. */
import type { Spread } from "./statistics.ts";

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Lines below it. */
  readonly notes?: readonly string[];
}

/** Columns are as wide as their widest cell, the first to the left and the others to the right. */
export function renderTable({ title, head, rows, notes = [] }: Table): string {
  const widths = head.map((cell, i) =>
    Math.max(3, cell.length, ...rows.map((row) => (row[i] ?? "").length))
  );
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, i) => pad(cells[i] ?? "", width, i === 0)).join(" | ")} |`;
  const rule = widths.map((width, i) => i === 0 ? "-".repeat(width) : "-".repeat(width - 1) + ":");
  const table = [line(head), `| ${rule.join(" | ")} |`, ...rows.map(line)];
  const below = notes.length === 0 ? [] : ["", ...notes.map((note) => `- ${note}`)];
  return [`## ${title}`, "", ...table, ...below, ""].join("\n");
}

function pad(cell: string, width: number, left: boolean): string {
  return left ? cell.padEnd(width) : cell.padStart(width);
}

/** "0.62 (0.60-0.71)" */
export function spread({ median, min, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;
}

/** Milliseconds as seconds, with three digits. */
export function seconds(ms: number, digits = 3): string {
  return (ms / 1000).toFixed(digits);
}

export function secondsSpread({ median, min, max }: Spread): string {
  return spread({ median: median / 1000, min: min / 1000, max: max / 1000 }, 3);
}

/** KiB as whole MiB. */
export function mib(kib: number): string {
  return String(Math.round(kib / 1024));
}

/** "1 GiB", "16 KiB" */
export function bytes(count: number): string {
  const [unit, size] = ([["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]] as const)
    .find(([, size]) => count >= size) ?? ["B", 1] as const;
  return `${Number((count / size).toFixed(1))} ${unit}`;
}
