/** What the target of an HTTP request names: a file or folder of the seed, and a query. */
import { badRequest } from "./http_request.ts";

export interface HttpTarget {
  /** Decoded, without the slashes at its ends; "" for the root. It may be invalid. */
  readonly name: string;
  /** The path ends with a slash. */
  readonly isFolder: boolean;
  /** The decoded query, the first of two equal keys. A key without a value has "". */
  readonly query: ReadonlyMap<string, string>;
  /** Of an absolute target, which stands for the Host field. */
  readonly authority: string | undefined;
}

/** A part that no valid name has: its request is answered like one for a file that is not there. */
const NEVER_FOUND = "..";
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws {HttpError} 400 if it is no target, or not UTF-8 once it is decoded. */
export function parseHttpTarget(target: string): HttpTarget {
  const [, authority, rest = target] = /^https?:\/\/([^/?#]+)(.*)$/is.exec(target) ?? [];
  const origin = authority !== undefined && !rest.startsWith("/") ? `/${rest}` : rest;
  if (!origin.startsWith("/")) throw badRequest("the target is no path");
  if (origin.includes("#")) throw badRequest("the target has a fragment");
  const mark = origin.indexOf("?");
  const path = mark < 0 ? origin : origin.slice(0, mark);
  const isFolder = path.endsWith("/");
  const inner = path === "/" ? "" : path.slice(1, isFolder ? -1 : undefined);
  // A slash that is encoded separates nothing, and no part of a name holds one.
  const parts = inner.split("/").map((part) => {
    const decoded = decodePart(part);
    return decoded.includes("/") ? NEVER_FOUND : decoded;
  });
  const query = mark < 0 ? new Map<string, string>() : parseQuery(origin.slice(mark + 1));
  return { name: parts.join("/"), isFolder, query, authority };
}

/** Keys of a query that are looked at: all others are ignored, so that any query may be added. */
const MAX_QUERY_FIELDS = 16;

function parseQuery(text: string): Map<string, string> {
  const query = new Map<string, string>();
  for (const field of text.split("&", MAX_QUERY_FIELDS)) {
    const at = field.indexOf("=");
    const key = decodePart(at < 0 ? field : field.slice(0, at));
    const value = at < 0 ? "" : decodePart(field.slice(at + 1));
    if (!query.has(key)) query.set(key, value);
  }
  return query;
}

/** @param text Latin-1, one character for each byte. */
function decodePart(text: string): string {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    let byte = text.charCodeAt(at);
    if (byte === 0x25) {
      const digits = text.slice(at + 1, at + 3);
      if (!/^[0-9a-fA-F]{2}$/.test(digits)) throw badRequest("a percent sign encodes nothing");
      byte = Number.parseInt(digits, 16);
      at += 2;
    }
    bytes[length++] = byte;
  }
  try {
    return UTF8.decode(bytes.subarray(0, length));
  } catch {
    throw badRequest("the target is not UTF-8");
  }
}
