/** A seed's replies in a session: one line, then a body where the line announces one. */
import { ProtocolError } from "../base/errors.ts";
import { parsePairs } from "./greeting.ts";
import { parseSize } from "./numbers.ts";
import { ErrorReply, isErrorReplyCode, parseErrorReply } from "./error_replies.ts";

export type Reply =
  | {
    readonly kind: "ok";
    readonly length: number;
    readonly fields: ReadonlyMap<string, string>;
  }
  | { readonly kind: "size"; readonly size: number }
  | { readonly kind: "error"; readonly error: ErrorReply };

export function encodeOk(
  length: number,
  fields: Record<string, string | number> = {},
): string {
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${value}`);
  return `OK ${length}${pairs.join("")}\n`;
}

export function encodeSize(size: number): string {
  return `SIZE:${size}\n`;
}

/** @throws {ProtocolError} if the line is no reply. */
export function parseReply(line: string): Reply {
  const error = parseErrorReply(line);
  if (error) return { kind: "error", error };
  if (line.startsWith("SIZE:")) {
    const size = parseSize(line.slice("SIZE:".length));
    if (size !== undefined) return { kind: "size", size };
  }
  const [, digits, pairs = ""] = line.match(/^OK ([0-9]+)(?: (.*))?$/s) ?? [];
  const length = parseSize(digits ?? "");
  if (length !== undefined) {
    return { kind: "ok", length, fields: parsePairs(pairs) };
  }
  throw new ProtocolError(`Cannot read reply "${line.slice(0, 60)}"`);
}

/** What C programs send behind a reply: line ends, and the rest of a fixed buffer. */
const PADDING = "\0\r\n ";

/** `reply` without what C programs send behind it. */
export function withoutPadding(reply: string): string {
  let end = reply.length;
  while (end > 0 && PADDING.includes(reply.charAt(end - 1))) end--;
  return reply.slice(0, end);
}

/**
 * The size in the whole reply of a one-shot `FILESIZE`, as programs of many
 * authors write it: without a line end, with several, or padded to the length of
 * a buffer, and maybe with one space before the number.
 *
 * @throws {ProtocolError} if it is neither a size nor an error. @throws {ErrorReply} NOT_FOUND for any error in other words than the protocol's.
 */
export function parseOneShotSize(reply: string): number {
  const line = withoutPadding(reply);
  if (line.startsWith("ERROR")) throw oneShotError(line);
  const [, digits = ""] = line.match(/^SIZE: ?([0-9]+)$/) ?? [];
  const size = parseSize(digits);
  if (size === undefined) throw new ProtocolError(`Cannot read size "${line.slice(0, 60)}"`);
  return size;
}

function oneShotError(line: string): ErrorReply {
  const error = isErrorReplyCode(line.match(/^ERROR:([A-Z_]+)/)?.[1])
    ? parseErrorReply(line.split(/[\r\n\0]/, 1)[0]!)
    : undefined;
  return error ?? new ErrorReply("NOT_FOUND", line.slice("ERROR".length, 200));
}
