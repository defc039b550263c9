import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  detectHttp,
  HttpError,
  MAX_FIELDS,
  MAX_HEAD_BYTES,
  parseHttpRequest,
} from "../../core/protocol/http_request.ts";
import { parseHttpTarget } from "../../core/protocol/http_target.ts";
import { HeadTooLongError, ReadBuffer } from "../../core/protocol/read_buffer.ts";
import { property } from "../base/property.ts";
import { bytesOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";
import { fill } from "./support.ts";

function statusOf(head: string): number {
  try {
    parseHttpRequest(bytesOf(head));
    return 200;
  } catch (error) {
    assert(error instanceof HttpError, String(error));
    return error.status;
  }
}

function head(...lines: string[]): string {
  return [...lines, "", ""].join("\r\n");
}

test("parseHttpRequest() reads method, target and fields", () => {
  const request = parseHttpRequest(bytesOf(head(
    "GET /a%20b?x=1 HTTP/1.1",
    "Host: nas1:7270",
    "RANGE:bytes=0-1",
    "X-Empty:",
    'If-None-Match: "a"',
    'if-none-match:\t "b" \t',
  )));
  assertEquals({ ...request, fields: Object.fromEntries(request.fields) }, {
    method: "GET",
    target: "/a%20b?x=1",
    minor: 1,
    keepAlive: true,
    fields: {
      host: "nas1:7270",
      range: "bytes=0-1",
      "x-empty": "",
      "if-none-match": '"a", "b"',
    },
  });
});

for (
  const [connection, version, keepAlive] of [
    ["", "1.1", true],
    ["Connection: close", "1.1", false],
    ["Connection: x, Close", "1.1", false],
    ["", "1.0", false],
    ["Connection: Keep-Alive", "1.0", true],
    ["Connection: keep-alive, close", "1.0", false],
    ["", "1.9", true],
  ] as const
) {
  test(`parseHttpRequest() keeps a connection of HTTP/${version} with "${connection}": ${keepAlive}`, () => {
    const lines = [`GET / HTTP/${version}`, "Host: a", ...connection === "" ? [] : [connection]];
    assertEquals(parseHttpRequest(bytesOf(head(...lines))).keepAlive, keepAlive);
  });
}

test("parseHttpRequest() keeps every byte of a target", () => {
  const { target } = parseHttpRequest(bytesOf(head("GET /\u00dc\u{1f600} HTTP/1.1", "Host: a")));
  assertEquals(parseHttpTarget(target).name, "\u00dc\u{1f600}");
});

/** Where two parsers could find different requests in the same bytes. */
const REFUSED: readonly (readonly [string, string, number])[] = [
  ["a bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400],
  ["one bare LF", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400],
  ["a bare CR", "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400],
  ["a CR before the line end", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400],
  ["a NUL", "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", 400],
  ["a folded field", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400],
  ["a field folded by a tab", "GET / HTTP/1.1\r\nHost: a\r\n\tz: 1\r\n\r\n", 400],
  ["a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400],
  ["a line without a colon", "GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", 400],
  ["a field without a name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400],
  [
    "two lengths",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    400,
  ],
  ["a list of lengths", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n", 400],
  ["a signed length", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n", 400],
  ["a hexadecimal length", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n", 400],
  ["a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 400],
  ["chunks", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
  ["an unknown encoding", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 400],
  [
    "length and encoding",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
    400,
  ],
  ["an encoding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400],
  ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
  ["two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400],
  ["no version", "GET /\r\nHost: a\r\n\r\n", 400],
  ["two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\n", 505],
  ["an unknown expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417],
  ["a long address", `GET /${"a".repeat(8192)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  ["many fields", `GET / HTTP/1.1\r\nHost: a\r\n${"A: b\r\n".repeat(MAX_FIELDS)}\r\n`, 431],
];

for (const [what, text, status] of REFUSED) {
  test(`parseHttpRequest() refuses ${what}`, () => assertEquals(statusOf(text), status));
}

test("parseHttpRequest() reads what is unusual and clear", () => {
  for (
    const text of [
      "GET / HTTP/1.0\r\n\r\n",
      "GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
      "GET / HTTP/1.1\r\nHost:\r\nExpect: 100-Continue\r\n\r\n",
      `GET / HTTP/1.1\r\nHost: a\r\n${"A: b\r\n".repeat(MAX_FIELDS - 1)}\r\n`,
      `GET / HTTP/1.1\r\nHost: a\r\nCookie: ${"x".repeat(15_000)}\r\n\r\n`,
    ]
  ) assertEquals(statusOf(text), 200, text.slice(0, 60));
});

for (
  const [line, want] of [
    ["GET / HTTP/1.1\r\n", "yes"],
    ["GET /\n", "yes"],
    ["HEAD / HTTP/1.0\r\n", "yes"],
    ["POST / HTTP/1.1\r\n", "yes"],
    ["PRI * HTTP/2.0\r\n", "yes"],
    ["GET / HT", "maybe"],
    ["G", "maybe"],
    ["HEA", "maybe"],
    ["", "no"],
    ["H", "maybe"],
    ["HE", "maybe"],
    ["HEL", "no"],
    ["HELLO 2\n", "no"],
    ["LIST\n", "no"],
    ["POST / HT", "no"],
    ["FILESIZE a HTTP/1.1\n", "no"],
    ["DOWNLOAD GET / HTTP/1.1\r\n", "no"],
    ["LIST / HTTP/1.1\r\n", "no"],
    ["FILESIZE GET / HTTP/1.1", "no"],
    ["\n", "no"],
  ] as const
) {
  test(`detectHttp() answers ${want} to ${JSON.stringify(line)}`, () => {
    assertEquals(detectHttp(bytesOf(line)), want);
  });
}

test("detectHttp() waits for the end of a long line of HTTP, up to the length of a head", () => {
  assertEquals(detectHttp(bytesOf("GET /".padEnd(MAX_HEAD_BYTES - 1, "x"))), "maybe");
  assertEquals(detectHttp(bytesOf("GET /".padEnd(MAX_HEAD_BYTES, "x"))), "yes");
});

const SPLIT = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

property(
  "ReadBuffer.takeHead() finds the same heads wherever the stream is divided",
  fc.tuple(
    fc.array(
      fc.constantFrom("GET / HTTP/1.1\r\nHost: a\r\n\r\n", SPLIT, "\r\n", "A\n\n", "x\r\n\n"),
      { maxLength: 20 },
    ),
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 }),
  ),
  ([parts, sizes]) => {
    const stream = bytesOf(parts.join(""));
    const buffer = new ReadBuffer(64);
    const heads: string[] = [];
    for (let at = 0, turn = 0; at < stream.length; turn++) {
      at += fill(buffer, stream.subarray(at, at + sizes[turn % sizes.length]!));
      for (let head = buffer.takeHead(); head; head = buffer.takeHead()) {
        heads.push(new TextDecoder().decode(head));
      }
    }
    assertEquals(heads, parts.filter((part) => part !== "\r\n"));
  },
);

test("ReadBuffer.takeHead() refuses a head that does not fit", () => {
  const buffer = new ReadBuffer();
  fill(buffer, bytesOf("GET / HTTP/1.1\r\n".padEnd(MAX_HEAD_BYTES - 1, "x")));
  assertEquals(buffer.takeHead(), undefined);
  fill(buffer, bytesOf("x"));
  assertThrows(() => buffer.takeHead(), HeadTooLongError);
});

test("ReadBuffer.takeHead() takes a head of 16 KiB", () => {
  const buffer = new ReadBuffer();
  const text = head(`GET / HTTP/1.1\r\nX: `.padEnd(MAX_HEAD_BYTES - 4, "x"));
  fill(buffer, bytesOf(text));
  assertEquals(buffer.takeHead()?.length, MAX_HEAD_BYTES);
});
