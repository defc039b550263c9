/** A seed's replies in a session: one line, then a body where the line announces one. */
import { ProtocolError } from "../base/errors.ts";
import { ErrorReply, isErrorReplyCode, parseErrorReply } from "./error_replies.ts";
import { parsePairs, parseSize } from "./syntax.ts";

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
  if (length !== undefined) return { kind: "ok", length, fields: parsePairs(pairs) };
  throw new ProtocolError(`Cannot read reply "${line.slice(0, 60)}"`);
}

/** Removes the line ends and the rest of a fixed buffer, which C programs send after a reply. */
export function withoutPadding(reply: string): string {
  let end = reply.length;
  while (end > 0 && "\0\r\n ".includes(reply.charAt(end - 1))) end--;
  return reply.slice(0, end);
}

/**
 * The size in a complete reply to a one-shot `FILESIZE`. Old seeds send it with or without line
 * ends, padded to the length of a buffer, and sometimes with a space before the number.
 *
 * @throws {ProtocolError} if it is neither a size nor an error.
 * @throws {ErrorReply} NOT_FOUND for any error that is not in the protocol's words.
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
