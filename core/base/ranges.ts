/** Bytes `start` up to but not including `end`. */
export interface ByteRange {
  /** The first byte. */
  readonly start: number;
  /** The byte after the last one. */
  readonly end: number;
}

export function lengthOf(range: ByteRange): number {
  return range.end - range.start;
}

/** `range` cut into ranges of at most `most` bytes, in order. */
export function splitRange(range: ByteRange, most: number): ByteRange[] {
  const parts: ByteRange[] = [];
  for (let start = range.start; start < range.end; start += most) {
    parts.push({ start, end: Math.min(start + most, range.end) });
  }
  return parts;
}
