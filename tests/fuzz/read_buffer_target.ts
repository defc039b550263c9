/** ReadBuffer, given a stream in parts, compared with a reader that has all of it at once. */
import { assert, assertEquals } from "@std/assert";
import { isUtf8 } from "node:buffer";
import { LineNotTextError, LineTooLongError, ReadBuffer } from "../../core/protocol/read_buffer.ts";
import { MAX_LINE_BYTES } from "../../core/protocol/syntax.ts";
import { diceOf } from "../sim/dice.ts";
import { assertSame, bytesOf, type Target, textOf } from "./target.ts";

const MAX_INPUT = 9000;
/** The capacity of a ReadBuffer. */
const MAX_BUFFERED = 16 * 1024;

export const READ_BUFFER_TARGET: Target = {
  name: "read-buffer",
  seeds: [
    bytesOf("HELLO 2\nPING\r\nBYE\n"),
    bytesOf("\n\r\n\r\r\nOK 5\nhello"),
    bytesOf(`${"x".repeat(MAX_LINE_BYTES)}\r\n${"y".repeat(MAX_LINE_BYTES + 1)}\n`),
    Uint8Array.from([0xff, 10, 0xc3, 0xa9, 13, 10, 0xc3, 10, 0xef, 0xbb, 0xbf, 10]),
  ],
  run(whole) {
    // Two lines that are too long fit; thousands of lines that are not UTF-8 would take too long.
    const input = whole.subarray(0, MAX_INPUT);
    // The input chooses the cuts, so that it reproduces a failure.
    const seed = input.reduce((sum, byte) => (sum * 31 + byte) >>> 0, input.length);
    const bodies = seed % 3 === 0;
    assertSame(readInPieces(input, diceOf(seed), bodies), readAtOnce(input, bodies), "lines");
  },
};

const TOO_LONG = "(too long)";
const NOT_TEXT = "(not text)";
/** Every fifth line is followed by a body of this length, when bodies are read. */
const BODY = 7;
const EVERY = 5;

function readInPieces(input: Uint8Array, random: () => number, bodies: boolean): string[] {
  const buffer = new ReadBuffer();
  const read: string[] = [];
  let given = 0;
  for (;;) {
    const taken = takeAll(buffer, read, bodies, given === input.length);
    if (taken === "over") return read;
    if (given === input.length) {
      read.push(takeRest(buffer));
      return read;
    }
    const space = buffer.space();
    assert(space.length > 0, "there is always room for more");
    const count = Math.min(
      1 + Math.floor(random() ** 2 * 9000),
      space.length,
      input.length - given,
    );
    space.set(input.subarray(given, given + count));
    buffer.filled(count);
    given += count;
    assert(buffer.buffered <= MAX_BUFFERED);
  }
}

/** Takes lines and bodies until none is complete. */
function takeAll(
  buffer: ReadBuffer,
  read: string[],
  bodies: boolean,
  ended: boolean,
): "over" | "more" {
  for (;;) {
    if (bodies && read.length % EVERY === EVERY - 1) {
      if (buffer.buffered < BODY && !ended) return "more";
      const body = new Uint8Array(BODY);
      const count = buffer.takeInto(body);
      read.push(body.subarray(0, count).toHex());
      if (count < BODY) return "over";
      continue;
    }
    const line = attemptLine(() => buffer.takeLine());
    if (line === undefined) return "more";
    read.push(line);
    if (line === TOO_LONG) return "over";
  }
}

function takeRest(buffer: ReadBuffer): string {
  const rest = attemptLine(() => buffer.takeRest())!;
  assertEquals(buffer.buffered, 0);
  return rest;
}

function attemptLine(take: () => string | undefined): string | undefined {
  try {
    const line = take();
    return line === undefined ? undefined : `=${line}`;
  } catch (error) {
    if (error instanceof LineTooLongError) return TOO_LONG;
    if (error instanceof LineNotTextError) return NOT_TEXT;
    throw error;
  }
}

/** The expected lines, from the whole stream. */
function readAtOnce(input: Uint8Array, bodies: boolean): string[] {
  const read: string[] = [];
  for (let at = 0;;) {
    if (bodies && read.length % EVERY === EVERY - 1) {
      const body = input.subarray(at, at + BODY);
      read.push(body.toHex());
      if (body.length < BODY) return read;
      at += BODY;
      continue;
    }
    const lf = input.indexOf(10, at);
    const end = lf < 0 ? input.length : lf;
    const cut = end > at && input[end - 1] === 13 ? end - 1 : end;
    if (cut - at > MAX_LINE_BYTES) return [...read, TOO_LONG];
    if (lf < 0) {
      return [...read, end - at > MAX_LINE_BYTES ? TOO_LONG : decode(input.subarray(at, end))];
    }
    read.push(decode(input.subarray(at, cut)));
    at = lf + 1;
  }
}

function decode(line: Uint8Array): string {
  return isUtf8(line) ? `=${textOf(line)}` : NOT_TEXT;
}
