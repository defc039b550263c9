/**
 * A block of lines at the bottom of a terminal that is painted over and over,
 * with permanent lines scrolling off above it. It hides nothing and changes no
 * mode of the terminal, so there is nothing to restore on any way out but the
 * block itself.
 */
import type { Output } from "./environment.ts";
import { alignColumns } from "./align_columns.ts";
import { displayWidth } from "./ui/width.ts";

const ESCAPE = "\x1b[";
const CLEAR_BELOW = `${ESCAPE}0J`;

export class Screen {
  readonly #output: Output;
  #block: readonly string[] = [];

  constructor(output: Output) {
    this.#output = output;
  }

  /** Writes `above` for good and `block` below it, in one write so that nothing flickers. */
  paint(above: readonly string[], block: readonly string[]): void {
    if (above.length === 0 && sameLines(block, this.#block)) return;
    // What stays may be wider than the terminal: it wraps over what the block left.
    const stays = above.length > 0 ? CLEAR_BELOW + above.join("\n") + "\n" : "";
    const lines = block.map((line) => alignColumns(line) + "\n");
    const text = this.#toTop() + stays + lines.join("") + CLEAR_BELOW;
    this.#block = block;
    this.#output.write(text);
  }

  /** Takes the block away; the next line is written where it was. */
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

function sameLines(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i]);
}
