import { Buffer } from "node:buffer";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { LineNotTextError, LineTooLongError, ReadBuffer } from "../../core/protocol/read_buffer.ts";
import { MAX_LINE_BYTES } from "../../core/protocol/syntax.ts";
import { anyBytes, anyText, property } from "../base/property.ts";
import { concat, fill } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";

const TOO_LONG = { fault: "too long" } as const;
const NOT_TEXT = { fault: "not text" } as const;
type Line = string | typeof TOO_LONG | typeof NOT_TEXT;

/** What `take` returns or throws. */
function outcomeOf<T>(take: () => T): T | typeof TOO_LONG | typeof NOT_TEXT {
  try {
    return take();
  } catch (error) {
    if (error instanceof LineTooLongError) return TOO_LONG;
    if (error instanceof LineNotTextError) return NOT_TEXT;
    throw error;
  }
}

/** All lines of `stream` and the rest, when it comes in parts of these sizes, repeated. */
function linesOf(stream: Uint8Array, sizes: readonly number[]): Line[] {
  const buffer = new ReadBuffer();
  const lines: Line[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const part = stream.subarray(at, at + (sizes[turn % sizes.length] ?? stream.length));
    at += fill(buffer, part);
    let line = outcomeOf(() => buffer.takeLine());
    for (; line !== undefined && line !== TOO_LONG; line = outcomeOf(() => buffer.takeLine())) {
      lines.push(line);
    }
    if (line === TOO_LONG) return [...lines, TOO_LONG];
  }
  return [...lines, outcomeOf(() => buffer.takeRest())];
}

/** The expected lines, from the whole stream. */
function linesByTheBook(stream: Uint8Array): Line[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let at = stream.indexOf(10); at >= 0; at = stream.indexOf(10, start)) {
    parts.push(stream.subarray(start, stream[at - 1] === 13 && at > start ? at - 1 : at));
    start = at + 1;
  }
  const lines = [...parts, stream.subarray(start)].map((part): Line => {
    if (part.length > MAX_LINE_BYTES) return TOO_LONG;
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(part);
    return bytesOf(text).toHex() === part.toHex() ? text : NOT_TEXT;
  });
  const long = lines.indexOf(TOO_LONG);
  return long < 0 ? lines : lines.slice(0, long + 1);
}

const NOT_UTF8 = Uint8Array.of(0x61, 0xc3, 0x28, 0x0a);

const streams: { name: string; stream: Uint8Array; want: Line[] }[] = [
  { name: "one line", stream: bytesOf("LIST\n"), want: ["LIST", ""] },
  { name: "a line and a rest", stream: bytesOf("LIST\nPI"), want: ["LIST", "PI"] },
  { name: "line ends only", stream: bytesOf("\n\r\n\n"), want: ["", "", "", ""] },
  { name: "CR before LF", stream: bytesOf("a\r\nb\n"), want: ["a", "b", ""] },
  { name: "two CR before LF", stream: bytesOf("a\r\r\n"), want: ["a\r", ""] },
  { name: "CR in a line, and at the end", stream: bytesOf("a\rb\nc\r"), want: ["a\rb", "c\r"] },
  { name: "characters of many bytes", stream: bytesOf("é日😀\n😀"), want: ["é日😀", "😀"] },
  {
    name: "a byte order mark",
    stream: bytesOf("\ufeffLIST\n\ufeff"),
    want: ["\ufeffLIST", "\ufeff"],
  },
  {
    name: "a bad line between good ones",
    stream: concat(bytesOf("PING\n"), NOT_UTF8, bytesOf("BYE\r\n")),
    want: ["PING", NOT_TEXT, "BYE", ""],
  },
  {
    name: "bad lines in a row",
    stream: concat(NOT_UTF8, NOT_UTF8, Uint8Array.of(0xff, 10), bytesOf("a\n")),
    want: [NOT_TEXT, NOT_TEXT, NOT_TEXT, "a", ""],
  },
  {
    name: "half a character before the line end",
    stream: concat(Uint8Array.of(0xf0, 0x9f, 0x98, 10), bytesOf("a\n")),
    want: [NOT_TEXT, "a", ""],
  },
  {
    name: "a surrogate in UTF-8",
    stream: concat(Uint8Array.of(0xed, 0xa0, 0x80, 10), bytesOf("a\n")),
    want: [NOT_TEXT, "a", ""],
  },
  {
    name: "a rest that is not text",
    stream: concat(bytesOf("a\n"), NOT_UTF8.subarray(0, 3)),
    want: ["a", NOT_TEXT],
  },
];
for (const { name, stream, want } of streams) {
  for (let cut = 0; cut <= stream.length; cut++) {
    Deno.test(`ReadBuffer yields ${name} when the stream is cut at byte ${cut}`, () => {
      assertEquals(linesOf(stream, [cut || stream.length, stream.length]), want);
    });
  }
  Deno.test(`ReadBuffer yields ${name} when the stream comes byte by byte`, () => {
    assertEquals(linesOf(stream, [1]), want);
    assertEquals(linesByTheBook(stream), want);
  });
}

const x = (count: number) => "x".repeat(count);
const lengths: { name: string; text: string; want: Line[] }[] = [
  { name: "4096 bytes and LF", text: `${x(4096)}\n`, want: [x(4096), ""] },
  { name: "4096 bytes and CR LF", text: `${x(4096)}\r\n`, want: [x(4096), ""] },
  { name: "4096 bytes and no end", text: x(4096), want: [x(4096)] },
  {
    name: "4096 bytes after a short line",
    text: `a\n${x(4096)}\r\nb\n`,
    want: ["a", x(4096), "b", ""],
  },
  { name: "4096 bytes of which one is CR", text: `${x(4095)}\r\r\n`, want: [`${x(4095)}\r`, ""] },
  {
    name: "4096 bytes in 1024 characters",
    text: `${"😀".repeat(1024)}\n`,
    want: ["😀".repeat(1024), ""],
  },
  { name: "4097 bytes and LF", text: `${x(4097)}\na\n`, want: [TOO_LONG] },
  { name: "4097 bytes and CR LF", text: `${x(4097)}\r\na\n`, want: [TOO_LONG] },
  { name: "4097 bytes and no end", text: x(4097), want: [TOO_LONG] },
  { name: "4097 bytes of which one is CR", text: `${x(4096)}\r\r\n`, want: [TOO_LONG] },
  { name: "4097 bytes in characters of three", text: `${"日".repeat(1365)}xx\n`, want: [TOO_LONG] },
  { name: "4097 bytes after a short line", text: `a\n${x(4097)}\n`, want: ["a", TOO_LONG] },
  { name: "four times the buffer", text: x(65_536), want: [TOO_LONG] },
];
for (const { name, text, want } of lengths) {
  const stream = bytesOf(text);
  for (const sizes of [[stream.length], [1], [4095], [4096], [4097], [1000]]) {
    Deno.test(`ReadBuffer yields ${brief(want)} when given ${name} in parts of ${sizes}`, () => {
      assertEquals(linesOf(stream, sizes), want);
    });
  }
}

Deno.test("ReadBuffer yields a line of 4096 bytes whole when the stream is cut at any byte", () => {
  const stream = bytesOf(`${x(4096)}\r\nb\n`);
  for (let cut = 1; cut < stream.length; cut++) {
    assertEquals(linesOf(stream, [cut, stream.length]), [x(4096), "b", ""], `cut at ${cut}`);
  }
});

Deno.test("ReadBuffer.takeLine() throws as soon as a line is too long", () => {
  const buffer = new ReadBuffer();
  fill(buffer, bytesOf(x(4096)));
  assertEquals(buffer.takeLine(), undefined);
  fill(buffer, bytesOf("x"));
  assertThrows(() => buffer.takeLine(), LineTooLongError, "longer than 4096 bytes");
});

Deno.test("ReadBuffer.takeLine() waits for LF when 4096 bytes and CR have come", () => {
  const buffer = new ReadBuffer();
  fill(buffer, bytesOf(`${x(4096)}\r`));
  assertEquals(buffer.takeLine(), undefined);
  fill(buffer, bytesOf("y"));
  assertThrows(() => buffer.takeLine(), LineTooLongError);
});

Deno.test("ReadBuffer.takeLine() throws again after a line that was too long", () => {
  const buffer = new ReadBuffer();
  fill(buffer, bytesOf(`${x(5000)}\nLIST\n`));
  assertThrows(() => buffer.takeLine(), LineTooLongError);
  assertThrows(() => buffer.takeLine(), LineTooLongError);
});

Deno.test("ReadBuffer.takeLine() keeps the beginning of a line that was too long", () => {
  const buffer = new ReadBuffer();
  fill(buffer, bytesOf(`DOWNLOAD ${x(5000)}`));
  assertThrows(() => buffer.takeLine(), LineTooLongError);
  const verb = new Uint8Array(8);
  assertEquals(buffer.takeInto(verb), 8);
  assertEquals(verb, bytesOf("DOWNLOAD"));
});

Deno.test("ReadBuffer.space() is not empty after takeLine()", () => {
  const buffer = new ReadBuffer();
  const line = bytesOf(`${x(4000)}\n`);
  const stream = concat(...new Array(50).fill(line));
  let lines = 0;
  for (let at = 0; at < stream.length;) {
    assert(buffer.space().length > 0);
    at += fill(buffer, stream.subarray(at));
    while (buffer.takeLine() !== undefined) lines++;
  }
  assertEquals(lines, 50);
});

Deno.test("ReadBuffer.takeRest() returns everything, with line ends", () => {
  const buffer = new ReadBuffer();
  fill(buffer, bytesOf("a\nb\nc"));
  assertEquals(buffer.takeLine(), "a");
  assertEquals(buffer.takeRest(), "b\nc");
  assertEquals(buffer.buffered, 0);
  assertEquals(buffer.takeRest(), "");
});

Deno.test("ReadBuffer.takeRest() removes bytes that are not UTF-8", () => {
  const buffer = new ReadBuffer();
  fill(buffer, Uint8Array.of(0xff));
  assertThrows(() => buffer.takeRest(), LineNotTextError);
  fill(buffer, bytesOf("LIST\n"));
  assertEquals(buffer.takeLine(), "LIST");
});

Deno.test("ReadBuffer.takeInto() moves as much as possible", () => {
  const buffer = new ReadBuffer();
  const target = new Uint8Array(4);
  assertEquals(buffer.takeInto(target), 0);
  fill(buffer, bytesOf("abcdef"));
  assertEquals(buffer.takeInto(new Uint8Array()), 0);
  assertEquals(buffer.buffered, 6);
  assertEquals(buffer.takeInto(target), 4);
  assertEquals(target, bytesOf("abcd"));
  assertEquals(buffer.takeInto(target), 2);
  assertEquals(target, bytesOf("efcd"));
  assertEquals(buffer.buffered, 0);
});

Deno.test("ReadBuffer.takeInto() copies, so that the space can be used again", () => {
  const buffer = new ReadBuffer();
  const target = new Uint8Array(3);
  fill(buffer, bytesOf("abc"));
  buffer.takeInto(target);
  fill(buffer, bytesOf("xyz"));
  assertEquals(target, bytesOf("abc"));
});

/** Lines, each with a body of this length. */
interface Message {
  readonly line: string;
  readonly body: Uint8Array;
}

function streamOf(messages: readonly Message[]): Uint8Array {
  return concat(...messages.flatMap(({ line, body }) => [bytesOf(`${line}\n`), body]));
}

/** Reads lines and bodies as a client does, which knows the lengths. */
function messagesOf(
  stream: Uint8Array,
  lengths: readonly number[],
  sizes: readonly number[],
): Message[] {
  const buffer = new ReadBuffer();
  let at = 0;
  let turn = 0;
  const more = () => {
    const size = sizes[turn++ % sizes.length] ?? stream.length;
    assert(at < stream.length, "the stream has ended");
    at += fill(buffer, stream.subarray(at, at + size));
  };
  return lengths.map((length) => {
    let line = buffer.takeLine();
    for (; line === undefined; line = buffer.takeLine()) more();
    const body = new Uint8Array(length);
    for (let got = 0; got < length;) {
      const count = buffer.takeInto(body.subarray(got));
      if (count === 0) more();
      got += count;
    }
    return { line, body };
  });
}

const MESSAGES: Message[] = [
  { line: "OK 5", body: bytesOf("a\nb\r\n") },
  { line: "OK 0", body: bytesOf("") },
  { line: "OK 3 é", body: Uint8Array.of(10, 255, 0) },
  { line: "SIZE:7", body: bytesOf("") },
];
const STREAM = streamOf(MESSAGES);
for (let cut = 1; cut <= STREAM.length; cut++) {
  Deno.test(`ReadBuffer yields bodies directly after lines when the stream is cut at byte ${cut}`, () => {
    const lengths = MESSAGES.map(({ body }) => body.length);
    assertEquals(messagesOf(STREAM, lengths, [cut, STREAM.length]), MESSAGES);
  });
}

Deno.test("ReadBuffer yields a body larger than its buffer", () => {
  const body = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
  const messages = [{ line: "OK 100000", body }, { line: "OK 0", body: new Uint8Array() }];
  assertEquals(messagesOf(streamOf(messages), [100_000, 0], [7777]), messages);
});

const cuts = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 6000 })),
  {
    minLength: 1,
    maxLength: 8,
  },
);
const segment = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("\n", "\r\n", "\r").map(bytesOf) },
  { weight: 4, arbitrary: anyText.map(bytesOf) },
  { weight: 2, arbitrary: anyBytes },
  { weight: 1, arbitrary: fc.integer({ min: 4085, max: 4100 }).map((count) => bytesOf(x(count))) },
);
const stream = fc.array(segment, { maxLength: 12 }).map((parts) => concat(...parts));
property(
  "Inbox yields the same lines for every cutting",
  fc.tuple(stream, cuts),
  ([stream, cuts]) => {
    assertEquals(linesOf(stream, cuts), linesByTheBook(stream));
  },
);

const message = fc.record({
  line: anyText.map((text) => text.toWellFormed().replace(/[\r\n]/g, " ")),
  body: fc.oneof(
    anyBytes,
    fc.integer({ min: 0, max: 20_000 }).map((count) => new Uint8Array(count).fill(10)),
  ),
});
property(
  "Inbox yields the same lines and bodies for every cutting",
  fc.tuple(fc.array(message, { maxLength: 6 }), cuts),
  ([messages, cuts]) => {
    const lengths = messages.map(({ body }) => body.length);
    const got = messagesOf(streamOf(messages), lengths, cuts);
    assertEquals(got.map(({ line }) => line), messages.map(({ line }) => line));
    got.forEach(({ body }, i) => assert(Buffer.from(body).equals(messages[i]!.body)));
  },
  300,
);

function brief(lines: readonly Line[]): string {
  return lines.map((line) => typeof line === "string" ? line.length : line.fault).join(", ");
}

Deno.test("ReadBuffer grows when a line does not fit", () => {
  const buffer = new ReadBuffer(4);
  let sent = 0;
  const line = "x".repeat(4000) + "\n";
  while (sent < line.length) {
    assertEquals(buffer.takeLine(), undefined);
    const space = buffer.space();
    const { written } = new TextEncoder().encodeInto(line.slice(sent), space);
    buffer.filled(written);
    sent += written;
  }
  assertEquals(buffer.takeLine(), line.trimEnd());
});
