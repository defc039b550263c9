/** Values as text for people and programs. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** The unit in which `bytes` has at most three digits; bytes themselves may have four. */
function unitOf(bytes: number): number {
  let unit = bytes < 1024 ? 0 : 1;
  while (
    unit > 0 && bytes / 1024 ** unit >= 999.5 && unit < UNITS.length - 1
  ) unit++;
  return unit;
}

function inUnit(bytes: number, unit: number): string {
  const value = bytes / 1024 ** unit;
  return unit === 0 ? String(Math.round(value)) : value.toFixed(
    value < 9.95 ? 1 : 0,
  );
}

/** Formats a number of bytes: `3.1 GiB`. */
export function formatBytes(bytes: number): string {
  const unit = unitOf(bytes);
  return `${inUnit(bytes, unit)} ${UNITS[unit]}`;
}

/** Formats a part of a whole, both in the unit of the whole: `3.1/5.0 GiB`. */
export function formatPart(bytes: number, of: number): string {
  const unit = unitOf(of);
  return `${inUnit(bytes, unit)}/${inUnit(of, unit)} ${UNITS[unit]}`;
}

/**
 * Percent that are done, 0 to 100 with one decimal, rounded down so that only a complete file has 100; null while the size is
 * unknown. An empty file has 0, because its bytes do not tell whether its download is done.
 */
export function percentDone(bytes: number, size: number | null): number | null {
  if (size === null) return null;
  return size === 0 ? 0 : Math.floor(bytes * 1000 / size) / 10;
}

/** Control characters (C0, C1, DEL), bidirectional overrides and line separators. */
const UNSAFE =
  // deno-lint-ignore no-control-regex -- it looks for control characters
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** Replaces unsafe characters of a name or of a seed's text by visible escapes, so that they cannot move the cursor or colour the screen. */
export function printable(text: string): string {
  return text.toWellFormed().replace(UNSAFE, (character) => {
    const hex = character.charCodeAt(0).toString(16);
    return hex.length > 2 ? `\\u${hex.padStart(4, "0")}` : `\\x${hex.padStart(2, "0")}`;
  });
}
