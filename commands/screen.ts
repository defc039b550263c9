/**
 * Painting on a terminal: a block of lines at the bottom with permanent lines scrolling off above
 * it (`Screen`), or the whole terminal (`FullScreen`).
 */
import type { Output } from "./environment.ts";
import type { Frame } from "./ui/watch/screen.ts";
import { columnsOf, displayWidth } from "./ui/width.ts";

const ESCAPE = "\x1b[";
const CLEAR_BELOW = `${ESCAPE}0J`;
const CLEAR_RIGHT = `${ESCAPE}0K`;

/** Changes no mode of the terminal, so nothing needs restoring on any way out but the block itself. */
export class Screen {
  readonly #output: Output;
  #block: readonly string[] = [];

  constructor(output: Output) {
    this.#output = output;
  }

  /** Writes `above` permanently and `block` below it, in one write to avoid flicker. */
  paint(above: readonly string[], block: readonly string[]): void {
    const same = block.length === this.#block.length && block.every((x, i) => x === this.#block[i]);
    if (above.length === 0 && same) return;
    // A permanent line may be wider than the terminal: it wraps over what the block left.
    const permanent = above.length > 0 ? CLEAR_BELOW + above.join("\n") + "\n" : "";
    const lines = block.map((line) => alignColumns(line) + "\n");
    const text = this.#toTop() + permanent + lines.join("") + CLEAR_BELOW;
    this.#block = block;
    this.#output.write(text);
  }

  /** Removes the block; the next line is written in its place. */
  clear(): void {
    this.#output.write(this.#block.length > 0 ? this.#toTop() + CLEAR_BELOW : "");
    this.#block = [];
  }

  /** Moves to the first row of the block. A terminal that became narrower has wrapped its lines. */
  #toTop(): string {
    const { columns } = this.#output.size();
    const rows = this.#block.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(displayWidth(line) / columns)),
      0,
    );
    return rows === 0 ? "" : `\r${ESCAPE}${rows}A`;
  }
}

/** No cursor and no wrapping: a terminal that counts a character wider than we do then cuts the line. */
const RESET = `${ESCAPE}?25l${ESCAPE}?7l${ESCAPE}2J`;
const ENTER = `${ESCAPE}?1049h${RESET}`;
const LEAVE = `${ESCAPE}?7h${ESCAPE}?25h${ESCAPE}?1049l`;
/** Synchronized output: terminals that know it show the update at once, others ignore it. */
const [BEGIN, END] = [`${ESCAPE}?2026h`, `${ESCAPE}?2026l`];
const [INVERT, PLAIN] = [`${ESCAPE}7m`, `${ESCAPE}0m`];

/** The alternate screen, repainted line by line; the old screen is restored on every way out. */
export class FullScreen implements Disposable {
  readonly #output: Output;
  /** Each line as it was written, by row. */
  #written: readonly string[] = [];
  #left = false;

  constructor(output: Output) {
    this.#output = output;
    output.write(ENTER);
  }

  /** @param frame no more lines than the terminal has rows, each narrower than the terminal. */
  paint({ lines, picked }: Frame): void {
    if (this.#left) return;
    const written = lines.map((line, row) =>
      row === picked ? INVERT + alignColumns(line) + PLAIN : alignColumns(line)
    );
    const changes = written.flatMap((line, row) =>
      line === this.#written[row] ? [] : [`${ESCAPE}${row + 1};1H${line}`]
    );
    if (written.length < this.#written.length) {
      changes.push(`${ESCAPE}${written.length + 1};1H${CLEAR_BELOW}`);
    }
    this.#written = written;
    if (changes.length > 0) this.#output.write(BEGIN + changes.join("") + END);
  }

  /** The terminal may have lost what was written: the next frame is painted completely. */
  forget(): void {
    if (this.#left) return;
    this.#written = [];
    // Entering the alternate screen again would overwrite the saved cursor position.
    this.#output.write(RESET);
  }

  /** May be called more than once. */
  [Symbol.dispose](): void {
    if (!this.#left) this.#output.write(LEAVE);
    this.#left = true;
  }
}

const ASCII = /^[\x20-\x7e]*$/;

/**
 * `line` for a terminal that may count columns differently (emoji with a modifier, flags, characters
 * of ambiguous width): after each run of non-ASCII text the cursor moves to the column that we count,
 * so that the following columns line up. The rest of the row is cleared.
 */
export function alignColumns(line: string): string {
  if (ASCII.test(line)) return line + CLEAR_RIGHT;
  let column = 0;
  let doubtful = false;
  // Cleared before, not after: a terminal that counts less leaves a gap.
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
