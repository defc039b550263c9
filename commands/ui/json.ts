/** What programs read: lines of JSON. */

/**
 * A value as one line of JSON that is safe on a terminal: the characters that
 * `printable` makes visible and JSON itself leaves as they are (C1 controls,
 * bidirectional marks) become escapes, which mean the same to every parser.
 */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Those fields of `value` alone, in that order: what JSON promises stays as it is, whatever core adds. */
export function pick<T extends object, Name extends keyof T>(
  value: T,
  names: readonly Name[],
): Pick<T, Name> {
  return Object.fromEntries(names.map((name) => [name, value[name]])) as Pick<T, Name>;
}

const UNSAFE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
