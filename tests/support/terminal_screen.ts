/**
 * A terminal without a window: takes what a program writes and knows what is to
 * be seen then. It understands exactly what p2p emits and throws at all else,
 * so a sequence from a file's name or from the wire cannot pass unseen.
 */

interface Cell {
  /** One character with its marks; "" for the right half of a wide one. */
  text: string;
  inverse: boolean;
}

type Row = Cell[];

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
}

/** Everything that may come beside text: what moves, what clears, what changes a mode. */
// deno-lint-ignore no-control-regex -- escape sequences are what it reads
const TOKEN = /\x1b\[(\??)([\d;]*)([A-Za-z])|[\r\n\b\x07]|[^\x00-\x1f\x7f-\x9f]+/y;
// deno-lint-ignore no-control-regex -- as above
const UNFINISHED = /\x1b(?:\[\??[\d;]*)?$/;

/** As `wcwidth` counts, which most terminals do: each code point alone. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1faff}\u{20000}-\u{3fffd}]$/u;
const COMBINING = /^[\p{Mn}\p{Me}\p{Cf}\ufe0f]$/u;

export class TerminalScreen {
  columns: number;
  rows: number;
  /** What scrolled off the top, oldest first. */
  readonly scrolled: string[] = [];
  cursorShown = true;
  alternate = false;
  /** Within a frame that is to be shown as a whole. */
  painting = false;
  /** Everything that was written. */
  text = "";
  wraps = true;
  #inverse = false;
  #grid: Row[] = [[]];
  #row = 0;
  #column = 0;
  /** The other screen, while the alternate one is shown. */
  #main: { grid: Row[]; row: number; column: number } | undefined;
  #rest = "";

  constructor({ columns, rows }: TerminalOptions) {
    this.columns = columns;
    this.rows = rows;
  }

  /** What is to be seen, without the empty lines below it. */
  get lines(): string[] {
    const lines = this.#grid.map(textOf);
    return lines.slice(0, lines.findLastIndex((line) => line !== "") + 1);
  }

  /** The same with all that scrolled off. */
  get story(): string[] {
    return [...this.scrolled, ...this.lines];
  }

  /** Columns of the widest line that is to be seen. */
  get widest(): number {
    const ends = this.#grid.map((row) => row.findLastIndex(({ text }) => text !== " ") + 1);
    return Math.max(0, ...ends);
  }

  /** Lines of which a part is inverse. */
  get inverse(): string[] {
    return this.#grid.filter((row) => row.some(({ inverse }) => inverse)).map(textOf);
  }

  write(text: string): void {
    this.text += text;
    const all = this.#rest + text;
    // A sequence may come in two parts.
    const cut = UNFINISHED.exec(all)?.index ?? all.length;
    this.#rest = all.slice(cut);
    TOKEN.lastIndex = 0;
    for (let at = 0; at < cut;) {
      TOKEN.lastIndex = at;
      const token = TOKEN.exec(all.slice(0, cut));
      if (token === null) throw new Error(`Cannot show ${JSON.stringify(all.slice(at, at + 20))}`);
      this.#take(token);
      at += token[0].length;
    }
  }

  /** As terminals do that keep lines whole: what is too wide now goes on in the next row. */
  resize({ columns, rows }: TerminalOptions): void {
    this.columns = columns;
    this.rows = rows;
    if (this.alternate) this.#grid = this.#grid.map((row) => row.slice(0, columns)).slice(0, rows);
    else this.#reflow(columns);
    this.#row = Math.min(this.#row, this.#grid.length - 1);
    this.#column = Math.min(this.#column, columns - 1);
    while (this.#grid.length > rows) this.#scroll();
  }

  #reflow(columns: number): void {
    const grid: Row[] = [];
    let cursorRow = 0;
    this.#grid.forEach((row, i) => {
      if (i === this.#row) cursorRow = grid.length;
      const width = row.findLastIndex(({ text }) => text !== " " && text !== "") + 1;
      for (let at = 0; at === 0 || at < width; at += columns) {
        grid.push(row.slice(at, at + columns));
      }
    });
    this.#grid = grid;
    this.#row = cursorRow;
  }

  #take([token, isPrivate, parameters, letter]: RegExpExecArray): void {
    if (letter !== undefined) {
      const numbers = (parameters ?? "").split(";").map(Number);
      if (isPrivate === "?") this.#setMode(numbers[0]!, letter, token);
      else this.#control(letter, numbers, token);
    } else if (token === "\r") this.#column = 0;
    else if (token === "\n") this.#newLine();
    else if (token === "\b" || token === "\x07") throw new Error("A bell or a backspace came");
    else for (const character of token) this.#put(character);
  }

  #control(letter: string, [first = 0, second = 0]: number[], token: string): void {
    switch (letter) {
      case "A":
        this.#row = Math.max(0, this.#row - Math.max(1, first));
        return;
      case "G":
        this.#column = Math.max(1, first) - 1;
        return;
      case "H":
        this.#row = Math.min(this.rows, Math.max(1, first)) - 1;
        this.#column = Math.min(this.columns, Math.max(1, second)) - 1;
        return this.#fillTo(this.#row);
      case "K":
        if (first === 0) {
          return void (this.#grid[this.#row]!.length = Math.min(
            this.#column,
            this.#grid[this.#row]!.length,
          ));
        }
        break;
      case "J":
        if (first === 2) return void (this.#grid = this.#grid.map(() => []));
        if (first === 0) {
          this.#grid.length = this.#row + 1;
          return this.#control("K", [0], token);
        }
        break;
      case "m":
        if (first === 7 || first === 0) return void (this.#inverse = first === 7);
    }
    throw new Error(`Unexpected sequence ${JSON.stringify(token)}`);
  }

  #setMode(mode: number, letter: string, token: string): void {
    const on = letter === "h";
    if (!on && letter !== "l") throw new Error(`Unexpected sequence ${JSON.stringify(token)}`);
    switch (mode) {
      case 7:
        this.wraps = on;
        return;
      case 25:
        this.cursorShown = on;
        return;
      case 1049:
        return this.#switch(on);
      case 2026:
        this.painting = on;
        return;
    }
    throw new Error(`Unexpected mode ${JSON.stringify(token)}`);
  }

  #switch(alternate: boolean): void {
    if (alternate === this.alternate) return;
    this.alternate = alternate;
    if (alternate) {
      this.#main = { grid: this.#grid, row: this.#row, column: this.#column };
      this.#grid = [[]];
      this.#row = this.#column = 0;
    } else if (this.#main) {
      ({ grid: this.#grid, row: this.#row, column: this.#column } = this.#main);
    }
  }

  #put(character: string): void {
    if (COMBINING.test(character)) return this.#mark(character);
    const width = WIDE.test(character) ? 2 : 1;
    if (this.#column + width > this.columns) {
      if (this.wraps) {
        this.#column = 0;
        this.#newLine();
      } else this.#column = this.columns - width;
    }
    const row = this.#grid[this.#row]!;
    while (row.length < this.#column) row.push({ text: " ", inverse: false });
    // The other half of a wide character that is written over is no character any more.
    if (row[this.#column]?.text === "" && this.#column > 0) row[this.#column - 1]!.text = " ";
    row[this.#column] = { text: character, inverse: this.#inverse };
    if (width === 2) row[this.#column + 1] = { text: "", inverse: this.#inverse };
    this.#column += width;
    if (row[this.#column]?.text === "") row[this.#column]!.text = " ";
  }

  #mark(character: string): void {
    const cells = this.#grid[this.#row]!.slice(0, this.#column);
    const marked = cells.findLast(({ text }) => text !== "");
    if (marked) marked.text += character;
  }

  #newLine(): void {
    this.#row++;
    this.#fillTo(this.#row);
    while (this.#grid.length > this.rows) this.#scroll();
  }

  #scroll(): void {
    const [gone] = this.#grid.splice(0, 1);
    if (!this.alternate) this.scrolled.push(textOf(gone!));
    this.#row = Math.max(0, this.#row - 1);
  }

  #fillTo(row: number): void {
    while (this.#grid.length <= row) this.#grid.push([]);
  }
}

function textOf(row: Row): string {
  return row.map(({ text }) => text).join("").trimEnd();
}
