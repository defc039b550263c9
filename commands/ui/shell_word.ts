/** Text that can be pasted into a shell. */

/** `text` as one word. */
export function shellWord(text: string): string {
  return /^[\w./+@%,:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
