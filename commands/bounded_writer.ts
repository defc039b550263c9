/**
 * Lines for a reader who may be slow, or have had enough after the first one and
 * keep the pipe: what is written to a full pipe waits, and who waits serves
 * nobody. So at most so many lines wait, and further ones are counted instead.
 */
import type { Output } from "./environment.ts";
import { jsonLine } from "./ui/json.ts";

/** Some hundred KiB. */
const MAX_WAITING_LINES = 1000;
/** For a reader that reads, to have the last lines. */
const FLUSH_MS = 1000;

export class BoundedWriter implements AsyncDisposable {
  readonly #output: Output;
  #waiting: string[] = [];
  #lost = 0;
  #writing: Promise<void> | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  put(line: string): void {
    if (this.#waiting.length < MAX_WAITING_LINES) this.#waiting.push(line);
    else this.#lost++;
    this.#writing ??= this.#write();
  }

  /** Waits for the reader, but not for long. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#writing) return;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, FLUSH_MS);
    await Promise.race([this.#writing, late.promise]);
    clearTimeout(timer);
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      if (this.#lost > 0) lines.push(jsonLine({ event: "lost", lines: this.#lost }));
      this.#lost = 0;
      await this.#output.writeSoon(lines.join("\n") + "\n");
    }
    this.#writing = undefined;
  }
}
