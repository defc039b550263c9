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

export interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** Where there is no room for all, the one that says nothing goes first, then that with the lowest number; one without stays. */
  readonly spare?: number;
  /** Its texts lose their middle where there is no room for them; for one column of a table. */
  readonly cut?: boolean;
}

/** Each row has one text a column; all of it is made safe for a terminal here, and no line is wider than `width`. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width = Infinity,
): string[] {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => row.map(printable)),
  ];
  // Counted once: of a hundred thousand names that are not plain it takes seconds.
  const sizes = lines.map((line) => line.map(displayWidth));
  const natural = columns.map((column, i) => ({
    column,
    i,
    width: sizes.reduce((most, size) => Math.max(most, size[i] ?? 0), 0),
    says: rows.some((row) => row[i] !== NOTHING),
  }));
  const cells = fitted(natural, width);
  const fits = spread(cells) <= width;
  return lines.map((line, row) => {
    const texts = cells.map((cell) => cellText(line[cell.i] ?? "", sizes[row]![cell.i] ?? 0, cell));
    const text = texts.join(GAP).trimEnd();
    return fits ? text : shortenEnd(text, width);
  });
}

const GAP = "  ";
/** What stands for a figure that there is not. */
const NOTHING = "-";

/** A column, its place in a row, how wide it is, and whether any row says something in it. */
interface Cell {
  readonly column: Column;
  readonly i: number;
  readonly width: number;
  readonly says: boolean;
}

/** Those that there is room for; the one that may be cut gets what the others leave. */
function fitted(all: readonly Cell[], width: number): readonly Cell[] {
  if (spread(all) <= width) return all;
  let kept = all.filter(({ column, says }) => says || column.spare === undefined);
  const spares = kept.filter(({ column }) => column.spare !== undefined)
    .toSorted((a, b) => a.column.spare! - b.column.spare!);
  for (const spare of spares) {
    if (spread(kept.map((cell) => cutBy(cell, cell.width - READABLE_NAME))) <= width) break;
    kept = kept.filter((cell) => cell !== spare);
  }
  const over = spread(kept) - width;
  return kept.map((cell) => cutBy(cell, over));
}

/** What columns take beside each other. */
function spread(cells: readonly Cell[]): number {
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

/** `name: value` lines with the values below each other; none for what is null. */
export function renderDetail(entries: readonly (readonly [string, string | null])[]): string[] {
  const told = entries.flatMap(([name, value]) => value === null ? [] : [{ name, value }]);
  const width = Math.max(0, ...told.map(({ name }) => name.length)) + 2;
  return told.map(({ name, value }) => (padEnd(`${name}:`, width) + printable(value)).trimEnd());
}
