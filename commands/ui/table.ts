/** Rows of text in columns. */
import { printable } from "../../core/mod.ts";
import {
  displayWidth,
  padEnd,
  padStart,
  READABLE_NAME,
  shortenEnd,
  shortenMiddle,
} from "./width.ts";

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly right?: boolean;
  /** If the table is too wide, empty columns are dropped first, then the one with the lowest number; one without a number stays. */
  readonly spare?: number;
  /** Whether its texts may be shortened in the middle; for one column of a table. */
  readonly cut?: boolean;
}

/** The rows made safe for a terminal; no line is wider than `width`. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width = Infinity,
): string[] {
  const texts = rows.map((row) => columns.map(({ text }) => printable(text(row))));
  const lines = [columns.map(({ title }) => title), ...texts];
  // Measured once: a hundred thousand names that are not ASCII take seconds.
  const sizes = lines.map((line) => line.map(displayWidth));
  const natural = columns.map((column, i) => ({
    column,
    i,
    width: sizes.reduce((most, size) => Math.max(most, size[i]!), 0),
    used: texts.some((row) => row[i] !== NOTHING),
  }));
  const cells = fitted(natural, width);
  const fits = totalWidth(cells) <= width;
  return lines.map((line, row) => {
    const shown = cells.map((cell) => cellText(line[cell.i]!, sizes[row]![cell.i]!, cell));
    const text = shown.join(GAP).trimEnd();
    return fits ? text : shortenEnd(text, width);
  });
}

const GAP = "  ";
const NOTHING = "-";

interface Cell {
  readonly column: Omit<Column<never>, "text">;
  readonly i: number;
  readonly width: number;
  /** Whether any row has something in it. */
  readonly used: boolean;
}

/** The columns that fit; the one that may be shortened gets the remaining width. */
function fitted(all: readonly Cell[], width: number): readonly Cell[] {
  if (totalWidth(all) <= width) return all;
  let kept = all.filter(({ column, used }) => used || column.spare === undefined);
  const spares = kept.filter(({ column }) => column.spare !== undefined)
    .toSorted((a, b) => a.column.spare! - b.column.spare!);
  for (const spare of spares) {
    if (totalWidth(kept.map((cell) => cutBy(cell, cell.width - READABLE_NAME))) <= width) break;
    kept = kept.filter((cell) => cell !== spare);
  }
  const over = totalWidth(kept) - width;
  return kept.map((cell) => cutBy(cell, over));
}

function totalWidth(cells: readonly Cell[]): number {
  return cells.reduce((sum, { width }) => sum + width, (cells.length - 1) * GAP.length);
}

function cutBy(cell: Cell, columns: number): Cell {
  if (!cell.column.cut || columns <= 0) return cell;
  return { ...cell, width: Math.max(1, cell.width - columns) };
}

function cellText(text: string, size: number, { column, width }: Cell): string {
  const pad = column.right ? padStart : padEnd;
  if (size > width) return pad(shortenMiddle(text, width), width);
  const gap = " ".repeat(width - size);
  return column.right ? gap + text : text + gap;
}

/** `name: value` lines with aligned values; null values are left out. */
export function renderDetail(entries: readonly (readonly [string, string | null])[]): string[] {
  const shown = entries.flatMap(([name, value]) => value === null ? [] : [{ name, value }]);
  const width = Math.max(0, ...shown.map(({ name }) => name.length)) + 2;
  return shown.map(({ name, value }) => (padEnd(`${name}:`, width) + printable(value)).trimEnd());
}
