/** Targets, ranges, dates, conditions and hosts of HTTP. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  failedCondition,
  formatTag,
  mayContinue,
  type Validators,
} from "../../core/protocol/http_conditions.ts";
import { formatHttpDate, parseHttpDate } from "../../core/protocol/http_date.ts";
import { hostIn, isAllowedHost } from "../../core/protocol/http_host.ts";
import { contentRange, MAX_RANGES, parseRanges } from "../../core/protocol/http_range.ts";
import { HttpError } from "../../core/protocol/http_request.ts";
import { encodeHttpHead } from "../../core/protocol/http_response.ts";
import { encodePath } from "../../core/base/url_path.ts";
import { parseHttpTarget } from "../../core/protocol/http_target.ts";
import { isValidName } from "../../core/base/names.ts";
import { anyText, property } from "../base/property.ts";
import { test } from "../support/test.ts";

for (
  const [target, name, isFolder] of [
    ["/", "", true],
    ["/a", "a", false],
    ["/a/b/", "a/b", true],
    ["/a%20b%3Fc", "a b?c", false],
    ["/a+b", "a+b", false],
    ["/%C3%BC?x", "ü", false],
    ["/\xc3\xbc", "ü", false],
    ["http://nas1:7270/a", "a", false],
    ["HTTPS://nas1", "", true],
    ["http://nas1?json", "", true],
  ] as const
) {
  test(`parseHttpTarget() takes ${JSON.stringify(target)} for "${name}"`, () => {
    const parsed = parseHttpTarget(target);
    assertEquals([parsed.name, parsed.isFolder], [name, isFolder]);
  });
}

test("parseHttpTarget() never gives a valid name for a path that another program reads otherwise", () => {
  for (
    const target of [
      "/..",
      "/../etc/passwd",
      "/%2e%2e/etc/passwd",
      "/%2E%2e/a",
      "/a/%2e%2e%2fb",
      "/a%2Fb",
      "/a%2fb",
      "/a//b",
      "//evil.example",
      "/a/./b",
      "/a%5cb",
      "/a\\b",
      "/a%00",
      "/a%0d%0aX:%20y",
      "/%7f",
    ]
  ) assert(!isValidName(parseHttpTarget(target).name), target);
});

for (
  const target of [
    "a",
    "*",
    "/a#b",
    "/%",
    "/%4",
    "/%zz",
    "/%c0%ae%c0%ae/",
    "/%c0%af",
    "/%e0%80%af",
    "/%f0%80%80%af",
    "/%ff",
    "/%ed%a0%80",
    "/\xff",
  ]
) {
  test(`parseHttpTarget() refuses ${JSON.stringify(target)}`, () => {
    assertThrows(() => parseHttpTarget(target), HttpError);
  });
}

property(
  "parseHttpTarget() finds the name that encodePath() encodes",
  anyText.filter(isValidName),
  (name: string) => {
    const path = encodePath(name);
    assertEquals(parseHttpTarget(`/${path}`).name, name);
    // Shells and browsers leave it as it is.
    assert(/^[\w.~%/-]*$/.test(path), path);
    assertEquals(new URL(`http://a/${path}`).pathname, `/${path}`);
  },
);

for (
  const [value, want] of [
    [undefined, undefined],
    ["bytes=0-0", [[0, 1]]],
    ["bytes=0-", [[0, 100]]],
    ["bytes=-1", [[99, 100]]],
    ["bytes=-1000", [[0, 100]]],
    ["bytes=50-1000", [[50, 100]]],
    ["BYTES=1-2", [[1, 3]]],
    ["bytes=0-1, 4-5,-2", [[0, 2], [4, 6], [98, 100]]],
    ["bytes=4-5,0-1", [[4, 6], [0, 2]]],
    ["bytes=0-1,,", [[0, 2]]],
    ["bytes=0-1,500-", [[0, 2]]],
    ["bytes=100-", []],
    ["bytes=-0", []],
    [`bytes=${"9".repeat(400)}-`, []],
    [`bytes=0-${"9".repeat(400)}`, [[0, 100]]],
    ["bytes=2-1", undefined],
    ["bytes=", undefined],
    ["bytes", undefined],
    ["bytes=a-b", undefined],
    ["bytes=-", undefined],
    ["bytes=+1-2", undefined],
    ["bytes=0-1-2", undefined],
    ["lines=0-1", undefined],
    ["bytes=0-5,3-8", undefined],
    ["bytes=0-,0-", undefined],
  ] as const
) {
  test(`parseRanges() reads "${String(value).slice(0, 40)}"`, () => {
    const ranges = parseRanges(value, 100);
    assertEquals(ranges?.map(({ start, end }) => [start, end]), want as never);
  });
}

test("parseRanges() ignores more ranges than a response may have, and any range of nothing", () => {
  const many = (count: number) =>
    "bytes=" + Array.from({ length: count }, (_, i) => `${2 * i}-${2 * i}`).join();
  assertEquals(parseRanges(many(MAX_RANGES), 100)?.length, MAX_RANGES);
  assertEquals(parseRanges(many(MAX_RANGES + 1), 100), undefined);
  assertEquals(parseRanges("bytes=0-", 0), undefined);
});

property(
  "parseRanges() gives ranges inside the file that share no byte",
  fc.tuple(
    fc.array(
      fc.oneof(
        fc.tuple(fc.nat(120), fc.nat(120)).map(([a, b]) => `${a}-${b}`),
        fc.nat(120).map((a) => `${a}-`),
        fc.nat(120).map((a) => `-${a}`),
      ),
      { minLength: 1, maxLength: 20 },
    ),
    fc.nat(100),
  ),
  ([specs, size]) => {
    const ranges = parseRanges(`bytes=${specs.join()}`, size) ?? [];
    const bytes = ranges.flatMap(({ start, end }) =>
      Array.from({ length: end - start }, (_, i) => start + i)
    );
    assertEquals(new Set(bytes).size, bytes.length);
    assert(bytes.every((byte) => byte < size));
    assert(ranges.every(({ start, end }) => start < end));
  },
);

test("contentRange() names the bytes, or only the size", () => {
  assertEquals(contentRange({ start: 0, end: 5 }, 10), "bytes 0-4/10");
  assertEquals(contentRange(undefined, 10), "bytes */10");
});

const NOW = Date.UTC(2026, 10, 28);

for (
  const [text, seconds] of [
    ["Sun, 06 Nov 1994 08:49:37 GMT", 784111777],
    ["Sunday, 06-Nov-94 08:49:37 GMT", 784111777],
    ["Sun Nov  6 08:49:37 1994", 784111777],
    ["Friday, 06-Nov-76 00:00:00 GMT", Date.UTC(2076, 10, 6) / 1000],
    ["Saturday, 06-Nov-77 00:00:00 GMT", Date.UTC(1977, 10, 6) / 1000],
    ["Sun, 31 Feb 1994 08:49:37 GMT", undefined],
    ["Sun, 06 Nov 1994 24:00:00 GMT", undefined],
    ["Sun, 06 Nov 0001 08:49:37 GMT", undefined],
    ["06 Nov 1994 08:49:37 GMT", undefined],
    ["Sun, 06 Nov 1994 08:49:37 CET", undefined],
    ["", undefined],
  ] as const
) {
  test(`parseHttpDate() reads "${text}"`, () => assertEquals(parseHttpDate(text, NOW), seconds));
}

property(
  "parseHttpDate() reads what formatHttpDate() writes",
  fc.integer({ min: -50_000_000_000, max: 200_000_000_000 }),
  (seconds: number) => assertEquals(parseHttpDate(formatHttpDate(seconds), NOW), seconds),
);

const VERSION: Validators = { tag: '"a"', isStrong: true, modified: 1000 };
const AT = formatHttpDate(1000);
const BEFORE = formatHttpDate(999);
const AFTER = formatHttpDate(1001);

for (
  const [fields, want] of [
    [{}, undefined],
    [{ "if-none-match": '"a"' }, 304],
    [{ "if-none-match": '"b", W/"a"' }, 304],
    [{ "if-none-match": "*" }, 304],
    [{ "if-none-match": '"b"' }, undefined],
    [{ "if-none-match": '"b"', "if-modified-since": AFTER }, undefined],
    [{ "if-modified-since": AT }, 304],
    [{ "if-modified-since": BEFORE }, undefined],
    [{ "if-modified-since": "yesterday" }, undefined],
    [{ "if-match": '"b", "a"' }, undefined],
    [{ "if-match": "*" }, undefined],
    [{ "if-match": '"b"' }, 412],
    [{ "if-match": 'W/"a"' }, 412],
    [{ "if-match": '"a"', "if-unmodified-since": BEFORE }, undefined],
    [{ "if-unmodified-since": BEFORE }, 412],
    [{ "if-unmodified-since": AT }, undefined],
    [{ "if-match": '"a"', "if-none-match": '"a"' }, 304],
  ] as const
) {
  test(`failedCondition() answers ${want} to ${JSON.stringify(fields)}`, () => {
    const request = { fields: new Map(Object.entries(fields)) };
    assertEquals(failedCondition(request, VERSION, NOW), want);
  });
}

for (
  const [validator, isStrong, want] of [
    [undefined, false, true],
    ['"a"', true, true],
    ['"b"', true, false],
    ['W/"a"', true, false],
    [AT, true, true],
    [AFTER, true, false],
    [BEFORE, true, false],
    ['"a"', false, false],
    [AT, false, false],
    ["", true, false],
  ] as const
) {
  test(`mayContinue() answers ${want} to If-Range ${validator}, ${isStrong ? "strong" : "weak"}`, () => {
    const fields = new Map(validator === undefined ? [] : [["if-range", validator]]);
    assertEquals(mayContinue({ fields }, { ...VERSION, isStrong }, NOW), want);
  });
}

test("formatTag() marks a weak tag", () => {
  assertEquals(formatTag(VERSION), '"a"');
  assertEquals(formatTag({ ...VERSION, isStrong: false }), 'W/"a"');
});

for (
  const [authority, host] of [
    ["nas1", "nas1"],
    ["NAS1.:7270", "nas1"],
    ["127.0.0.1:1", "127.0.0.1"],
    ["[::1]:7270", "::1"],
    ["[::ffff:1.2.3.4]", "::ffff:1.2.3.4"],
    ["", undefined],
    [":80", undefined],
    ["a b", undefined],
    ["user@nas1", undefined],
    ["nas1/x", undefined],
    ["[nas1]", undefined],
    ["nas1:x", undefined],
    ["nas1:123456", undefined],
    ['nas1"', undefined],
  ] as const
) {
  test(`hostIn() finds ${host} in "${authority}"`, () => assertEquals(hostIn(authority), host));
}

test("isAllowedHost() knows addresses and names of this machine alone", () => {
  const names = new Set(["nas1", "files.example.org"]);
  for (
    const host of [
      "127.0.0.1",
      "::1",
      "192.168.1.20",
      "localhost",
      "a.localhost",
      "nas1",
      "nas1.local",
      "nas1.lan",
      "nas1.home.arpa",
      "files.example.org",
    ]
  ) assert(isAllowedHost(host, names), host);
  for (
    const host of [
      "evil.example",
      "nas1.evil.example",
      "nas1.local.evil.example",
      "nas2.local",
      "example.org",
      "127.0.0.1.evil.example",
      "127.1",
      "localhost.evil.example",
      "local",
    ]
  ) assert(!isAllowedHost(host, names), host);
});

test("encodeHttpHead() sends no value that could begin another line", () => {
  assertEquals(
    encodeHttpHead(206, [["ETag", '"a"'], ["X", ""]]),
    'HTTP/1.1 206 Partial Content\r\nETag: "a"\r\nX: \r\n\r\n',
  );
  for (const value of ["a\r\nb", "a\nb", "ü", "\0"]) {
    assertThrows(() => encodeHttpHead(200, [["X", value]]), Error, "X");
  }
});
