import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ProtocolError } from "../../core/base/errors.ts";
import { ErrorReply } from "../../core/protocol/error_replies.ts";
import {
  encodeOk,
  encodeSize,
  parseOneShotSize,
  parseReply,
  type Reply,
} from "../../core/protocol/replies.ts";
import { anySize, anyText, nearly, property } from "../base/property.ts";
import { assertErrorReply, show, word } from "./support.ts";

const good = [
  { line: "OK 0", reply: ok(0) },
  { line: "OK 5", reply: ok(5) },
  { line: "OK 9007199254740991", reply: ok(2 ** 53 - 1) },
  { line: "OK 12 more=1", reply: ok(12, { more: "1" }) },
  { line: "OK 12 a=b c=d=e", reply: ok(12, { a: "b", c: "d=e" }) },
  { line: "OK 12 a=", reply: ok(12, { a: "" }) },
  { line: "OK 12 a=\u2028", reply: ok(12, { a: "\u2028" }) },
  { line: "SIZE:0", reply: { kind: "size", size: 0 } },
  { line: "SIZE:9007199254740991", reply: { kind: "size", size: 2 ** 53 - 1 } },
] satisfies { line: string; reply: Reply }[];
for (const { line, reply } of good) {
  Deno.test(`parseReply() and the encoders agree on ${show(line)}`, () => {
    assertEquals<Reply>(parseReply(line), reply);
    assertEquals(encodeReply(reply), `${line}\n`);
  });
}

const loose = [
  { line: "OK 3 ", reply: ok(3) },
  { line: "OK 3  a=b  c", reply: ok(3, { a: "b" }) },
  { line: "OK 3 =b a=1 a=2", reply: ok(3, { a: "1" }) },
];
for (const { line, reply } of loose) {
  Deno.test(`parseReply() ignores what is no pair in ${show(line)}`, () => {
    assertEquals<Reply>(parseReply(line), reply);
  });
}

Deno.test("parseReply() returns an error reply", () => {
  const reply = parseReply("ERROR:RANGE too far");
  assert(reply.kind === "error");
  assertEquals([reply.error.code, reply.error.text], ["RANGE", "too far"]);
});

const bad = [
  "",
  " ",
  "OK",
  "OK ",
  "OK x",
  "OK -1",
  "OK +1",
  "OK 01",
  "OK 00",
  "OK  1",
  " OK 1",
  "ok 1",
  "OK:1",
  "OK 1,more=1",
  "OK 1.0",
  "OK 1\r",
  "OK 9007199254740992",
  "OK 99999999999999999999",
  "SIZE",
  "SIZE:",
  "SIZE: 1",
  "SIZE:1 ",
  "SIZE:01",
  "SIZE:-1",
  "SIZE:+1",
  "SIZE:1e3",
  "SIZE:9007199254740992",
  "SIZE 1",
  "size:1",
  "ERROR:",
  "ERROR: BUSY",
  "HELLO 2",
  "hello.txt",
];
for (const line of bad) {
  Deno.test(`parseReply() throws ProtocolError when the line is ${show(line)}`, () => {
    assertThrows(() => parseReply(line), ProtocolError, "Cannot read reply");
  });
}

const sizes = [
  { reply: "SIZE:0\n", want: 0 },
  { reply: "SIZE:1234\n", want: 1234 },
  { reply: "SIZE:1234\r\n", want: 1234 },
  { reply: "SIZE:12", want: 12 },
  { reply: "SIZE:12\r", want: 12 },
  { reply: "SIZE:12 ", want: 12 },
  { reply: "SIZE: 12\n", want: 12 },
  { reply: "SIZE:12\n\n", want: 12 },
  { reply: "SIZE:12\n\0", want: 12 },
  { reply: "SIZE:12\0", want: 12 },
  { reply: `SIZE:12\n${"\0".repeat(4096)}`, want: 12 },
];
for (const { reply, want } of sizes) {
  Deno.test(`parseOneShotSize() of ${show(reply)} is ${want}`, () => {
    assertEquals(parseOneShotSize(reply), want);
  });
}

const noSizes = [
  "",
  "\n",
  "SIZE:12\nSIZE:13\n",
  "SIZE:12\nx",
  "SIZE:12\0x",
  "SIZE:  12",
  "SIZE:\t12",
  "size:12",
  "12",
  "FILE NOT FOUND",
  "\nSIZE:12\n",
  "SIZE:\n",
  "SIZE:012\n",
  "SIZE:-1\n",
  "SIZE:9007199254740992\n",
  "12\n",
  "OK 0\n",
];
for (const reply of noSizes) {
  Deno.test(`parseOneShotSize() throws ProtocolError when the reply is ${show(reply)}`, () => {
    assertThrows(() => parseOneShotSize(reply), ProtocolError);
  });
}

Deno.test("parseOneShotSize() throws the error reply", () => {
  assertErrorReply(() => parseOneShotSize("ERROR:NOT_FOUND no such file\n"), "NOT_FOUND");
  assertErrorReply(() => parseOneShotSize("ERROR:BUSY\r\n"), "BUSY");
  assertErrorReply(() => parseOneShotSize("ERROR:NOT_FOUND a\u2028b\n"), "NOT_FOUND");
  assertErrorReply(() => parseOneShotSize("ERROR:BUSY"), "BUSY");
});

for (
  const reply of [
    "ERROR",
    "ERROR\n",
    "ERROR: File not found",
    "ERROR:FILE_NOT_FOUND\n",
    "ERROR 404\r\n\0\0",
    "ERRORS everywhere\nand more\n",
  ]
) {
  Deno.test(`parseOneShotSize() throws NOT_FOUND for ${show(reply)}`, () => {
    assertErrorReply(() => parseOneShotSize(reply), "NOT_FOUND");
  });
}

property(
  "parseReply() takes back what encodeOk() wrote",
  fc.tuple(anySize, fc.dictionary(word.filter((key) => key !== "__proto__"), word)),
  ([length, fields]) => {
    const line = encodeOk(length, fields);
    assert(line.endsWith("\n"));
    assertEquals<Reply>(parseReply(line.slice(0, -1)), ok(length, fields));
  },
);

property(
  "parseReply() and parseOneShotSize() take back what encodeSize() wrote",
  anySize,
  (size) => {
    assertEquals<Reply>(parseReply(encodeSize(size).slice(0, -1)), { kind: "size", size });
    assertEquals(parseOneShotSize(encodeSize(size)), size);
  },
);

const anyLine = fc.oneof(anyText, nearly(...good.map(({ line }) => line), "ERROR:BUSY no"));
property("parseReply() throws nothing but ProtocolError", anyLine, (line) => {
  try {
    parseReply(line);
  } catch (error) {
    assertInstanceOf(error, ProtocolError);
  }
});

const anyReply = fc.oneof(anyLine, nearly("SIZE:12\n", "SIZE:12\r\n", "ERROR:BUSY no\n"));
property(
  "parseOneShotSize() throws nothing but ProtocolError and ErrorReply",
  anyReply,
  (reply) => {
    try {
      const size = parseOneShotSize(reply);
      assertEquals(reply.replace(/[\0\r\n ]+$/, "").replace("SIZE: ", "SIZE:"), `SIZE:${size}`);
    } catch (error) {
      if (!(error instanceof ErrorReply)) assertInstanceOf(error, ProtocolError);
    }
  },
);

function ok(length: number, fields: Record<string, string> = {}) {
  return { kind: "ok" as const, length, fields: new Map(Object.entries(fields)) };
}

function encodeReply(reply: Exclude<Reply, { kind: "error" }>): string {
  return reply.kind === "size"
    ? encodeSize(reply.size)
    : encodeOk(reply.length, Object.fromEntries(reply.fields));
}
