/**
 * The block at the bottom of the terminal: one line an active download and one
 * for all. It never grows taller than the terminal allows, and no line is wider.
 */
import { printable } from "../../core/mod.ts";
import { formatBytes, formatEta, formatPart, formatRate, percentOf, plural } from "./units.ts";
import { type TaskView, type Totals, type View } from "./view.ts";
import { clip, displayWidth, padEnd, padStart, shortenMiddle } from "./width.ts";

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

const MOST_LINES = 10;
const NARROWEST_NAME = 12;
const WIDEST_NAME = 60;
const NARROWEST_BAR = 8;
const WIDEST_BAR = 30;

export function renderProgress(
  view: View,
  { columns, rows }: ScreenSize,
  now: number,
): string[] {
  // A character in the last column makes some terminals begin a new line.
  const width = Math.max(1, columns - 1);
  const lines = Math.max(1, Math.min(MOST_LINES, rows - 2));
  const active = view.active(now);
  const layout = layoutFor(width, active);
  return [
    ...active.slice(0, lines - 1).map((task) => renderTask(task, layout)),
    renderTotals(view.totals(now), width),
  ].map((line) => clip(line, width).trimEnd());
}

/** The columns beside the name, the first to go when there is no room first. */
const CELLS = [
  { id: "seeds", width: 8 },
  { id: "bar", width: NARROWEST_BAR },
  { id: "part", width: 13 },
  { id: "eta", width: 7 },
  { id: "rate", width: 10 },
  { id: "percent", width: 4 },
] as const;

type Cell = typeof CELLS[number]["id"];

interface Layout {
  readonly name: number;
  readonly bar: number;
  readonly cells: ReadonlySet<Cell>;
}

/** Keeps what fits beside a readable name, then gives the room that is left to name and bar. */
function layoutFor(width: number, tasks: readonly TaskView[]): Layout {
  let kept: readonly typeof CELLS[number][] = CELLS;
  const room = () => width - kept.reduce((used, cell) => used + cell.width + 1, 0);
  while (kept.length > 0 && room() < NARROWEST_NAME) kept = kept.slice(1);
  const longest = tasks.reduce(
    (most, { name }) => Math.max(most, displayWidth(printable(name))),
    NARROWEST_NAME,
  );
  const name = Math.max(1, Math.min(room(), longest, WIDEST_NAME));
  const bar = Math.min(WIDEST_BAR, NARROWEST_BAR + room() - name);
  return { name, bar, cells: new Set(kept.map(({ id }) => id)) };
}

function renderTask(task: TaskView, layout: Layout): string {
  const word = wordFor(task);
  if (word !== undefined) {
    return `${padEnd(shortenMiddle(printable(task.name), layout.name), layout.name)} ${word}`;
  }
  const cells: Record<Cell, () => string> = {
    percent: () => padStart(percentText(task), 4),
    bar: () => renderBar(task, layout.bar),
    part: () => padStart(partText(task), 13),
    rate: () => padStart(rateText(task), 10),
    eta: () => padStart(etaText(task), 7),
    seeds: () => padStart(plural(task.seeds.length, "seed"), 8),
  };
  const order = Object.keys(cells) as Cell[];
  return [
    padEnd(shortenMiddle(printable(task.name), layout.name), layout.name),
    ...order.filter((id) => layout.cells.has(id)).map((id) => cells[id]()),
  ].join(" ");
}

/** What to say instead of figures, while nothing comes. */
function wordFor({ state, trouble, held, size }: TaskView): string | undefined {
  const share = size !== null && held > 0 ? `${percentOf(held, size)}%  ` : "";
  if (state === "paused") return `${share}paused; p2p resume lets it go on`;
  if (trouble === null || state === "downloading" || state === "verifying") return undefined;
  return `${share}${state}: ${printable(trouble)}`;
}

function percentText({ held, size }: TaskView): string {
  return size === null ? "-" : `${percentOf(held, size)}%`;
}

function renderBar({ held, size }: TaskView, width: number): string {
  const full = size === null ? 0 : Math.floor(percentOf(held, size) * width / 100);
  return "#".repeat(full) + "-".repeat(width - full);
}

function partText({ held, size }: TaskView): string {
  return size === null ? "" : formatPart(held, size);
}

/** Finding and verifying have no rate, and silence would look like a hang. */
function rateText({ state, rate }: TaskView): string {
  return state === "downloading" ? formatRate(rate) : state;
}

function etaText(task: TaskView): string {
  return task.state === "downloading" ? formatEta(task.etaMs) : "";
}

/** The longest way to say it that fits. */
function renderTotals(totals: Totals, width: number): string {
  const rate = formatRate(totals.rate);
  const eta = totals.etaMs === null ? "" : `ETA ${formatEta(totals.etaMs)}`;
  const share = totals.size > 0 ? shareText(totals) : "";
  const all = totals.done + totals.active + totals.waiting + totals.failed;
  const ways = [
    [countsText(totals), share, rate, eta],
    [`${totals.done}/${all} done`, share, rate, eta],
    [`${totals.done}/${all} done`, rate, eta],
  ].map((parts) => parts.filter((part) => part !== "").join("  "));
  return ways.find((way) => way.length <= width) ?? ways.at(-1)!;
}

function countsText({ done, active, waiting, failed }: Totals): string {
  return [
    `${done} done`,
    `${active} active`,
    ...waiting > 0 ? [`${waiting} waiting`] : [],
    ...failed > 0 ? [`${failed} failed`] : [],
  ].join(", ");
}

export function shareText({ held, size, sizeKnown }: Totals): string {
  return sizeKnown
    ? `${percentOf(held, size)}% of ${formatBytes(size)}`
    : `${formatBytes(held)} of at least ${formatBytes(size)}`;
}
