/** How much of a file is there, for programs: whole percents, as people read them, are made where they are shown. */

/** 0 to 100, one decimal, rounded down so that 100 is said of nothing less than all; null while the size is unknown. */
export function percentThere(bytes: number, size: number | null): number | null {
  if (size === null) return null;
  return size === 0 ? 100 : Math.floor(bytes * 1000 / size) / 10;
}
