/** Numbers for people. */
import { formatBytes } from "../../core/mod.ts";

export { formatBytes, formatPart } from "../../core/mod.ts";

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** Whole percents, rounded down: only what is complete has 100. */
export function percentOf(bytes: number, of: number): number {
  return of === 0 ? 100 : Math.min(100, Math.floor(bytes * 100 / of));
}

/** `0:21`, `4:11`, `1:02:03`, `3d 4h`; `-` if unknown. */
export function formatEta(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return "-";
  const seconds = Math.ceil(ms / 1000);
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (hours >= 24 * 365) return "-";
  if (hours >= 24) return `${Math.floor(hours / 24)}d ${hours % 24}h`;
  const tail = twoDigits(seconds % 60);
  return hours === 0 ? `${minutes}:${tail}` : `${hours}:${twoDigits(minutes % 60)}:${tail}`;
}

/** `850 ms`, `3.1 s`, `89 s`, `12:03` */
export function formatElapsed(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : formatEta(ms);
}

/** Local time of day, `10:31:02`. */
export function formatTime(ms: number): string {
  const date = new Date(ms);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":");
}

/** Local day and minute, `2026-11-22 10:31`. */
export function formatMinute(ms: number): string {
  return `${formatDay(ms)} ${formatTime(ms).slice(0, -3)}`;
}

function formatDay(ms: number): string {
  const date = new Date(ms);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(twoDigits).join("-");
}

/** Local day and time with milliseconds, `2026-11-22 10:31:02.114`. */
export function formatMoment(ms: number): string {
  const date = new Date(ms);
  return `${formatDay(ms)} ${formatTime(ms)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}

/** "1 done, 2 active, 3 paused": the counts that are not 0, and those that are `always` shown. */
export function countsText(
  counts: Readonly<Record<string, number>>,
  always: readonly string[],
): string {
  return Object.entries(counts).filter(([name, count]) => count > 0 || always.includes(name))
    .map(([name, count]) => `${count} ${name}`).join(", ");
}
