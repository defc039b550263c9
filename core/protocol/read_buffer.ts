import { ProtocolError } from "../base/errors.ts";
import { MAX_LINE_BYTES } from "./requests.ts";

const LF = 10;
const CR = 13;
/** Room for a full line and for the lines behind it; small, because what belongs to a body is copied out. */
const BUFFER_BYTES = 16 * 1024;
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A line grew past the limit: nothing behind it can be understood. */
export class LineTooLongError extends ProtocolError {
  constructor() {
    super(`Cannot read line: it is longer than ${MAX_LINE_BYTES} bytes`);
  }
}

/** A complete line that is not UTF-8; the next one may be. */
export class LineNotTextError extends ProtocolError {
  constructor() {
    super("Cannot read line: it is not UTF-8");
  }
}

/**
 * Bytes that have arrived and are not understood yet. A reader fills `space()`,
 * says how much came with `filled()`, and takes lines and bodies out, however
 * the stream was cut.
 */
export class ReadBuffer {
  #bytes: Uint8Array;
  #start = 0;
  #end = 0;
  /** Up to here there is no line end, so it is not searched again. */
  #searched = 0;

  /** @param capacity to begin with: where there are many, most never need more. */
  constructor(capacity = BUFFER_BYTES) {
    this.#bytes = new Uint8Array(capacity);
  }

  get buffered(): number {
    return this.#end - this.#start;
  }

  /** Where the next read goes; never empty when `takeLine` was asked before. */
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
   * @throws {LineTooLongError} @throws {LineNotTextError} the line is taken out.
   */
  takeLine(): string | undefined {
    const from = Math.max(this.#start, this.#searched);
    const at = this.#bytes.subarray(0, this.#end).indexOf(LF, from);
    const lineEnd = at < 0 ? this.#end : at;
    this.#searched = lineEnd;
    // A CR at the end belongs to the line end, or may yet.
    const endsInCr = lineEnd > this.#start && this.#bytes[lineEnd - 1] === CR;
    const cut = endsInCr ? lineEnd - 1 : lineEnd;
    if (cut - this.#start > MAX_LINE_BYTES) throw new LineTooLongError();
    if (at < 0) return undefined;
    const line = this.#bytes.subarray(this.#start, cut);
    this.#start = at + 1;
    return this.#decode(line);
  }

  /**
   * All that is there, as the last line of a stream that ended without a line end.
   *
   * @throws {LineTooLongError} @throws {LineNotTextError} it is taken out.
   */
  takeRest(): string {
    const rest = this.#bytes.subarray(this.#start, this.#end);
    this.#start = this.#end;
    if (rest.length > MAX_LINE_BYTES) throw new LineTooLongError();
    return this.#decode(rest);
  }

  /** Moves bytes to the beginning of `target`, as many as there are and fit; says how many. */
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
