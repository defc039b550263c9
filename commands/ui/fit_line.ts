/** The first of `ways` to say it that fits, or the last, which is the shortest; all of them in ASCII. */
export function fitLine(ways: readonly string[], width: number): string {
  return ways.find((way) => way.length <= width) ?? ways.at(-1)!;
}
