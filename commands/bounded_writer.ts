/**
 * Lines for a reader that may be slow or stop reading: writing to a full pipe must not stop the seed,
 * so a bounded number of lines waits, and further ones are only counted.
 */
import type { Output } from "./environment.ts";
import { jsonLine } from "./ui/json.ts";

const MAX_WAITING_LINES = 1000;
/** Time for a slow reader to take the last lines. */
const FLUSH_TIMEOUT_MS = 1000;

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

  /** Waits for the reader, for a limited time. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#writing) return;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, FLUSH_TIMEOUT_MS);
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
