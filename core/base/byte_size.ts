/** Byte counts as people read them. */

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

/** `3.1 GiB` */
export function formatBytes(bytes: number): string {
  const unit = unitOf(bytes);
  return `${inUnit(bytes, unit)} ${UNITS[unit]}`;
}

/** `3.1/5.0 GiB`: both in the unit of the whole. */
export function formatPart(bytes: number, of: number): string {
  const unit = unitOf(of);
  return `${inUnit(bytes, unit)}/${inUnit(of, unit)} ${UNITS[unit]}`;
}
