/** As much of a terminal as the screen uses: text, line ends, and three sequences. Nothing else may come. */
export class TinyTerminal {
  readonly #lines: string[] = [""];
  #row = 0;
  #column = 0;

  write(text: string): void {
    // deno-lint-ignore no-control-regex -- escape sequences are what it reads
    for (const [part] of text.matchAll(/\x1b\[\d*[A-Z]|[\r\n]|[^\x1b\r\n]+/g)) {
      this.#take(part);
    }
  }

  /** What is to be seen, with all that scrolled off. */
  get lines(): string[] {
    const last = this.#lines.findLastIndex((line) => line.trim() !== "");
    return this.#lines.slice(0, last + 1).map((line) => line.trimEnd());
  }

  #take(part: string): void {
    const line = this.#lines[this.#row]!;
    if (part === "\n") {
      this.#column = 0;
      if (++this.#row === this.#lines.length) this.#lines.push("");
    } else if (part === "\r") {
      this.#column = 0;
    } else if (part === "\x1b[0K") {
      this.#lines[this.#row] = line.slice(0, this.#column);
    } else if (part === "\x1b[0J") {
      this.#lines[this.#row] = line.slice(0, this.#column);
      this.#lines.length = this.#row + 1;
    } else if (part.endsWith("A") && part.startsWith("\x1b[")) {
      this.#row -= Number(part.slice(2, -1));
      if (this.#row < 0) throw new Error("Moved above the first line");
    } else if (part.startsWith("\x1b")) {
      throw new Error(`Unexpected sequence ${JSON.stringify(part)}`);
    } else {
      this.#lines[this.#row] = line.slice(0, this.#column).padEnd(
        this.#column,
      ) + part + line.slice(this.#column + part.length);
      this.#column += part.length;
    }
  }
}
