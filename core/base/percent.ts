/** How much of a file is there, for programs: whole percents, as people read them, are made where they are shown. */

/**
 * 0 to 100, one decimal, rounded down so that only a complete file has 100; null while the size is
 * unknown. An empty file is complete when its download is done, which its bytes cannot tell: 0.
 */
export function percentDone(bytes: number, size: number | null): number | null {
  if (size === null) return null;
  return size === 0 ? 0 : Math.floor(bytes * 1000 / size) / 10;
}
