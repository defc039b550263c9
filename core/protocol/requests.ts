/** Parses and encodes requests, of sessions and one-shot. */
import { type ByteRange, lengthOf } from "../base/ranges.ts";
import { invalidNameReason } from "../base/names.ts";
import { ErrorReply } from "./error_replies.ts";
import { parseNumber } from "./syntax.ts";

/** The request that opens a session. */
export const HELLO = "HELLO 2";

const CONTENT_ID = /^[0-9a-f]{64}$/;

export type SessionRequest =
  | { readonly verb: "AUTH"; readonly answer: string }
  /** Names greater than `after`; "" for all. */
  | { readonly verb: "LIST"; readonly after: string }
  | { readonly verb: "FILESIZE"; readonly name: string }
  | { readonly verb: "MANIFEST"; readonly name: string }
  | { readonly verb: "DOWNLOAD"; readonly name: string; readonly range: ByteRange }
  /** As `DOWNLOAD`, but names the content by its id, 64 lower-case hex digits. */
  | { readonly verb: "READ"; readonly id: string; readonly range: ByteRange }
  | { readonly verb: "PING" }
  | { readonly verb: "BYE" };

export type OneShotRequest =
  | { readonly verb: "LIST" }
  | { readonly verb: "FILESIZE"; readonly name: string }
  | { readonly verb: "DOWNLOAD"; readonly name: string; readonly offset: number };

/** One line without its line end. */
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
 * Parses one line. A number that no file can reach becomes `Infinity`, which is outside of every
 * file; whether a range lies in the file is checked later.
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
      return { verb, name: validName(parsed.target), range: parsed.range };
    }
    case "READ": {
      const parsed = parseRange(rest);
      if (parsed === undefined || !CONTENT_ID.test(parsed.target)) break;
      return { verb, id: parsed.target, range: parsed.range };
    }
  }
  throw notARequest();
}

/** `<target>|<offset>|<length>`; the target may contain `|`. */
function parseRange(text = ""): { target: string; range: ByteRange } | undefined {
  const [, target, offset, length] = text.match(/^(.*)\|([^|]*)\|([^|]*)$/s) ?? [];
  const start = parseNumber(offset ?? "");
  const bytes = parseNumber(length ?? "");
  if (target === undefined || start === undefined || bytes === undefined) return undefined;
  return { target, range: { start, end: start + bytes } };
}

export function encodeOneShotRequest(request: OneShotRequest): string {
  if (request.verb === "LIST") return "LIST";
  const offset = request.verb === "DOWNLOAD" ? `|${request.offset}` : "";
  return `${request.verb} ${request.name}${offset}`;
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
  // The reply must not show whether a file exists under a forbidden name.
  if (invalidNameReason(name) !== undefined) {
    throw new ErrorReply("NOT_FOUND", "no such file");
  }
  return name;
}

function notARequest(): ErrorReply {
  return new ErrorReply("BAD_REQUEST", "not a request of this protocol");
}
