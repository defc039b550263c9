import { ProtocolError } from "../base/errors.ts";
import { MAX_HEAD_BYTES } from "./http_request.ts";
import { MAX_LINE_BYTES } from "./syntax.ts";

const LF = 10;
const CR = 13;
/** Room for the head of an HTTP request, or a full line and the lines after it; small, because bodies are copied out. */
const BUFFER_BYTES = MAX_HEAD_BYTES;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A line exceeds the limit; the stream cannot be parsed further. */
export class LineTooLongError extends ProtocolError {
  constructor() {
    super(`Cannot read line: it is longer than ${MAX_LINE_BYTES} bytes`);
  }
}

/** A complete line is not UTF-8; parsing can continue after it. */
export class LineNotTextError extends ProtocolError {
  constructor() {
    super("Cannot read line: it is not UTF-8");
  }
}

/** The head of an HTTP message is longer than `BUFFER_BYTES`. */
export class HeadTooLongError extends ProtocolError {
  constructor() {
    super(`Cannot read head: it is longer than ${BUFFER_BYTES} bytes`);
  }
}

/**
 * Buffers received bytes until they are parsed. A reader writes to `space()`, reports the number of
 * bytes with `filled()`, and takes out lines and bodies, wherever the stream was divided.
 */
export class ReadBuffer {
  #bytes: Uint8Array;
  #start = 0;
  #end = 0;
  /** There is no line end before this position. */
  #searched = 0;

  /** @param capacity the initial size; it grows to `BUFFER_BYTES` when needed. */
  constructor(capacity = BUFFER_BYTES) {
    this.#bytes = new Uint8Array(capacity);
  }

  get buffered(): number {
    return this.#end - this.#start;
  }

  /** Where the next read writes; not empty after `takeLine` returned undefined. */
  space(): Uint8Array {
    if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#searched = Math.max(0, this.#searched - this.#start);
      this.#start = 0;
    }
    if (this.#end === this.#bytes.length && this.#end < BUFFER_BYTES) {
      const larger = new Uint8Array(BUFFER_BYTES);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return this.#bytes.subarray(this.#end);
  }

  filled(count: number): void {
    this.#end += count;
  }

  /**
   * The next line without its end, or undefined while it is not complete.
   *
   * @throws {LineTooLongError} @throws {LineNotTextError} and removes the line.
   */
  takeLine(): string | undefined {
    const from = Math.max(this.#start, this.#searched);
    const at = this.#bytes.subarray(0, this.#end).indexOf(LF, from);
    const lineEnd = at < 0 ? this.#end : at;
    this.#searched = lineEnd;
    // A CR at the end is part of the line end, or will be when LF comes.
    const endsInCr = lineEnd > this.#start && this.#bytes[lineEnd - 1] === CR;
    const cut = endsInCr ? lineEnd - 1 : lineEnd;
    if (cut - this.#start > MAX_LINE_BYTES) throw new LineTooLongError();
    if (at < 0) return undefined;
    const line = this.#bytes.subarray(this.#start, cut);
    this.#start = at + 1;
    return this.#decode(line);
  }

  /**
   * All buffered bytes, as the last line of a stream that ended without a line end.
   *
   * @throws {LineTooLongError} @throws {LineNotTextError} and removes it.
   */
  takeRest(): string {
    const rest = this.#bytes.subarray(this.#start, this.#end);
    this.#start = this.#end;
    if (rest.length > MAX_LINE_BYTES) throw new LineTooLongError();
    return this.#decode(rest);
  }

  /** The buffered bytes; valid until the next call of another method. */
  peek(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /**
   * The next head of an HTTP message, up to and including its empty line, or undefined while it is
   * not complete; valid until the next call of another method. Empty lines before it are removed.
   *
   * @throws {HeadTooLongError} if it does not fit into the buffer.
   */
  takeHead(): Uint8Array | undefined {
    this.#skipEmptyLines();
    let from = Math.max(this.#start, this.#searched);
    for (;;) {
      const at = this.#bytes.subarray(0, this.#end).indexOf(LF, from);
      if (at < 0) break;
      if (this.#isEmptyLine(at)) {
        const head = this.#bytes.subarray(this.#start, at + 1);
        this.#start = at + 1;
        return head;
      }
      from = at + 1;
    }
    this.#searched = this.#end;
    if (this.buffered >= BUFFER_BYTES) throw new HeadTooLongError();
    return undefined;
  }

  #skipEmptyLines(): void {
    for (;;) {
      const at = this.#start;
      const length = this.#bytes[at] === CR ? 2 : 1;
      if (at + length > this.#end || this.#bytes[at + length - 1] !== LF) return;
      this.#start += length;
    }
  }

  /** Whether the line that ends at `at` is empty. */
  #isEmptyLine(at: number): boolean {
    const before = this.#bytes[at - 1] === CR ? at - 2 : at - 1;
    return before >= this.#start && this.#bytes[before] === LF;
  }

  /** Moves as many bytes as possible to the beginning of `target` and returns their number. */
  takeInto(target: Uint8Array): number {
    const count = Math.min(target.length, this.buffered);
    target.set(this.#bytes.subarray(this.#start, this.#start + count));
    this.#start += count;
    return count;
  }

  #decode(line: Uint8Array): string {
    try {
      return DECODER.decode(line);
    } catch {
      throw new LineNotTextError();
    }
  }
}
