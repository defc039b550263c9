/** Numbers on the wire: decimal ASCII without sign or leading zeros. */
const DECIMAL = /^(?:0|[1-9][0-9]*)$/;

/** undefined when `text` is not a number of the protocol; `Infinity` when it is one that no file can reach. */
export function parseNumber(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : Infinity;
}

/** As `parseNumber`, but only what a file's size or a length can be. */
export function parseSize(text: string): number | undefined {
  const number = parseNumber(text);
  return number === Infinity ? undefined : number;
}
