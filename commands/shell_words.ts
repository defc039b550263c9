/** An unfinished line of bash: its words, and how to write a completed one. */

export interface BashLine {
  /** The words before the current one, without quotes. */
  readonly words: readonly string[];
  /** The current word, without quotes. */
  readonly current: string;
  /** The open quote in it. */
  readonly quote: "" | "'" | '"';
  /** The part that bash keeps: it completes only what follows a ":" or "=". */
  readonly kept: string;
}

/** After these, bash begins a new word to complete; in a name they are escaped. */
const BREAKS = ":=@";
const BLANKS = " \t\n";

/** @param line up to the cursor. Of several commands only the last one counts. */
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

/** `word` as it must replace what bash takes for the current word. */
export function bashWord(word: string, { kept, quote }: BashLine): string {
  const rest = word.startsWith(kept) ? word.slice(kept.length) : word;
  // Bash keeps the open quote, and closes it.
  if (quote === "'") return rest.replaceAll("'", "'\\''");
  if (quote === '"') return rest.replaceAll(/[\\"$`]/g, "\\$&");
  return rest.replaceAll(/[^\p{L}\p{N}\p{M}_./,+%-]/gu, "\\$&").replace(/^(?=$)/, "''");
}
