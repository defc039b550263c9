/** How many columns text takes on a terminal, and cutting it to fit. */

/** Made when the first text is not plain: it takes 12 ms, a tenth of a command that only says something. */
let graphemes: Intl.Segmenter | undefined;

/** Each character as a reader sees it. */
function* segmentsOf(text: string): Iterable<string> {
  graphemes ??= new Intl.Segmenter("und", { granularity: "grapheme" });
  for (const { segment } of graphemes.segment(text)) yield segment;
}

/** Takes no column of its own: combining marks, and what is not to be seen. */
const MIN_COLUMNS = /^[\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}\p{Cc}]+$/u;

/** Two columns: East Asian wide and full-width characters, and pictures. */
const WIDE =
  /^(?:[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|.\ufe0f)/u;

const PLAIN_ASCII = /^[\x20-\x7e]*$/;

export function displayWidth(text: string): number {
  if (PLAIN_ASCII.test(text)) return text.length;
  let width = 0;
  for (const segment of segmentsOf(text)) width += widthOf(segment);
  return width;
}

/** Each character as a reader sees it, with the columns that it takes. */
export function* columnsOf(text: string): Iterable<{ segment: string; width: number }> {
  for (const segment of segmentsOf(text)) yield { segment, width: widthOf(segment) };
}

function widthOf(grapheme: string): number {
  if (MIN_COLUMNS.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

/** As much of the beginning of `text` as fits. */
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

/** As much of the end of `text` as fits. */
function clipStart(text: string, width: number): string {
  const all = Array.from(segmentsOf(text));
  let used = 0;
  let from = all.length;
  while (from > 0 && used + widthOf(all[from - 1]!) <= width) {
    used += widthOf(all[--from]!);
  }
  return all.slice(from).join("");
}

/** With less, names that differ in the middle look alike: before a name gets less, what can be missed beside it goes. */
export const READABLE_NAME = 20;

/** Both ends of a name tell most: the folder, and the number with the extension. */
export function shortenMiddle(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 5) return clip(text, width);
  const head = Math.ceil((width - 1) / 2);
  return `${clip(text, head)}…${clipStart(text, width - 1 - head)}`;
}

/** A sentence begins with what matters; that there was more is shown. */
export function shortenEnd(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  return width < 2 ? clip(text, width) : `${clip(text, width - 1)}…`;
}

/** `text` over as many lines as it takes: broken between words, and inside of one only where it is wider than a line. */
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
  for (let rest = word; rest !== "";) {
    const part = clip(rest, width);
    // Not even one character fits: the rest cannot be shown.
    if (part === "") break;
    parts.push(part);
    rest = rest.slice(part.length);
  }
  return parts;
}

/** What a line may take of a terminal: a character in the last column makes some of them begin a new line. */
export function lineWidth(columns: number): number {
  return Math.max(1, columns - 1);
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - displayWidth(text))) + text;
}

/** The first of `ways` to say it that fits, or the last, which is the shortest; all of them in ASCII. */
export function fitLine(ways: readonly string[], width: number): string {
  return ways.find((way) => way.length <= width) ?? ways.at(-1)!;
}
