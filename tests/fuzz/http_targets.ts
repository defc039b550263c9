/** The parsers of HTTP requests, with what a proxy in front of a seed relies on. */
import { assert, assertEquals } from "@std/assert";
import { isIP } from "node:net";
import { invalidNameReason } from "../../core/base/names.ts";
import { failedCondition, mayContinue } from "../../core/protocol/http_conditions.ts";
import { formatHttpDate, parseHttpDate } from "../../core/protocol/http_date.ts";
import { hostIn, isAllowedHost } from "../../core/protocol/http_host.ts";
import { MAX_RANGES, parseRanges } from "../../core/protocol/http_range.ts";
import {
  detectHttp,
  HttpError,
  MAX_FIELDS,
  MAX_HEAD_BYTES,
  MAX_TARGET_LENGTH,
  parseHttpRequest,
} from "../../core/protocol/http_request.ts";
import { encodePath } from "../../core/base/url_path.ts";
import { parseHttpTarget } from "../../core/protocol/http_target.ts";
import { HeadTooLongError, ReadBuffer } from "../../core/protocol/read_buffer.ts";
import { assertSame, attempt, bytesOf, type Target } from "./target.ts";

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** Line ends that not all parsers take for one, and NUL. */
const AMBIGUOUS = /(?:^|[^\r])\n|\r(?!\n)|\0/;
const NOW = Date.UTC(2026, 10, 28);

const requests: Target = {
  name: "http-request",
  seeds: [
    "GET / HTTP/1.1\r\nHost: nas1:7270\r\n\r\n",
    "HEAD /a%20b?json HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    'GET /a HTTP/1.1\r\nHost: [::1]:1\r\nRange: bytes=0-1,-5\r\nIf-Range: "a"\r\n\r\n',
    "GET http://nas1/a?sort=size&order=desc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    '\r\n\r\nGET /ü HTTP/1.1\r\nHost: a\r\nIf-None-Match: W/"a", *\r\n folded\r\n\r\n',
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\r\n" + "A: b\r\n".repeat(MAX_FIELDS) + "\r\n",
    "HELLO 2\nFILESIZE a HTTP/1.1\n",
  ].map(bytesOf),
  run(input) {
    detectHttp(input);
    const buffer = new ReadBuffer();
    for (let at = 0;;) {
      const head = attempt(() => buffer.takeHead(), HeadTooLongError);
      if (head instanceof Error) return;
      if (head) {
        holdHead(head.slice());
        continue;
      }
      if (at === input.length) return;
      const space = buffer.space();
      assert(space.length > 0, "there is always room for more");
      const part = input.subarray(at, at + Math.min(space.length, 1 + at % 977));
      space.set(part);
      buffer.filled(part.length);
      at += part.length;
    }
  },
};

function holdHead(head: Uint8Array): void {
  assert(head.length <= MAX_HEAD_BYTES, "it is not longer than the limit");
  const text = latin1(head);
  const request = attempt(() => parseHttpRequest(head), HttpError);
  if (request instanceof Error) return;
  assert(!AMBIGUOUS.test(text), "line ends are clear");
  const { method, target, fields, minor } = request;
  assert(target.length <= MAX_TARGET_LENGTH && fields.size <= MAX_FIELDS, "limits hold");
  // deno-lint-ignore no-control-regex -- it looks for control characters
  for (const [name, value] of fields) assert(!/[\x00-\x08\x0a-\x1f\x7f]/.test(name + value), name);
  const body = Number(fields.get("content-length") ?? 0) > 0 || fields.has("transfer-encoding");
  assert(!body || (method !== "GET" && method !== "HEAD"), "no body");
  assert(!(fields.has("content-length") && fields.has("transfer-encoding")), "one length");
  assert(minor === 0 || fields.has("host"), "a host");
  const lines = Array.from(fields, ([name, value]) => `${name}: ${value}\r\n`);
  const again = `${method} ${target} HTTP/1.${minor}\r\n${lines.join("")}\r\n`;
  // Joined fields are not longer than they were apart, but for the space behind the colon.
  // An empty field at the end of a joined one leaves a space.
  const trimmed = Array.from(
    fields,
    ([name, value]) => [name, value.replace(/[ \t]$/, "")] as const,
  );
  const parsed = parseHttpRequest(latin1Bytes(again)).fields;
  assertSame(parsed, new Map(trimmed), "fields");
  const tag = { tag: '"a"', isStrong: true, modified: 1 };
  failedCondition(request, tag, NOW);
  mayContinue(request, tag, NOW);
  parseRanges(fields.get("range"), 1000);
  hostIn(fields.get("host") ?? "");
}

function latin1Bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

const targets: Target = {
  name: "http-target",
  seeds: [
    "/",
    "/a/b.txt",
    "/a%2fb/%2e%2e/c",
    "/%c3%bc?sort=size&order=desc",
    "/%c0%ae/?a=%zz",
    "http://nas1:7270/a?json",
    "//evil.example/..%5c",
  ].map(bytesOf),
  run(input) {
    const target = attempt(() => parseHttpTarget(latin1(input)), HttpError);
    if (target instanceof Error) return;
    const { name } = target;
    if (invalidNameReason(name) !== undefined) return;
    assert(!name.split("/").includes(".."), "it never leads out");
    assertEquals(parseHttpTarget(`/${encodePath(name)}`).name, name);
  },
};

const ranges: Target = {
  name: "http-range",
  seeds: ["bytes=0-0", "bytes=-5,1-2,7-", "bytes=0-,0-", "bytes=5-1", "bytes=99999999999999999999-"]
    .map(bytesOf),
  run(input) {
    const size = input.length * 7;
    const found = parseRanges(latin1(input), size) ?? [];
    assert(found.length <= MAX_RANGES, "not too many");
    const bytes = found.reduce((sum, { start, end }) => sum + end - start, 0);
    assert(bytes <= size, "not more than the file");
    for (const { start, end } of found) {
      assert(Number.isSafeInteger(start) && start >= 0 && start < end && end <= size, "inside");
    }
  },
};

const dates: Target = {
  name: "http-date",
  seeds: [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
  ].map(bytesOf),
  run(input) {
    const seconds = parseHttpDate(latin1(input), NOW);
    if (seconds === undefined) return;
    assertEquals(parseHttpDate(formatHttpDate(seconds), NOW), seconds);
  },
};

const hosts: Target = {
  name: "http-host",
  seeds: ["nas1:7270", "[::1]:1", "127.0.0.1", "a.localhost", "nas1.local.", "NAS1"].map(bytesOf),
  run(input) {
    const host = hostIn(latin1(input));
    if (host === undefined) return;
    assert(/^[a-z0-9._:-]+$/.test(host), host);
    if (!isAllowedHost(host, new Set(["nas1"]))) return;
    assert(isIP(host) !== 0 || /(?:^|\.)localhost$|^nas1(?:\.|$)/.test(host), host);
  },
};

export const HTTP_TARGETS: readonly Target[] = [requests, targets, ranges, dates, hosts];
