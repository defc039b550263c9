/** The block at the bottom of the terminal: a line for each active download and one for all. It always fits. */
import type { RunProgress, Totals } from "../../core/mod.ts";
import { layoutRows, renderRow } from "./task_row.ts";
import { countsText, formatBytes, formatEta, formatRate, percentOf } from "./units.ts";
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
  const total = clip(renderTotals(view.totals(now), width), width);
  return [...active.map((task) => renderRow(task, layout)), total];
}

/** All tasks in one line: the longest form that fits. */
function renderTotals(totals: Totals, width: number): string {
  const rate = formatRate(totals.rate);
  const eta = totals.etaMs === null ? "" : `ETA ${formatEta(totals.etaMs)}`;
  const share = totals.size > 0 ? shareText(totals) : "";
  const failed = totals.failed > 0 ? `${totals.failed} failed` : "";
  const { done, active, waiting, paused, cancelled } = totals;
  const counts = { done, active, waiting, paused, failed: totals.failed, cancelled };
  const part = `${done}/${done + active + waiting + paused + totals.failed + cancelled}`;
  const forms = [
    [countsText(counts, ["done", "active"]), share, rate, eta],
    [`${part} done`, failed, share, rate, eta],
    [`${part} done`, failed, rate, eta],
    [`${part} done`, failed, rate],
    [part, failed, rate],
  ].map((parts) => parts.filter((part) => part !== "").join("  "));
  return fitLine(forms, width);
}

export function shareText({ downloaded, size, sizeKnown }: Totals): string {
  return sizeKnown
    ? `${percentOf(downloaded, size)}% of ${formatBytes(size)}`
    : `${formatBytes(downloaded)} of at least ${formatBytes(size)}`;
}
