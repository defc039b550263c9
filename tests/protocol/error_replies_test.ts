import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  busyReply,
  encodeErrorReply,
  ERROR_REPLY_CODES,
  ErrorReply,
  parseErrorReply,
  percentOf,
  retryAfterMsOf,
} from "../../core/protocol/error_replies.ts";
import { MAX_LINE_BYTES } from "../../core/protocol/syntax.ts";
import { anyText, nearly, property } from "../base/property.ts";
import { show } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";

for (const code of ERROR_REPLY_CODES) {
  Deno.test(`parseErrorReply() and encodeErrorReply() agree on ${code}`, () => {
    const reply = new ErrorReply(code, "why not");
    assertEquals(encodeErrorReply(reply), `ERROR:${code} why not\n`);
    assertSame(parseErrorReply(`ERROR:${code} why not`), code, "why not");
  });
}

Deno.test("ERROR_REPLY_CODES are those of the protocol", () => {
  assertEquals(
    [...ERROR_REPLY_CODES].join(" "),
    "BAD_REQUEST TOO_LONG NOT_FOUND RANGE BUSY PENDING CHANGED AUTH SHUTDOWN INTERNAL",
  );
});

const lines = [
  { line: "ERROR:BUSY", code: "BUSY", text: "" },
  { line: "ERROR:BUSY ", code: "BUSY", text: "" },
  { line: "ERROR:BUSY  two spaces", code: "BUSY", text: " two spaces" },
  { line: "ERROR:AUTH no, ERROR:BUSY", code: "AUTH", text: "no, ERROR:BUSY" },
  { line: "ERROR:NOT_FOUND a\u2028b\u2029c", code: "NOT_FOUND", text: "a\u2028b\u2029c" },
  { line: "ERROR:NOT_FOUND a\rb", code: "NOT_FOUND", text: "a\rb" },
  { line: "ERROR:TEAPOT short and stout", code: "INTERNAL", text: "TEAPOT short and stout" },
  { line: "ERROR:TEAPOT", code: "INTERNAL", text: "TEAPOT" },
  { line: "ERROR:BUSYBODY x", code: "INTERNAL", text: "BUSYBODY x" },
  { line: "ERROR:BUS", code: "INTERNAL", text: "BUS" },
];
for (const { line, code, text } of lines) {
  Deno.test(`parseErrorReply() reads ${show(line)} as ${code}`, () => {
    assertSame(parseErrorReply(line), code, text);
  });
}

const others = [
  "",
  "ERROR",
  "ERROR:",
  "ERROR: BUSY",
  "ERROR BUSY",
  "ERROR:busy",
  "error:BUSY",
  " ERROR:BUSY",
  "ERROR:BUSY\tx",
  "OK 0",
  "SIZE:5",
  "xERROR:BUSY",
];
for (const line of others) {
  Deno.test(`parseErrorReply() rejects ${show(line)}`, () => {
    assertEquals(parseErrorReply(line), undefined);
  });
}

const texts = [
  { text: "", want: "ERROR:INTERNAL\n" },
  { text: "a\nb\r\nc", want: "ERROR:INTERNAL a b c\n" },
  { text: "\n\n", want: "ERROR:INTERNAL\n" },
  { text: "a ", want: "ERROR:INTERNAL a\n" },
  { text: "ERROR:BUSY", want: "ERROR:INTERNAL ERROR:BUSY\n" },
];
for (const { text, want } of texts) {
  Deno.test(`encodeErrorReply() makes one line of ${show(text)}`, () => {
    assertEquals(encodeErrorReply(new ErrorReply("INTERNAL", text)), want);
  });
}

const long = [
  { name: "letters", text: "x".repeat(10_000), keeps: "x".repeat(4000) },
  { name: "letters of three bytes", text: "日".repeat(4000), keeps: "日".repeat(1300) },
  { name: "letters of four bytes", text: "😀".repeat(4000), keeps: "😀".repeat(1000) },
];
for (const { name, text, keeps } of long) {
  Deno.test(`encodeErrorReply() cuts to the length of a line when given too many ${name}`, () => {
    const line = encodeErrorReply(new ErrorReply("INTERNAL", text));
    assert(bytesOf(line).length <= MAX_LINE_BYTES + 1);
    assert(line.startsWith(`ERROR:INTERNAL ${keeps}`));
    assert(line.endsWith("\n") && line.isWellFormed());
  });
}

const pauses = [
  { text: "retry-after-ms=250", want: 250 },
  { text: "retry-after-ms=250 too many clients", want: 250 },
  { text: "retry-after-ms=0", want: 100 },
  { text: "retry-after-ms=99", want: 100 },
  { text: "retry-after-ms=100", want: 100 },
  { text: "retry-after-ms=101", want: 101 },
  { text: "retry-after-ms=60000 x", want: 60_000 },
  { text: "retry-after-ms=60001 x", want: 60_000 },
  { text: "retry-after-ms=999999999999999 x", want: 60_000 },
  { text: `retry-after-ms=${"9".repeat(16)} x`, want: 60_000 },
  { text: `retry-after-ms=${"9".repeat(400)} x`, want: 60_000 },
  { text: "", want: 1000 },
  { text: "too many clients", want: 1000 },
  { text: "retry-after-ms=", want: 1000 },
  { text: "retry-after-ms=x", want: 1000 },
  { text: "retry-after-ms=-5", want: 1000 },
  { text: "retry-after-ms=+5", want: 1000 },
  { text: "retry-after-ms=1.5", want: 1000 },
  { text: "retry-after-ms=1e3", want: 1000 },
  { text: "retry-after-ms= 5", want: 1000 },
  { text: "retry-after-ms=5s", want: 1000 },
  { text: "please retry-after-ms=5", want: 1000 },
  { text: "RETRY-AFTER-MS=5", want: 1000 },
];
for (const { text, want } of pauses) {
  Deno.test(`retryAfterMsOf() is ${want} when the text is ${show(text)}`, () => {
    assertEquals(retryAfterMsOf(new ErrorReply("BUSY", text)), want);
  });
}

Deno.test("busyReply() writes what retryAfterMsOf() understands", () => {
  const reply = busyReply(1234, "too many clients");
  assertSame(reply, "BUSY", "retry-after-ms=1234 too many clients");
  assertEquals(retryAfterMsOf(reply), 1234);
});

const percents = [
  { text: "0", want: 0 },
  { text: "7", want: 7 },
  { text: "42", want: 42 },
  { text: "42 percent", want: 42 },
  { text: "42%", want: 42 },
  { text: "42.7", want: 42 },
  { text: "100", want: 100 },
  { text: "101", want: 100 },
  { text: "999", want: 100 },
  { text: "1000", want: 0 },
  { text: "", want: 0 },
  { text: "half", want: 0 },
  { text: "-5", want: 0 },
  { text: "+5", want: 0 },
  { text: " 5", want: 0 },
  { text: "5x", want: 0 },
  { text: "about 5", want: 0 },
];
for (const { text, want } of percents) {
  Deno.test(`percentOf() is ${want} when the text is ${show(text)}`, () => {
    assertEquals(percentOf(new ErrorReply("PENDING", text)), want);
  });
}

Deno.test("ErrorReply has code and text as its message", () => {
  assertEquals(new ErrorReply("RANGE", "too far").message, "RANGE too far");
  assertEquals(new ErrorReply("RANGE", "").message, "RANGE");
  assertEquals(new ErrorReply("RANGE", "").name, "ErrorReply");
});

const code = fc.constantFrom(...ERROR_REPLY_CODES);
property(
  "parseErrorReply() takes back what was encoded, the text as one line",
  fc.tuple(code, anyText),
  ([code, text]) => {
    const line = encodeErrorReply(new ErrorReply(code, text));
    assert(line.endsWith("\n") && !/[\r\n]/.test(line.slice(0, -1)));
    assertSame(parseErrorReply(line.slice(0, -1)), code, text.replace(/[\r\n]+/g, " ").trimEnd());
  },
);

const anyLine = fc.oneof(anyText, nearly(...lines.map(({ line }) => line)));
property("parseErrorReply(), retryAfterMsOf() and percentOf() never throw", anyLine, (line) => {
  const reply = parseErrorReply(line);
  assertEquals(reply === undefined, !/^ERROR:[A-Z_]+( |$)/.test(line));
  for (const one of [reply ?? new ErrorReply("BUSY", line), new ErrorReply("BUSY", line)]) {
    const [ms, percent] = [retryAfterMsOf(one), percentOf(one)];
    assert(Number.isInteger(ms) && ms >= 0 && ms <= 60_000);
    assert(Number.isInteger(percent) && percent >= 0 && percent <= 100);
  }
});

function assertSame(reply: ErrorReply | undefined, code: string, text: string): void {
  assertEquals([reply?.code, reply?.text], [code, text]);
}
