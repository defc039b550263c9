/** What requests and replies are made of: lines, decimal numbers and `key=value` pairs. */

/** The longest request or reply line, without its line end. */
export const MAX_LINE_BYTES = 4096;

const DECIMAL = /^(?:0|[1-9][0-9]*)$/;

/** A decimal number without sign or leading zeros, or undefined; `Infinity` for one that no file can reach. */
export function parseNumber(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : Infinity;
}

/** As `parseNumber`, but undefined for a number that no file can reach. */
export function parseSize(text: string): number | undefined {
  const number = parseNumber(text);
  return number === Infinity ? undefined : number;
}

/** `key=value key=value`. The first of two equal keys counts; words without `=` are ignored. */
export function parsePairs(text: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const word of text.split(" ")) {
    const at = word.indexOf("=");
    if (at > 0 && !pairs.has(word.slice(0, at))) {
      pairs.set(word.slice(0, at), word.slice(at + 1));
    }
  }
  return pairs;
}
