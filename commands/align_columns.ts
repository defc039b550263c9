/**
 * Text for a terminal that may count columns differently: of emoji with a
 * modifier, of flags, of what is narrow in one country and wide in another.
 * After all that is not ASCII the cursor is put where we count it to be, so that
 * the columns behind it stand below each other everywhere.
 */
import { columnsOf } from "./ui/width.ts";

const ESCAPE = "\x1b[";
const CLEAR_RIGHT = `${ESCAPE}0K`;
const ASCII = /^[\x20-\x7e]*$/;

/** `line`, written from the first column on, with nothing left behind it of what was there. */
export function alignColumns(line: string): string {
  if (ASCII.test(line)) return line + CLEAR_RIGHT;
  let column = 0;
  let doubtful = false;
  // A terminal that counts less leaves a gap: it is cleared before, not after.
  let text = CLEAR_RIGHT;
  for (const { segment, width } of columnsOf(line)) {
    const plain = ASCII.test(segment);
    if (plain && doubtful) text += `${ESCAPE}${column + 1}G`;
    doubtful = !plain;
    text += segment;
    column += width;
  }
  return text;
}
