/** Helpers of the protocol tests. */
import fc from "fast-check";
import { assertEquals, assertThrows } from "@std/assert";
import { ErrorReply, type ErrorReplyCode } from "../../core/protocol/error_replies.ts";
import { type ListedFile, ListingPage } from "../../core/protocol/listing.ts";
import type { ReadBuffer } from "../../core/protocol/read_buffer.ts";

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Writes as much of `bytes` to `buffer` as it has room for, and returns how much. */
export function fill(buffer: ReadBuffer, bytes: Uint8Array): number {
  for (let given = 0;;) {
    const space = buffer.space();
    const part = bytes.subarray(given, given + space.length);
    if (part.length === 0) return given;
    space.set(part);
    buffer.filled(part.length);
    given += part.length;
  }
}

/** The files of a complete page. */
export function parseListing(text: string, after: string): ListedFile[] {
  const page = new ListingPage(after);
  page.add(text);
  return page.files;
}

export function assertErrorReply(run: () => unknown, code: ErrorReplyCode): void {
  assertEquals(assertThrows(run, ErrorReply).code, code);
}

/** The text for the name of a test: in quotes, and shortened when it is long. */
export function show(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length > 60 ? `${quoted.slice(0, 40)}… of ${text.length} units` : quoted;
}

/** A word of a reply: neither spaces nor line ends. */
export const word = fc.string({ unit: fc.constantFrom(..."abzAZ019-_./:|%é\u2028"), minLength: 1 });
