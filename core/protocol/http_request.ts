/**
 * Parses the head of an HTTP/1.1 request. Strict where parsers differ (RFC 9112, section 11): a
 * proxy in front must find the same requests in the same bytes.
 */

import { Buffer } from "node:buffer";

/** Request line and fields together, up to the empty line. */
export const MAX_HEAD_BYTES = 16 * 1024;
/** Browsers send fewer than 30. */
export const MAX_FIELDS = 100;
/** A name of 1,024 bytes takes 3,072 when every byte is encoded; the rest is for a query. */
export const MAX_TARGET_LENGTH = 8192;

/** A request that cannot be served, as status and sentence. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    readonly sentence: string,
    /** Further fields of the response. */
    readonly fields: readonly HttpField[] = [],
  ) {
    super(`${status} ${sentence}`);
    this.name = "HttpError";
  }
}

export type HttpField = readonly [name: string, value: string];

export interface HttpRequest {
  /** Case-sensitive. */
  readonly method: string;
  /** As it was sent; not decoded. */
  readonly target: string;
  /** Of HTTP/1: 0, or 1 for 1.1 and later. */
  readonly minor: 0 | 1;
  /** By lower-case name. Several fields of one name are joined by a comma. */
  readonly fields: ReadonlyMap<string, string>;
  /** Whether the client wants to send further requests on the connection. */
  readonly keepAlive: boolean;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([^\\x00-\\x20\\x7f]+) HTTP/(\\d)\\.(\\d)$`);
const FIELD_NAME = new RegExp(`^${TOKEN}$`);
/** Controls in a value; a tab is allowed. */
// deno-lint-ignore no-control-regex -- it looks for control characters
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
/** A field that decides where a request ends or whom it is for: two of them are two opinions. */
const SINGLE_FIELDS: ReadonlySet<string> = new Set(["host", "content-length"]);

/** One character for each byte. The platform's decoder of that name is another one (windows-1252). */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** Requests of this protocol; the rest of the line may be anything. */
const OWN_VERB = /^(?:LIST|FILESIZE|DOWNLOAD|HELLO)(?: |$)/;
const HTTP_LINE = new RegExp(`^${TOKEN} .*HTTP/\\d\\.\\d$`, "s");

/**
 * Whether the first bytes of a connection are an HTTP request: "maybe" while a line end decides.
 * `GET` and `HEAD` are no verbs of this protocol. Any other method is recognized by its whole line,
 * unless the line begins with a verb: a file may be called `a HTTP/1.1`.
 */
export function detectHttp(bytes: Uint8Array): "yes" | "no" | "maybe" {
  const end = bytes.indexOf(0x0a);
  const line = latin1(bytes.subarray(0, end < 0 ? MAX_TARGET_LENGTH : end));
  const begins = /^(?:GET|HEAD) /.test(line);
  if (end < 0) {
    if (begins) return bytes.length < MAX_HEAD_BYTES ? "maybe" : "yes";
    return line !== "" && ("GET ".startsWith(line) || "HEAD ".startsWith(line)) ? "maybe" : "no";
  }
  if (begins) return "yes";
  return !OWN_VERB.test(line) && HTTP_LINE.test(line.replace(/\r$/, "")) ? "yes" : "no";
}

/**
 * @param head up to and including the empty line.
 * @throws {HttpError} The connection must be closed then: where the next request begins is not certain.
 */
export function parseHttpRequest(head: Uint8Array): HttpRequest {
  const [first = "", ...lines] = linesOf(latin1(head));
  const [, method, target, major, minor] = REQUEST_LINE.exec(first) ?? [];
  if (method === undefined || target === undefined) throw badRequest("the request line is wrong");
  if (major !== "1") throw new HttpError(505, "this server speaks HTTP/1.1");
  if (target.length > MAX_TARGET_LENGTH) throw new HttpError(414, "the address is too long");
  if (lines.length > MAX_FIELDS) {
    throw new HttpError(431, `a request has at most ${MAX_FIELDS} fields`);
  }
  const fields = new Map<string, string>();
  for (const line of lines) addField(fields, line);
  const isOld = minor === "0";
  checkFraming(method, fields, isOld);
  if (!isOld && !fields.has("host")) throw badRequest("there is no Host field");
  const options = listOf(fields.get("connection") ?? "");
  const keepAlive = !options.includes("close") && (!isOld || options.includes("keep-alive"));
  return { method, target, minor: isOld ? 0 : 1, fields, keepAlive };
}

/** The lines before the empty one, without their ends. */
function linesOf(head: string): string[] {
  const lines = head.split("\r\n");
  // Behind the last line end and the empty line there is nothing.
  if (lines.pop() !== "" || lines.pop() !== "") throw badRequest("a line does not end with CR LF");
  if (lines.some((line) => CONTROL.test(line))) {
    throw badRequest("there is a control character, or a line does not end with CR LF");
  }
  return lines;
}

function addField(fields: Map<string, string>, line: string): void {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  // This also finds a folded line, and a space before the colon.
  if (!FIELD_NAME.test(name)) throw badRequest("a field name is wrong");
  const key = name.toLowerCase();
  const value = trimmed(line.slice(colon + 1));
  const before = fields.get(key);
  if (before !== undefined && SINGLE_FIELDS.has(key)) {
    throw badRequest("a field that must occur once occurs twice");
  }
  fields.set(key, before === undefined ? value : `${before}, ${value}`);
}

/** Without the spaces and tabs around it; other white space belongs to the value. */
function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text, start)) start++;
  while (end > start && isBlank(text, end - 1)) end--;
  return text.slice(start, end);
}

function isBlank(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit === 0x20 || unit === 0x09;
}

/**
 * A request of a file has no body. One with a body is refused: a program in front that sees none
 * would take the body for the next request.
 */
function checkFraming(method: string, fields: ReadonlyMap<string, string>, isOld: boolean): void {
  const length = fields.get("content-length");
  const encoding = fields.get("transfer-encoding");
  if (length !== undefined && !/^\d{1,15}$/.test(length)) throw badRequest("the length is wrong");
  if (encoding !== undefined && (isOld || length !== undefined)) {
    throw badRequest("the length of the body is ambiguous");
  }
  const takesBody = method !== "GET" && method !== "HEAD";
  if (!takesBody && (encoding !== undefined || Number(length ?? 0) > 0)) {
    throw badRequest(`${method} has no body`);
  }
  const expected = fields.get("expect");
  if (expected !== undefined && expected.toLowerCase() !== "100-continue") {
    throw new HttpError(417, "the expectation is unknown");
  }
}

/** The parts of a comma-separated list, in lower case. */
function listOf(value: string): string[] {
  return value.split(",").map((part) => trimmed(part).toLowerCase());
}

export function badRequest(why: string): HttpError {
  return new HttpError(400, `the request cannot be read: ${why}`);
}
