/** Byte ranges of HTTP (RFC 9110, section 14). */
import type { ByteRange } from "../base/ranges.ts";

/** Ranges of one request. More are not worth a response of their own: the whole is sent. */
export const MAX_RANGES = 16;

/**
 * The ranges that `value` asks for, inside `size`, in its order; undefined for the whole: without
 * ranges, or with ranges that are malformed, too many or overlapping (a few bytes of request could
 * ask for many times the file).
 *
 * @returns an empty list if no range lies inside.
 */
export function parseRanges(value: string | undefined, size: number): ByteRange[] | undefined {
  // Some clients send a range with every request, and no range lies inside of nothing.
  if (value === undefined || size === 0) return undefined;
  const [, set] = /^bytes=(.*)$/is.exec(value) ?? [];
  if (set === undefined) return undefined;
  const specs = set.split(",", MAX_RANGES + 1).map((spec) => spec.trim()).filter(Boolean);
  if (specs.length === 0 || specs.length > MAX_RANGES) return undefined;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const range = parseSpec(spec, size);
    if (range === undefined) return undefined;
    if (range.start < range.end) ranges.push(range);
  }
  return overlap(ranges) ? undefined : ranges;
}

/** undefined if it is malformed; empty if it lies outside. */
function parseSpec(spec: string, size: number): ByteRange | undefined {
  const [, first = "", last = ""] = /^(\d*)-(\d*)$/.exec(spec) ?? [];
  if (first === "" && last === "") return undefined;
  // Numbers that no file can reach lose precision, and stay too large.
  if (first === "") return { start: Math.max(0, size - Number(last)), end: size };
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  const end = last === "" ? size : Math.min(Number(last) + 1, size);
  return { start: Math.min(start, size), end: Math.max(end, Math.min(start, size)) };
}

function overlap(ranges: readonly ByteRange[]): boolean {
  const sorted = ranges.toSorted((a, b) => a.start - b.start);
  return sorted.some(({ start }, i) => i > 0 && start < sorted[i - 1]!.end);
}

/** The value of `Content-Range`; without a range for a 416. */
export function contentRange(range: ByteRange | undefined, size: number): string {
  return `bytes ${range ? `${range.start}-${range.end - 1}` : "*"}/${size}`;
}
