/**
 * The block at the bottom of the terminal: one line an active download and one
 * for all. It never grows taller than the terminal allows, and no line is wider.
 */
import type { RunProgress, Totals } from "../../core/mod.ts";
import { layoutRows, renderRow } from "./task_row.ts";
import { formatBytes, formatEta, formatRate, percentOf } from "./units.ts";
import { clip, fitLine, lineWidth } from "./width.ts";

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

const MAX_LINES = 10;

export function renderProgress(
  view: RunProgress,
  { columns, rows }: ScreenSize,
  now: number,
): string[] {
  const width = lineWidth(columns);
  const lines = Math.max(1, Math.min(MAX_LINES, rows - 2));
  const active = view.active(now, lines - 1);
  const layout = layoutRows(active, width);
  return [
    ...active.map((task) => renderRow(task, layout)),
    clip(renderTotals(view.totals(now), width), width),
  ];
}

/** All tasks in one line: the longest way to say it that fits. */
function renderTotals(totals: Totals, width: number): string {
  const rate = formatRate(totals.rate);
  const eta = totals.etaMs === null ? "" : `ETA ${formatEta(totals.etaMs)}`;
  const share = totals.size > 0 ? shareText(totals) : "";
  const failed = totals.failed > 0 ? `${totals.failed} failed` : "";
  const all = totals.done + totals.active + totals.waiting + totals.paused + totals.failed +
    totals.cancelled;
  const ways = [
    [countsText(totals), share, rate, eta],
    [`${totals.done}/${all} done`, failed, share, rate, eta],
    [`${totals.done}/${all} done`, failed, rate, eta],
    [`${totals.done}/${all} done`, failed, rate],
    [`${totals.done}/${all}`, failed, rate],
  ].map((parts) => parts.filter((part) => part !== "").join("  "));
  return fitLine(ways, width);
}

function countsText({ done, active, waiting, paused, failed, cancelled }: Totals): string {
  return [
    `${done} done`,
    `${active} active`,
    ...waiting > 0 ? [`${waiting} waiting`] : [],
    ...paused > 0 ? [`${paused} paused`] : [],
    ...failed > 0 ? [`${failed} failed`] : [],
    ...cancelled > 0 ? [`${cancelled} cancelled`] : [],
  ].join(", ");
}

export function shareText({ downloaded, size, sizeKnown }: Totals): string {
  return sizeKnown
    ? `${percentOf(downloaded, size)}% of ${formatBytes(size)}`
    : `${formatBytes(downloaded)} of at least ${formatBytes(size)}`;
}
