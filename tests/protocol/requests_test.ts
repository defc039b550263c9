import { assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import {
  encodeOneShotRequest,
  encodeSessionRequest,
  type OneShotRequest,
  parseOneShotRequest,
  parseSessionRequest,
  type SessionRequest,
} from "../../core/protocol/requests.ts";
import { ErrorReply, type ErrorReplyCode } from "../../core/protocol/error_replies.ts";
import { anySize, anyText, nearly, property, validName } from "../base/property.ts";
import { assertErrorReply, show } from "./support.ts";

const inSession: { line: string; request: SessionRequest }[] = [
  { line: "PING", request: { verb: "PING" } },
  { line: "BYE", request: { verb: "BYE" } },
  { line: "LIST", request: { verb: "LIST", after: "" } },
  { line: "LIST a|b.txt", request: { verb: "LIST", after: "a|b.txt" } },
  { line: "LIST  a b ", request: { verb: "LIST", after: " a b " } },
  { line: "AUTH 00ff", request: { verb: "AUTH", answer: "00ff" } },
  { line: "FILESIZE a b.txt", request: { verb: "FILESIZE", name: "a b.txt" } },
  { line: "FILESIZE  a", request: { verb: "FILESIZE", name: " a" } },
  { line: "FILESIZE a|b.txt|7|100", request: { verb: "FILESIZE", name: "a|b.txt|7|100" } },
  { line: "MANIFEST ordner/ä.txt", request: { verb: "MANIFEST", name: "ordner/ä.txt" } },
  {
    line: "FETCH a|b.txt|65536",
    request: { verb: "FETCH", name: "a|b.txt", maxBytes: 65_536 },
  },
  {
    line: "DOWNLOAD a|b.txt|7|100",
    request: { verb: "DOWNLOAD", name: "a|b.txt", range: { start: 7, end: 107 } },
  },
  {
    line: `READ ${"a1".repeat(32)}|7|100`,
    request: { verb: "READ", id: "a1".repeat(32), range: { start: 7, end: 107 } },
  },
  { line: `HAVE ${"a1".repeat(32)}`, request: { verb: "HAVE", id: "a1".repeat(32) } },
  { line: `HAVE ${"a1".repeat(32)}|0`, request: { verb: "HAVE", id: "a1".repeat(32), known: 0 } },
  {
    line: `JOIN ${"a1".repeat(32)}|65535|3`,
    request: { verb: "JOIN", id: "a1".repeat(32), port: 65_535, pieces: 3 },
  },
  {
    line: `SUGGEST ${"a1".repeat(32)}|7270|4|3,17`,
    request: { verb: "SUGGEST", id: "a1".repeat(32), port: 7270, count: 4, pieces: [3, 17] },
  },
  {
    line: "DOWNLOAD a|0|1",
    request: { verb: "DOWNLOAD", name: "a", range: { start: 0, end: 1 } },
  },
  {
    line: "DOWNLOAD a|5|0",
    request: { verb: "DOWNLOAD", name: "a", range: { start: 5, end: 5 } },
  },
  {
    line: "DOWNLOAD a b|c d|1|2",
    request: { verb: "DOWNLOAD", name: "a b|c d", range: { start: 1, end: 3 } },
  },
  {
    line: "DOWNLOAD ||0|1",
    request: { verb: "DOWNLOAD", name: "|", range: { start: 0, end: 1 } },
  },
  {
    line: "DOWNLOAD a\u2028b|0|1",
    request: { verb: "DOWNLOAD", name: "a\u2028b", range: { start: 0, end: 1 } },
  },
  {
    line: "DOWNLOAD a|0|9007199254740991",
    request: { verb: "DOWNLOAD", name: "a", range: { start: 0, end: 2 ** 53 - 1 } },
  },
];
for (const { line, request } of inSession) {
  Deno.test(`parseSessionRequest() and encodeSessionRequest() agree on ${show(line)}`, () => {
    assertEquals(parseSessionRequest(line), request);
    assertEquals(encodeSessionRequest(request), line);
  });
}

const beyond = [
  { numbers: "9007199254740992|1", start: Infinity, end: Infinity },
  { numbers: "0|9007199254740992", start: 0, end: Infinity },
  { numbers: `${"9".repeat(30)}|${"9".repeat(400)}`, start: Infinity, end: Infinity },
];
for (const { numbers, start, end } of beyond) {
  Deno.test(`parseSessionRequest() reads ${show(numbers)} as a range outside of every file`, () => {
    assertEquals<unknown>(parseSessionRequest(`DOWNLOAD a|${numbers}`), {
      verb: "DOWNLOAD",
      name: "a",
      range: { start, end },
    });
  });
}

const badInSession = [
  "",
  " ",
  " PING",
  "PING ",
  "PING x",
  "BYE ",
  "BYE now",
  "ping",
  "Ping",
  "HELLO",
  "HELLO 2",
  "STAT",
  "UPLOAD a|0|1",
  "GET / HTTP/1.1",
  "constructor",
  "__proto__ x",
  "LIST ",
  "LISTa",
  "LIST\ta",
  "AUTH",
  "AUTH ",
  "FILESIZE",
  "FILESIZE\ta",
  "MANIFEST",
  "DOWNLOAD",
  "DOWNLOAD ",
  "DOWNLOAD a",
  "DOWNLOAD a|0",
  "READ",
  `READ ${"a1".repeat(32)}`,
  `READ ${"a1".repeat(32)}|0`,
  `READ ${"A1".repeat(32)}|0|1`,
  `READ ${"a1".repeat(31)}|0|1`,
  `READ ${"a1".repeat(33)}|0|1`,
  "HAVE",
  "HAVE ",
  `HAVE ${"A1".repeat(32)}`,
  `HAVE ${"a1".repeat(32)}|`,
  `HAVE ${"a1".repeat(32)}|-1`,
  `HAVE ${"a1".repeat(32)}|1|2`,
  `HAVE ${"a1".repeat(32)}|9007199254740992`,
  `JOIN ${"a1".repeat(32)}`,
  `JOIN ${"a1".repeat(32)}|1`,
  `JOIN ${"a1".repeat(32)}|65536|0`,
  `JOIN ${"a1".repeat(32)}|1|2|3`,
  `JOIN ${"a1".repeat(32)}|1|x`,
  `SUGGEST ${"a1".repeat(32)}|1`,
  `SUGGEST ${"a1".repeat(32)}|1|1`,
  `SUGGEST ${"a1".repeat(32)}|1|01|1`,
  `SUGGEST ${"a1".repeat(32)}|1|1|`,
  `SUGGEST ${"a1".repeat(32)}|1|1|1,`,
  `SUGGEST ${"a1".repeat(32)}|1|1|1,x`,
  `SUGGEST ${"a1".repeat(32)}|1|1|1|1`,
  "DOWNLOAD a|0|",
  "DOWNLOAD a||1",
  "DOWNLOAD a|0|1|",
  "DOWNLOAD a|0|1 ",
  "DOWNLOAD a|0| 1",
  "DOWNLOAD a| 0|1",
  "DOWNLOAD a|0 |1",
  "DOWNLOAD a|00|1",
  "DOWNLOAD a|01|1",
  "DOWNLOAD a|0|01",
  "DOWNLOAD a|+0|1",
  "DOWNLOAD a|0|+1",
  "DOWNLOAD a|-1|1",
  "DOWNLOAD a|0|-1",
  "DOWNLOAD a|0x0|1",
  "DOWNLOAD a|0|1e3",
  "DOWNLOAD a|0|1.0",
  "DOWNLOAD a|0|١",
  "DOWNLOAD a|0|1\r",
  "PING\r",
  "\ufeffPING",
];
for (const line of badInSession) {
  Deno.test(`parseSessionRequest() rejects ${show(line)} with BAD_REQUEST`, () => {
    assertErrorReply(() => parseSessionRequest(line), "BAD_REQUEST");
  });
}

const badNames = [
  "",
  ".",
  "..",
  "/a",
  "a/",
  "a//b",
  "a/../b",
  "../a",
  "a\\b",
  "a\tb",
  "a\r",
  "a\0",
  "a\u007f",
  "\ud800",
  "x".repeat(1025),
];
for (const name of badNames) {
  const lines = [`FILESIZE ${name}`, `MANIFEST ${name}`, `DOWNLOAD ${name}|0|1`];
  Deno.test(`parseSessionRequest() rejects the name ${show(name)} with NOT_FOUND`, () => {
    for (const line of lines) assertErrorReply(() => parseSessionRequest(line), "NOT_FOUND");
  });

  Deno.test(`parseOneShotRequest() rejects the name ${show(name)} with NOT_FOUND`, () => {
    assertErrorReply(() => parseOneShotRequest(`FILESIZE ${name}`), "NOT_FOUND");
    assertErrorReply(() => parseOneShotRequest(`DOWNLOAD ${name}|0`), "NOT_FOUND");
  });
}

const oneShot: { line: string; request: OneShotRequest }[] = [
  { line: "LIST", request: { verb: "LIST" } },
  { line: "FILESIZE a|b.txt", request: { verb: "FILESIZE", name: "a|b.txt" } },
  { line: "FILESIZE  ", request: { verb: "FILESIZE", name: " " } },
  { line: "DOWNLOAD a|b.txt|7", request: { verb: "DOWNLOAD", name: "a|b.txt", offset: 7 } },
  { line: "DOWNLOAD a|7|100", request: { verb: "DOWNLOAD", name: "a|7", offset: 100 } },
  { line: "DOWNLOAD a|0", request: { verb: "DOWNLOAD", name: "a", offset: 0 } },
  { line: "DOWNLOAD ||0", request: { verb: "DOWNLOAD", name: "|", offset: 0 } },
  {
    line: "DOWNLOAD a|9007199254740991",
    request: { verb: "DOWNLOAD", name: "a", offset: 2 ** 53 - 1 },
  },
];
for (const { line, request } of oneShot) {
  Deno.test(`parseOneShotRequest() and encodeOneShotRequest() agree on ${show(line)}`, () => {
    assertEquals(parseOneShotRequest(line), request);
    assertEquals(encodeOneShotRequest(request), line);
  });
}

Deno.test("parseOneShotRequest() reads an offset beyond all files as Infinity", () => {
  const request = parseOneShotRequest("DOWNLOAD a|9007199254740992");
  assertEquals<unknown>(request, { verb: "DOWNLOAD", name: "a", offset: Infinity });
});

const badOneShot = [
  "",
  "LIST ",
  "LIST a",
  "list",
  "PING",
  "BYE",
  "AUTH 00",
  "MANIFEST a",
  "HELLO 2",
  "FILESIZE",
  "DOWNLOAD",
  "DOWNLOAD a",
  "DOWNLOAD a|",
  "DOWNLOAD a|x",
  "DOWNLOAD a|-1",
  "DOWNLOAD a|+1",
  "DOWNLOAD a|01",
  "DOWNLOAD a| 1",
  "DOWNLOAD a|1 ",
  "DOWNLOAD a|1.5",
  "DOWNLOAD a|1\r",
];
for (const line of badOneShot) {
  Deno.test(`parseOneShotRequest() rejects ${show(line)} with BAD_REQUEST`, () => {
    assertErrorReply(() => parseOneShotRequest(line), "BAD_REQUEST");
  });
}

const range = fc.tuple(anySize, anySize).map(([a, b]) => ({
  start: Math.min(a, b),
  end: Math.max(a, b),
}));
const contentId = fc.stringMatching(/^[0-9a-f]{64}$/);
const port = fc.integer({ min: 0, max: 65_535 });
const sessionRequest: fc.Arbitrary<SessionRequest> = fc.oneof(
  fc.record({ verb: fc.constantFrom("PING" as const, "BYE" as const) }),
  fc.record({ verb: fc.constant("LIST" as const), after: fc.oneof(fc.constant(""), validName) }),
  fc.record({ verb: fc.constant("AUTH" as const), answer: fc.string({ minLength: 1 }) }),
  fc.record({ verb: fc.constantFrom("FILESIZE" as const, "MANIFEST" as const), name: validName }),
  fc.record({ verb: fc.constant("DOWNLOAD" as const), name: validName, range }),
  fc.record({ verb: fc.constant("HAVE" as const), id: contentId }),
  fc.record({ verb: fc.constant("HAVE" as const), id: contentId, known: anySize }),
  fc.record({ verb: fc.constant("JOIN" as const), id: contentId, port, pieces: anySize }),
  fc.record({
    verb: fc.constant("SUGGEST" as const),
    id: contentId,
    port,
    count: anySize,
    pieces: fc.array(anySize, { minLength: 1, maxLength: 20 }),
  }),
);
property("parseSessionRequest() takes back what was encoded", sessionRequest, (request) => {
  assertEquals(parseSessionRequest(encodeSessionRequest(request)), request);
});

const oneShotRequest: fc.Arbitrary<OneShotRequest> = fc.oneof(
  fc.record({ verb: fc.constant("LIST" as const) }),
  fc.record({ verb: fc.constant("FILESIZE" as const), name: validName }),
  fc.record({ verb: fc.constant("DOWNLOAD" as const), name: validName, offset: anySize }),
);
property("parseOneShotRequest() takes back what was encoded", oneShotRequest, (request) => {
  assertEquals(parseOneShotRequest(encodeOneShotRequest(request)), request);
});

const anyLine = fc.oneof(
  anyText,
  nearly(...inSession.map(({ line }) => line), ...oneShot.map(({ line }) => line)),
);
property(
  "parseSessionRequest() gives back the same line or throws a ErrorReply",
  anyLine,
  (line) => {
    const request = parsedOr(["BAD_REQUEST", "NOT_FOUND"], () => parseSessionRequest(line));
    if (request === undefined) return;
    const far = request.verb === "DOWNLOAD" && !Number.isSafeInteger(request.range.end);
    if (!far) assertEquals(encodeSessionRequest(request), line);
  },
);

property(
  "parseOneShotRequest() gives back the same line or throws a ErrorReply",
  anyLine,
  (line) => {
    const request = parsedOr(["BAD_REQUEST", "NOT_FOUND"], () => parseOneShotRequest(line));
    if (request === undefined) return;
    const far = request.verb === "DOWNLOAD" && request.offset === Infinity;
    if (!far) assertEquals(encodeOneShotRequest(request), line);
  },
);

function parsedOr<T>(codes: readonly ErrorReplyCode[], parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    assertInstanceOf(error, ErrorReply);
    assertEquals(codes.includes(error.code), true, error.code);
    return undefined;
  }
}
