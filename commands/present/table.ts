/** Rows of text in columns. */
import { printable } from "../../core/mod.ts";
import { displayWidth, padEnd, padStart } from "./width.ts";

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** Each row has one text a column; all of it is made safe for a terminal here. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string[] {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => row.map(printable)),
  ];
  const widths = columns.map((_, i) =>
    lines.reduce((most, line) => Math.max(most, displayWidth(line[i] ?? "")), 0)
  );
  return lines.map((line) =>
    columns.map(({ right }, i) => (right ? padStart : padEnd)(line[i] ?? "", widths[i]!)).join("  ")
      .trimEnd()
  );
}

/** `name: value` lines with the values below each other. */
export function renderDetail(
  entries: readonly (readonly [string, string])[],
): string[] {
  const width = Math.max(0, ...entries.map(([name]) => name.length)) + 2;
  return entries.map(([name, value]) => (padEnd(`${name}:`, width) + printable(value)).trimEnd());
}
