/**
 * Text from a name or from the wire, made safe for a terminal: control
 * characters (C0, C1, DEL), bidirectional overrides, and line separators become
 * visible escapes, so nothing foreign can move the cursor or colour the screen.
 */
const UNSAFE =
  // deno-lint-ignore no-control-regex -- control characters are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

export function printable(text: string): string {
  return text.toWellFormed().replace(UNSAFE, (character) => {
    const hex = character.charCodeAt(0).toString(16);
    return hex.length > 2 ? `\\u${hex.padStart(4, "0")}` : `\\x${hex.padStart(2, "0")}`;
  });
}
