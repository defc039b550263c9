/**
 * The whole terminal, for as long as somebody looks at it: a screen of its own
 * without a cursor, painted line by line, and the old screen back on every way
 * out. Only lines that changed are written, all in one write.
 */
import type { Output } from "./environment.ts";
import { alignColumns } from "./align_columns.ts";
import type { Frame } from "./ui/watch/watch_screen.ts";

const ESCAPE = "\x1b[";
/** Without wrapping: a terminal that counts a character wider than we do cuts the line instead. */
const CLEAN = `${ESCAPE}?25l${ESCAPE}?7l${ESCAPE}2J`;
const ENTER = `${ESCAPE}?1049h${CLEAN}`;
const LEAVE = `${ESCAPE}?7h${ESCAPE}?25h${ESCAPE}?1049l`;
/** Terminals that know it show what is between at once; the others pass it over. */
const [BEGIN, END] = [`${ESCAPE}?2026h`, `${ESCAPE}?2026l`];
const CLEAR_BELOW = `${ESCAPE}0J`;
const [INVERT, PLAIN] = [`${ESCAPE}7m`, `${ESCAPE}0m`];

export class FullScreen implements Disposable {
  readonly #output: Output;
  /** Each line as it was written, by row. */
  #written: readonly string[] = [];
  #left = false;

  constructor(output: Output) {
    this.#output = output;
    output.write(ENTER);
  }

  /** @param frame no more lines than the terminal has rows, none as wide as it. */
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

  /** What was written may not be there any more: the next frame is painted whole. */
  forget(): void {
    if (this.#left) return;
    this.#written = [];
    // Not entered anew: the terminal would forget where the cursor was before.
    this.#output.write(CLEAN);
  }

  /** May be called more than once. */
  [Symbol.dispose](): void {
    if (!this.#left) this.#output.write(LEAVE);
    this.#left = true;
  }
}
