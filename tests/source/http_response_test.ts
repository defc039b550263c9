import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type ResponseHead,
  validatorOf,
  type Verdict,
  verdictOf,
} from "../../core/source/http_response.ts";
import { property } from "../base/property.ts";

const NOW = Date.UTC(2033, 4, 18, 3, 33, 20);
const RANGE = { start: 100, end: 200 };

function head(status: number, headers: Record<string, string> = {}): ResponseHead {
  return { status, headers: new Headers(headers) };
}

function unusable(reason: string): Verdict {
  return { kind: "unusable", reason };
}

const OTHER = unusable("sent another part than the one asked for");
const INVALID = unusable("sent a part without a valid Content-Range");
const LENGTH = unusable("announced another length than that of the part");
const ENCODED = unusable("sent encoded bytes and not those of the file");

const part = (range: string, more: Record<string, string> = {}) =>
  head(206, { "content-range": range, ...more });

const cases: readonly (readonly [string, ResponseHead, Verdict])[] = [
  ["206 with the range", part("bytes 100-199/1000"), { kind: "range", range: RANGE, size: 1000 }],
  ["206 in capitals", part("BYTES 100-199/1000"), { kind: "range", range: RANGE, size: 1000 }],
  ["206 of unknown size", part("bytes 100-199/*"), {
    kind: "range",
    range: RANGE,
    size: undefined,
  }],
  ["206 with a shorter range", part("bytes 100-149/1000"), {
    kind: "range",
    range: { start: 100, end: 150 },
    size: 1000,
  }],
  ["206 with its length", part("bytes 100-199/1000", { "content-length": "100" }), {
    kind: "range",
    range: RANGE,
    size: 1000,
  }],
  ["206 with another length", part("bytes 100-199/1000", { "content-length": "99" }), LENGTH],
  ["206 that begins later", part("bytes 104-199/1000"), OTHER],
  ["206 that begins earlier", part("bytes 0-199/1000"), OTHER],
  ["206 that ends later", part("bytes 100-200/1000"), OTHER],
  ["206 beyond the file", part("bytes 100-199/150"), INVALID],
  ["206 backwards", part("bytes 199-100/1000"), INVALID],
  ["206 without Content-Range", head(206), INVALID],
  ["206 in other units", part("lines 100-199/1000"), INVALID],
  ["206 of a 416", part("bytes */1000"), INVALID],
  ["206 with huge numbers", part("bytes 100-9999999999999999/*"), INVALID],
  ["206 with a sign", part("bytes +100-199/1000"), INVALID],
  ["206 in several parts", head(206, { "content-type": "multipart/byteranges; boundary=x" }), {
    kind: "unusable",
    reason: "sent several parts",
  }],
  ["206 with gzip", part("bytes 100-199/1000", { "content-encoding": "gzip" }), ENCODED],
  ["200", head(200, { "content-length": "1000" }), { kind: "whole", size: 1000 }],
  ["200 without a length", head(200), { kind: "whole", size: undefined }],
  ["200 with a malformed length", head(200, { "content-length": "1e3" }), {
    kind: "whole",
    size: undefined,
  }],
  ["200 with a negative length", head(200, { "content-length": "-1" }), {
    kind: "whole",
    size: undefined,
  }],
  ["200 with identity", head(200, { "content-encoding": "identity", "content-length": "1" }), {
    kind: "whole",
    size: 1,
  }],
  ["200 with br", head(200, { "content-encoding": "br" }), ENCODED],
  ["201", head(201), unusable("answered 201")],
  ["204", head(204), unusable("answered 204")],
  ...[301, 302, 303, 307, 308].flatMap((status) =>
    [
      [`${status}`, head(status, { location: "/x" }), { kind: "redirect", location: "/x" }],
      [
        `${status} without an address`,
        head(status),
        unusable(`answered ${status} without an address`),
      ],
    ] as const
  ),
  ["300", head(300, { location: "/x" }), unusable("answered 300")],
  ["304", head(304), unusable("answered 304")],
  ...[401, 403, 407, 451].map((status) =>
    [`${status}`, head(status), { kind: "denied", status }] as const
  ),
  ["400", head(400), unusable("answered 400")],
  ["404", head(404), { kind: "lacks" }],
  ["405", head(405), unusable("answered 405")],
  ["408", head(408), { kind: "failing", status: 408 }],
  ["410", head(410), { kind: "expired" }],
  ["412", head(412), { kind: "changed" }],
  ["416", head(416), { kind: "outside", size: undefined }],
  ["416 with the size", head(416, { "content-range": "bytes */0" }), { kind: "outside", size: 0 }],
  ["416 with a range", head(416, { "content-range": "bytes 0-1/5" }), {
    kind: "outside",
    size: undefined,
  }],
  ["421", head(421), { kind: "failing", status: 421 }],
  ["425", head(425), { kind: "failing", status: 425 }],
  ["429", head(429), { kind: "busy", retryAfterMs: 5000 }],
  ["429 in seconds", head(429, { "retry-after": "7" }), { kind: "busy", retryAfterMs: 7000 }],
  ["429 at once", head(429, { "retry-after": "0" }), { kind: "busy", retryAfterMs: 100 }],
  ["429 for a century", head(429, { "retry-after": "3153600000" }), {
    kind: "busy",
    retryAfterMs: 60_000,
  }],
  ["429 until a date", head(429, { "retry-after": "Wed, 18 May 2033 03:33:30 GMT" }), {
    kind: "busy",
    retryAfterMs: 10_000,
  }],
  [
    "429 until a date of the server's clock",
    head(429, {
      "retry-after": "Wed, 18 May 2033 05:00:30 GMT",
      date: "Wed, 18 May 2033 05:00:00 GMT",
    }),
    { kind: "busy", retryAfterMs: 30_000 },
  ],
  ["429 until a date in the past", head(429, { "retry-after": "Wed, 18 May 2022 03:33:30 GMT" }), {
    kind: "busy",
    retryAfterMs: 100,
  }],
  ["429 until no date", head(429, { "retry-after": "soon" }), { kind: "busy", retryAfterMs: 5000 }],
  ["503", head(503), { kind: "failing", status: 503 }],
  ["503 in seconds", head(503, { "retry-after": "2" }), { kind: "busy", retryAfterMs: 2000 }],
  ["503 until no date", head(503, { "retry-after": "-1" }), { kind: "failing", status: 503 }],
  ...[500, 502, 504, 507, 520, 521, 599].map((status) =>
    [`${status}`, head(status), { kind: "failing", status }] as const
  ),
];
for (const [name, response, verdict] of cases) {
  Deno.test(`verdictOf() understands ${name}`, () => {
    assertEquals(verdictOf(response, RANGE, NOW), verdict);
  });
}

Deno.test("verdictOf() rejects a part that was not asked for", () => {
  assertEquals(
    verdictOf(part("bytes 0-9/10"), undefined, NOW),
    unusable("sent a part without having been asked for one"),
  );
});

property(
  "verdictOf() has a verdict for every head, and never a range that was not asked for",
  fc.record({
    status: fc.integer({ min: 200, max: 599 }),
    names: fc.dictionary(
      fc.constantFrom(
        "content-range",
        "content-length",
        "content-encoding",
        "content-type",
        "retry-after",
        "date",
        "location",
      ),
      fc.oneof(
        fc.string(),
        fc.constantFrom("bytes 100-199/1000", "bytes 100-120/*", "bytes */7", "7", "gzip"),
        fc.tuple(fc.nat(), fc.nat(), fc.nat()).map(([a, b, c]) => `bytes ${a}-${b}/${c}`),
      ),
    ),
  }),
  ({ status, names }) => {
    const headers = { get: (name: string) => names[name] ?? null };
    const verdict = verdictOf({ status, headers }, RANGE, NOW);
    if (verdict.kind === "range") {
      assertEquals(verdict.range.start, RANGE.start);
      assertEquals(verdict.range.end > RANGE.start && verdict.range.end <= RANGE.end, true);
    }
    if (verdict.kind === "busy") {
      assertEquals(verdict.retryAfterMs >= 100 && verdict.retryAfterMs <= 60_000, true);
    }
  },
);

const DATE = "Wed, 18 May 2033 03:33:30 GMT";
const validators = [
  [{}, undefined],
  [{ etag: '"abc-1"' }, { text: '"abc-1"', isStrongTag: true }],
  [{ etag: 'W/"abc"' }, undefined],
  [{ etag: "abc" }, undefined],
  [{ etag: '"a"b"' }, undefined],
  [{ etag: `"${"x".repeat(2000)}"` }, undefined],
  [{ etag: 'W/"abc"', "last-modified": DATE }, { text: DATE, isStrongTag: false }],
  [{ "last-modified": "yesterday" }, undefined],
] as const;
for (const [headers, validator] of validators) {
  Deno.test(`validatorOf() finds what tells versions apart in ${JSON.stringify(headers).slice(0, 60)}`, () => {
    assertEquals(validatorOf(head(200, headers)), validator);
  });
}
