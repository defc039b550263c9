/** A seed's replies in a session: one line, then a body where the line announces one. */
import { ProtocolError } from "../base/errors.ts";
import { parsePairs } from "./greeting.ts";
import { parseSize } from "./numbers.ts";
import { parseRefusal, type Refusal } from "./refusals.ts";

export type Reply =
  | {
    readonly kind: "ok";
    readonly length: number;
    readonly fields: ReadonlyMap<string, string>;
  }
  | { readonly kind: "size"; readonly size: number }
  | { readonly kind: "refusal"; readonly refusal: Refusal };

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
  const refusal = parseRefusal(line);
  if (refusal) return { kind: "refusal", refusal };
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

/**
 * The size in the whole reply of a one-shot `FILESIZE`. The line end is
 * needed: without it, `SIZE:12` may be the beginning of `SIZE:1234`.
 *
 * @throws {ProtocolError} if it is neither a size nor a refusal. @throws {Refusal}
 */
export function parseOneShotSize(reply: string): number {
  const [, line] = reply.match(/^([^\n]*?)\r?\n$/) ?? [];
  const parsed = parseReply(line ?? "");
  if (parsed.kind === "refusal") throw parsed.refusal;
  if (parsed.kind === "size") return parsed.size;
  throw new ProtocolError(`Cannot read size "${reply.slice(0, 60)}"`);
}
