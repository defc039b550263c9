/** A line of bash that is being written: its words, and how a completed one is written there. */

export interface BashLine {
  /** The whole words before the last one, without quotes. */
  readonly words: readonly string[];
  /** The one that is being written, without quotes. */
  readonly current: string;
  /** The quote that is open in it. */
  readonly quote: "" | "'" | '"';
  /** So much of it bash itself leaves as it is: it takes what follows a ":" or "=" for a word. */
  readonly kept: string;
}

/** Behind these bash begins a new word to complete; in a name they come escaped. */
const BREAKS = ":=@";
const BLANKS = " \t\n";

/** @param line up to the cursor. A line of several commands counts from the last one on. */
export function parseBashLine(line: string): BashLine {
  let words: string[] = [];
  let current = "";
  let begun = false;
  let kept = "";
  let quote: BashLine["quote"] = "";
  for (let i = 0; i < line.length; i++) {
    const letter = line[i]!;
    if (quote === "'" || quote === '"') {
      if (letter === quote) quote = "";
      else if (quote === '"' && letter === "\\" && '"\\$`'.includes(line[i + 1] ?? " ")) {
        current += line[++i];
      } else current += letter;
    } else if (letter === "'" || letter === '"') {
      quote = letter;
      begun = true;
    } else if (letter === "\\") {
      current += line[++i] ?? "";
      begun = true;
    } else if (BLANKS.includes(letter) || "|&;".includes(letter)) {
      if (begun || current !== "") words.push(current);
      if ("|&;".includes(letter)) words = [];
      [current, begun, kept] = ["", false, ""];
    } else {
      current += letter;
      if (BREAKS.includes(letter)) kept = current;
    }
  }
  return { words: words.slice(1), current, quote, kept };
}

/** `word` as it is to be put in place of what bash takes for the one being written. */
export function bashWord(word: string, { kept, quote }: BashLine): string {
  const rest = word.startsWith(kept) ? word.slice(kept.length) : word;
  // Bash keeps the open quote, and closes it.
  if (quote === "'") return rest.replaceAll("'", "'\\''");
  if (quote === '"') return rest.replaceAll(/[\\"$`]/g, "\\$&");
  return rest.replaceAll(/[^\p{L}\p{N}\p{M}_./,+%-]/gu, "\\$&").replace(/^(?=$)/, "''");
}
