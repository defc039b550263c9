/** What a handful of measurements says: the middle, how far they lie apart, and the line through them. */

/** The median, and the outermost of what was measured. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** y = start + slope * x */
export interface Line {
  readonly start: number;
  readonly slope: number;
}

/** @throws {RangeError} if there is nothing to take a median of. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take the median of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * How `these` compare with `those`, round by round: what disturbed the machine in one round
 * disturbed both, so the median of the ratios is calmer than the ratio of the medians.
 *
 * @throws {RangeError} if they do not have the same rounds.
 */
export function ratioOf(these: readonly number[], those: readonly number[]): Spread {
  if (these.length !== those.length) {
    throw new RangeError(`Cannot compare ${these.length} rounds with ${those.length}`);
  }
  return spreadOf(these.map((value, round) => value / those[round]!));
}

/** The line with the least squares. @throws {RangeError} if the points do not lie at two places at least. */
export function fitLine(points: readonly Point[]): Line {
  const meanX = meanOf(points.map(({ x }) => x));
  const meanY = meanOf(points.map(({ y }) => y));
  const width = sum(points.map(({ x }) => (x - meanX) ** 2));
  if (!(width > 0)) throw new RangeError("Cannot draw a line through less than two places");
  const slope = sum(points.map(({ x, y }) => (x - meanX) * (y - meanY))) / width;
  return { start: meanY - slope * meanX, slope };
}

/**
 * How much steeper it goes between the two rightmost places than between the first and the last
 * but one: about 1 where one more always costs the same, 2 where it has come to cost twice as much.
 * undefined with less than three places, or where it did not rise at first.
 */
export function bendOf(points: readonly Point[]): number | undefined {
  const byX = points.toSorted((a, b) => a.x - b.x);
  const [first, beforeLast, last] = [byX[0], byX.at(-2), byX.at(-1)];
  if (byX.length < 3 || !first || !beforeLast || !last) return undefined;
  const early = slopeBetween(first, beforeLast);
  return early > 0 ? slopeBetween(beforeLast, last) / early : undefined;
}

function slopeBetween(a: Point, b: Point): number {
  return (b.y - a.y) / (b.x - a.x);
}

function meanOf(values: readonly number[]): number {
  return sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
