/** Parses and encodes requests, of sessions and one-shot. */
import { type ByteRange, lengthOf } from "../base/ranges.ts";
import { invalidNameReason } from "../base/names.ts";
import { ErrorReply } from "./error_replies.ts";
import { parseNumber, parseSize } from "./syntax.ts";

/** The request that opens a session. */
export const HELLO = "HELLO 2";

const CONTENT_ID = /^[0-9a-f]{64}$/;
const MAX_PORT = 65_535;

export type SessionRequest =
  | { readonly verb: "AUTH"; readonly answer: string }
  /** Names greater than `after`; "" for all. */
  | { readonly verb: "LIST"; readonly after: string }
  | { readonly verb: "FILESIZE"; readonly name: string }
  | { readonly verb: "MANIFEST"; readonly name: string }
  /** The manifest, and the bytes of a file of one piece if there are at most `maxBytes`. */
  | { readonly verb: "FETCH"; readonly name: string; readonly maxBytes: number }
  | { readonly verb: "DOWNLOAD"; readonly name: string; readonly range: ByteRange }
  /** As `DOWNLOAD`, but names the content by its id, 64 lower-case hex digits. */
  | { readonly verb: "READ"; readonly id: string; readonly range: ByteRange }
  /** Which pieces of a content the seed has; with `known`, those gained after the first `known` ones. */
  | { readonly verb: "HAVE"; readonly id: string; readonly known?: number }
  /** Announces a receiver that serves what it has on `port` (0: not, or no longer), and asks for others. */
  | { readonly verb: "JOIN"; readonly id: string; readonly port: number; readonly pieces: number }
  /** Which of these pieces the receiver at `port` should request from this seed, at most `count`. */
  | {
    readonly verb: "SUGGEST";
    readonly id: string;
    readonly port: number;
    readonly count: number;
    readonly pieces: readonly number[];
  }
  | { readonly verb: "PING" }
  | { readonly verb: "BYE" };

/** The requests that receivers send to seeds and to each other. */
export type SwarmRequest = Extract<SessionRequest, { verb: "HAVE" | "JOIN" | "SUGGEST" }>;

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
    case "FETCH":
      return `FETCH ${request.name}|${request.maxBytes}`;
    case "DOWNLOAD":
      return `DOWNLOAD ${request.name}|${request.range.start}|${lengthOf(request.range)}`;
    case "READ":
      return `READ ${request.id}|${request.range.start}|${lengthOf(request.range)}`;
    case "HAVE":
      return request.known === undefined
        ? `HAVE ${request.id}`
        : `HAVE ${request.id}|${request.known}`;
    case "JOIN":
      return `JOIN ${request.id}|${request.port}|${request.pieces}`;
    case "SUGGEST":
      return `SUGGEST ${request.id}|${request.port}|${request.count}|${request.pieces}`;
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
    case "FETCH": {
      const { name, number } = splitNumber(rest);
      if (name === undefined || number === undefined) break;
      return { verb, name: validName(name), maxBytes: number };
    }
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
    case "HAVE": {
      const parsed = parseIdAndNumbers(rest);
      if (parsed === undefined || parsed.numbers.length > 1) break;
      const [known] = parsed.numbers;
      return { verb, id: parsed.id, ...known === undefined ? {} : { known } };
    }
    case "JOIN": {
      const parsed = parseIdAndNumbers(rest);
      const [port, pieces] = parsed?.numbers ?? [];
      if (parsed?.numbers.length !== 2 || port! > MAX_PORT) break;
      return { verb, id: parsed.id, port: port!, pieces: pieces! };
    }
    case "SUGGEST": {
      const [, head, list = ""] = rest?.match(/^(.*)\|([^|]*)$/s) ?? [];
      const parsed = parseIdAndNumbers(head);
      const [port, count] = parsed?.numbers ?? [];
      const digits = list.split(",");
      const pieces = digits.flatMap((each) => parseSize(each) ?? []);
      if (parsed?.numbers.length !== 2 || port! > MAX_PORT || pieces.length < digits.length) break;
      return { verb, id: parsed.id, port: port!, count: count!, pieces };
    }
  }
  throw notARequest();
}

/** `<name>|<number>`; the name may contain `|`. */
function splitNumber(text = ""): { name?: string | undefined; number?: number | undefined } {
  const [, name, digits] = text.match(/^(.*)\|([^|]*)$/s) ?? [];
  return { name, number: parseNumber(digits ?? "") };
}

/** `<target>|<offset>|<length>`; the target may contain `|`. */
function parseRange(text = ""): { target: string; range: ByteRange } | undefined {
  const [, target, offset, length] = text.match(/^(.*)\|([^|]*)\|([^|]*)$/s) ?? [];
  const start = parseNumber(offset ?? "");
  const bytes = parseNumber(length ?? "");
  if (target === undefined || start === undefined || bytes === undefined) return undefined;
  return { target, range: { start, end: start + bytes } };
}

/** `<id>|<number>|<number>`; undefined also for a number that no file can reach. */
function parseIdAndNumbers(text = ""): { id: string; numbers: number[] } | undefined {
  const [id, ...digits] = text.split("|", 4);
  const numbers = digits.flatMap((each) => parseSize(each) ?? []);
  if (id === undefined || !CONTENT_ID.test(id) || numbers.length < digits.length) return undefined;
  return { id, numbers };
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
      const { name, number: offset } = splitNumber(rest);
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
