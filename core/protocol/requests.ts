/** Requests of both dialects: text ↔ meaning, strict both ways. */
import type { ByteRange } from "../base/ranges.ts";
import { lengthOf } from "../base/ranges.ts";
import { invalidNameReason } from "../base/names.ts";
import { parseNumber } from "./numbers.ts";
import { ErrorReply } from "./error_replies.ts";

export { MAX_LINE_BYTES } from "./lines.ts";

/** What opens a session. */
export const HELLO = "HELLO 2";

const CONTENT_ID = /^[0-9a-f]{64}$/;

export type SessionRequest =
  | { readonly verb: "AUTH"; readonly answer: string }
  /** Names greater than `after`; "" for all. */
  | { readonly verb: "LIST"; readonly after: string }
  | { readonly verb: "FILESIZE"; readonly name: string }
  | { readonly verb: "MANIFEST"; readonly name: string }
  | {
    readonly verb: "DOWNLOAD";
    readonly name: string;
    readonly range: ByteRange;
  }
  /** As `DOWNLOAD`, of the content with this id, 64 lower-case hex digits, whatever its name. */
  | { readonly verb: "READ"; readonly id: string; readonly range: ByteRange }
  | { readonly verb: "PING" }
  | { readonly verb: "BYE" };

export type OneShotRequest =
  | { readonly verb: "LIST" }
  | { readonly verb: "FILESIZE"; readonly name: string }
  | {
    readonly verb: "DOWNLOAD";
    readonly name: string;
    readonly offset: number;
  };

/** One line without its end. */
export function encodeSessionRequest(request: SessionRequest): string {
  switch (request.verb) {
    case "AUTH":
      return `AUTH ${request.answer}`;
    case "LIST":
      return request.after === "" ? "LIST" : `LIST ${request.after}`;
    case "FILESIZE":
    case "MANIFEST":
      return `${request.verb} ${request.name}`;
    case "DOWNLOAD":
      return `DOWNLOAD ${request.name}|${request.range.start}|${lengthOf(request.range)}`;
    case "READ":
      return `READ ${request.id}|${request.range.start}|${lengthOf(request.range)}`;
    default:
      return request.verb;
  }
}

/**
 * The meaning of one line. A number that no file can reach is `Infinity`, which
 * is outside of every file; whether a range fits is not decided here.
 *
 * @throws {ErrorReply} BAD_REQUEST if the line is no request, NOT_FOUND if the name is not valid.
 */
export function parseSessionRequest(line: string): SessionRequest {
  const { verb, rest } = splitVerb(line);
  switch (verb) {
    case "PING":
    case "BYE":
      if (rest !== undefined) break;
      return { verb };
    case "LIST":
      if (rest === "") break;
      return { verb, after: rest ?? "" };
    case "AUTH":
      if (rest === undefined || rest === "") break;
      return { verb, answer: rest };
    case "FILESIZE":
    case "MANIFEST":
      if (rest === undefined) break;
      return { verb, name: validName(rest) };
    case "DOWNLOAD": {
      const parsed = parseRange(rest);
      if (parsed === undefined) break;
      return { verb, name: validName(parsed.what), range: parsed.range };
    }
    case "READ": {
      const parsed = parseRange(rest);
      if (parsed === undefined || !CONTENT_ID.test(parsed.what)) break;
      return { verb, id: parsed.what, range: parsed.range };
    }
  }
  throw notARequest();
}

/** `<what>|<offset>|<length>`; what is read may itself contain `|`. */
function parseRange(text = ""): { what: string; range: ByteRange } | undefined {
  const [, what, offset, length] = text.match(/^(.*)\|([^|]*)\|([^|]*)$/s) ?? [];
  const start = parseNumber(offset ?? "");
  const bytes = parseNumber(length ?? "");
  if (what === undefined || start === undefined || bytes === undefined) return undefined;
  return { what, range: { start, end: start + bytes } };
}

export function encodeOneShotRequest(request: OneShotRequest): string {
  switch (request.verb) {
    case "LIST":
      return "LIST";
    case "FILESIZE":
      return `FILESIZE ${request.name}`;
    case "DOWNLOAD":
      return `DOWNLOAD ${request.name}|${request.offset}`;
  }
}

/** @throws {ErrorReply} as `parseSessionRequest`. */
export function parseOneShotRequest(line: string): OneShotRequest {
  const { verb, rest } = splitVerb(line);
  switch (verb) {
    case "LIST":
      if (rest !== undefined) break;
      return { verb };
    case "FILESIZE":
      if (rest === undefined) break;
      return { verb, name: validName(rest) };
    case "DOWNLOAD": {
      const [, name, digits] = rest?.match(/^(.*)\|([^|]*)$/s) ?? [];
      const offset = parseNumber(digits ?? "");
      if (name === undefined || offset === undefined) break;
      return { verb, name: validName(name), offset };
    }
  }
  throw notARequest();
}

function splitVerb(line: string): { verb: string; rest: string | undefined } {
  const space = line.indexOf(" ");
  return space < 0
    ? { verb: line, rest: undefined }
    : { verb: line.slice(0, space), rest: line.slice(space + 1) };
}

function validName(name: string): string {
  // Nobody learns from us whether something is there under a forbidden name.
  if (invalidNameReason(name) !== undefined) {
    throw new ErrorReply("NOT_FOUND", "no such file");
  }
  return name;
}

function notARequest(): ErrorReply {
  return new ErrorReply("BAD_REQUEST", "not a request of this protocol");
}
