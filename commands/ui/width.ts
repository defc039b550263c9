/** The width of text on a terminal, and shortening it. */

/** Made for the first text that is not ASCII, because it takes 12 ms, a tenth of a short command. */
let graphemes: Intl.Segmenter | undefined;

/** The grapheme clusters of `text`. */
function* segmentsOf(text: string): Iterable<string> {
  graphemes ??= new Intl.Segmenter("und", { granularity: "grapheme" });
  for (const { segment } of graphemes.segment(text)) yield segment;
}

/** No column of its own: combining marks and invisible characters. */
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}\p{Cc}]+$/u;

/** Two columns (Unicode 17): East Asian wide and full-width characters, and pictures. */
const WIDE =
  /^(?:[\u1100-\u115f\u2329\u232a\u2630-\u2637\u268a-\u268f\u2e80-\u303e\u3041-\u3247\u3250-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18d08}\u{1aff0}-\u{1b2ff}\u{1d300}-\u{1d356}\u{1d360}-\u{1d376}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|.\ufe0f)/u;

const PLAIN_ASCII = /^[\x20-\x7e]*$/;

export function displayWidth(text: string): number {
  if (PLAIN_ASCII.test(text)) return text.length;
  let width = 0;
  for (const segment of segmentsOf(text)) width += widthOf(segment);
  return width;
}

export function* columnsOf(text: string): Iterable<{ segment: string; width: number }> {
  for (const segment of segmentsOf(text)) yield { segment, width: widthOf(segment) };
}

function widthOf(grapheme: string): number {
  if (ZERO_WIDTH.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

export function clip(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let used = 0;
  let kept = "";
  for (const segment of segmentsOf(text)) {
    used += widthOf(segment);
    if (used > width) break;
    kept += segment;
  }
  return kept;
}

function clipStart(text: string, width: number): string {
  const all = Array.from(segmentsOf(text));
  let used = 0;
  let from = all.length;
  while (from > 0 && used + widthOf(all[from - 1]!) <= width) {
    used += widthOf(all[--from]!);
  }
  return all.slice(from).join("");
}

/** Shorter names are hard to tell apart, so optional columns are dropped before a name gets shorter than this. */
export const READABLE_NAME = 20;

/** Keeps both ends of a name: the folder, and the number with the extension. */
export function shortenMiddle(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 5) return clip(text, width);
  const head = Math.ceil((width - 1) / 2);
  return `${clip(text, head)}…${clipStart(text, width - 1 - head)}`;
}

/** Keeps the beginning of a sentence and marks the cut. */
export function shortenEnd(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  return width < 2 ? clip(text, width) : `${clip(text, width - 1)}…`;
}

/** `text` in lines, broken between words, and within a word only if it is wider than a line. */
export function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.pop() ?? "";
    const longer = last === "" ? word : `${last} ${word}`;
    if (displayWidth(longer) <= width) lines.push(longer);
    else lines.push(...last === "" ? [] : [last], ...broken(word, width));
  }
  return lines;
}

function broken(word: string, width: number): string[] {
  const parts: string[] = [];
  let rest = word;
  // Ends if not even one character fits.
  for (let part = clip(rest, width); part !== ""; part = clip(rest, width)) {
    parts.push(part);
    rest = rest.slice(part.length);
  }
  return parts;
}

/** The usable width of a line: a character in the last column starts a new line on some terminals. */
export function lineWidth(columns: number): number {
  return Math.max(1, columns - 1);
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - displayWidth(text))) + text;
}

/** The first of `forms` that fits, or the last, which is the shortest; all are ASCII. */
export function fitLine(forms: readonly string[], width: number): string {
  return forms.find((form) => form.length <= width) ?? forms.at(-1)!;
}
