/** Parses and encodes the replies to `LIST`, of sessions and one-shot. */
import { ProtocolError } from "../base/errors.ts";
import { compareNames, isValidName, MAX_NAME_BYTES } from "../base/names.ts";
import { type ErrorReply, type ErrorReplyCode, parseErrorReply } from "./error_replies.ts";
import { withoutPadding } from "./replies.ts";
import { MAX_LINE_BYTES } from "./syntax.ts";

/** Lines of one reply to `LIST`. */
export const MAX_LISTED_FILES = 10_000;
/**
 * 10,000 lines of 6,291 bytes: a name of 1,024 bytes, each escaped as six (`\u0061`), takes 6,144,
 * and the field names and two numbers of 17 digits take less than 147. No more, because a client
 * allocates what the seed announces.
 */
export const MAX_LISTING_BYTES = 60 * 1024 * 1024;

/** A file in a seed's listing. */
export interface ListedFile {
  /** The path below the served folder, with `/` between its parts. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Time of the last change, in milliseconds since 1970. */
  readonly modified: number;
  /** Whether its owner may run it as a program. */
  readonly executable?: true;
}

export function encodeListing(files: readonly ListedFile[]): string {
  return files.map(({ name, size, modified, executable }) =>
    JSON.stringify({ name, size, modified, ...executable && { executable } }) + "\n"
  ).join("");
}

/**
 * Parses one page in parts, so that the caller can yield between them. Skips invalid names: one bad
 * name must not hide the others.
 */
export class ListingPage {
  readonly files: ListedFile[] = [];
  #lines = 0;
  #last: string;

  /** @param after the last name of the previous page. */
  constructor(after: string) {
    this.#last = after;
  }

  /** Parses complete lines. @throws {ProtocolError} for a malformed line, a wrong order or too many lines. */
  add(text: string): void {
    for (let at = 0; at < text.length;) {
      const end = text.indexOf("\n", at);
      if (end < 0) throw new ProtocolError("Cannot use listing: it is cut off");
      this.#addLine(text.slice(at, end));
      at = end + 1;
    }
  }

  #addLine(line: string): void {
    if (++this.#lines > MAX_LISTED_FILES) {
      throw new ProtocolError(`Cannot use listing: a page has at most ${MAX_LISTED_FILES} lines`);
    }
    const file = parseListEntry(line);
    if (!isValidName(file.name)) return;
    // Strictly ascending names also guarantee that paging ends.
    if (compareNames(file.name, this.#last) <= 0) {
      throw new ProtocolError("Cannot use listing: it is not sorted");
    }
    this.#last = file.name;
    this.files.push(file);
  }
}

/** The longest name, fully escaped, and two numbers. */
const MAX_ENTRY_CHARACTERS = 8192;

/** One line of a listing. @throws {ProtocolError} */
export function parseListEntry(line: string): ListedFile {
  if (line.length > MAX_ENTRY_CHARACTERS) {
    throw new ProtocolError("Cannot use listing: a line is too long");
  }
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Falls through to the error below.
  }
  const { name, size, modified, executable } = Object(value) as Record<string, unknown>;
  if (
    typeof name !== "string" || !isSize(size) ||
    // JSON's 1e999 becomes Infinity, which is no date.
    typeof modified !== "number" || !Number.isFinite(modified)
  ) {
    throw new ProtocolError(`Cannot use listing: "${line.slice(0, 60)}" is no entry`);
  }
  return { name, size, modified, ...executable === true && { executable } };
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

export function encodeOneShotListing(names: readonly string[]): string {
  return names.map((name) => `${name}\n`).join("");
}

const LF = 10;
const CR = 13;
const NUL = 0;
/** Only these are errors in a one-shot listing; any other `ERROR:…` may be the name of a file. */
const LISTING_ERRORS: readonly string[] = ["BUSY", "AUTH", "SHUTDOWN"] satisfies ErrorReplyCode[];

/** The error that a one-shot seed sent in place of a listing, if any. */
export function parseOneShotListingError(reply: Uint8Array): ErrorReply | undefined {
  if (reply.length > MAX_LINE_BYTES) return undefined;
  const error = parseErrorReply(withoutPadding(new TextDecoder().decode(reply)));
  return error && LISTING_ERRORS.includes(error.code) && !error.text.includes("\n")
    ? error
    : undefined;
}

/**
 * Yields the names in a one-shot listing; there may be millions. They are separated by LF, CRLF or
 * NUL, and the last one may have no separator. Skips invalid names.
 */
export function* parseOneShotListing(reply: Uint8Array): Iterable<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let at = 0; at < reply.length;) {
    const end = endOfName(reply, at);
    const cut = end > at && reply[end - 1] === CR ? end - 1 : end;
    const name = nameOf(reply.subarray(at, cut), decoder);
    // Spaces after the last line end pad a buffer.
    const isPadding = end === reply.length && name?.trim() === "";
    if (name !== undefined && !isPadding) yield name;
    at = end + 1;
  }
}

/** The position of the next separator, or the end. */
function endOfName(reply: Uint8Array, from: number): number {
  for (let at = from; at < reply.length; at++) {
    if (reply[at] === LF || reply[at] === NUL) return at;
  }
  return reply.length;
}

function nameOf(bytes: Uint8Array, decoder: TextDecoder): string | undefined {
  if (bytes.length === 0 || bytes.length > MAX_NAME_BYTES) return undefined;
  try {
    const name = decoder.decode(bytes);
    return isValidName(name) ? name : undefined;
  } catch {
    return undefined;
  }
}
