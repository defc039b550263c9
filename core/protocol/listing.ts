/** What a seed offers, in both dialects. */
import { ProtocolError } from "../base/errors.ts";
import { compareNames, isValidName, MAX_NAME_BYTES } from "../base/names.ts";
import { MAX_LINE_BYTES } from "./lines.ts";
import { type ErrorReply, type ErrorReplyCode, parseErrorReply } from "./error_replies.ts";
import { withoutPadding } from "./replies.ts";

/** Lines in one reply to `LIST`. */
export const MAX_LISTED_FILES = 10_000;
/**
 * 10,000 lines of 6,291 bytes: a name of 1,024 bytes, each of them written as six
 * (`\u0061`), is 6,144, and the field names and two numbers of 17 digits take less
 * than the 147 that are left. Memory is taken as a seed announces it, so no more.
 */
export const MAX_LISTING_BYTES = 60 * 1024 * 1024;

export interface ListedFile {
  readonly name: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

export function encodeListing(files: readonly ListedFile[]): string {
  return files.map(({ name, size, modified }) => JSON.stringify({ name, size, modified }) + "\n")
    .join("");
}

/**
 * The files of one page, taken a few lines at a time, so that the caller can let
 * others run between them. Skips names that are not valid: one bad name must not
 * hide the others.
 */
export class ListingPage {
  readonly files: ListedFile[] = [];
  #lines = 0;
  #last: string;

  /** @param after the last name of the page before. */
  constructor(after: string) {
    this.#last = after;
  }

  /**
   * Takes whole lines.
   *
   * @throws {ProtocolError} if a line is no entry, or the order or the length is not the protocol's.
   */
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
    const file = parseEntry(line);
    if (!isValidName(file.name)) return;
    // Strictly growing names also mean that paging comes to an end.
    if (compareNames(file.name, this.#last) <= 0) {
      throw new ProtocolError("Cannot use listing: it is not sorted");
    }
    this.#last = file.name;
    this.files.push(file);
  }
}

/** The files of one page that is there as a whole. @throws {ProtocolError} as `ListingPage.add`. */
export function parseListing(text: string, after: string): ListedFile[] {
  const page = new ListingPage(after);
  page.add(text);
  return page.files;
}

/** The longest name, escaped at worst, and two numbers. */
const MAX_ENTRY_CHARACTERS = 8192;

function parseEntry(line: string): ListedFile {
  if (line.length > MAX_ENTRY_CHARACTERS) {
    throw new ProtocolError("Cannot use listing: a line is too long");
  }
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Told below, in our words.
  }
  const { name, size, modified } = Object(value) as Record<string, unknown>;
  if (
    typeof name !== "string" || !isSize(size) ||
    // JSON's 1e999 is Infinity here, and no date.
    typeof modified !== "number" || !Number.isFinite(modified)
  ) {
    throw new ProtocolError(
      `Cannot use listing: "${line.slice(0, 60)}" is no entry`,
    );
  }
  return { name, size, modified };
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
/** Only these mean that an old seed gives no listing; any other word may be a file's name. */
const LISTING_REFUSALS: readonly string[] = ["BUSY", "AUTH", "SHUTDOWN"] satisfies ErrorReplyCode[];

/** What a seed says that gives no listing; undefined when `reply` is one. */
export function parseOneShotListingError(reply: Uint8Array): ErrorReply | undefined {
  if (reply.length > MAX_LINE_BYTES) return undefined;
  const refusal = parseErrorReply(withoutPadding(new TextDecoder().decode(reply)));
  return refusal && LISTING_REFUSALS.includes(refusal.code) && !refusal.text.includes("\n")
    ? refusal
    : undefined;
}

/**
 * The names in an old seed's listing, one by one, for there may be millions. LF,
 * CRLF or NUL separates them, and the last one may stand without. Skips what is
 * not a valid name.
 */
export function* parseOneShotListing(reply: Uint8Array): Iterable<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let at = 0; at < reply.length;) {
    const end = endOfName(reply, at);
    const cut = end > at && reply[end - 1] === CR ? end - 1 : end;
    const name = nameOf(reply.subarray(at, cut), decoder);
    // Spaces behind the last line end fill a buffer.
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
