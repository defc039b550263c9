/** Listings that come over HTTP: of a seed behind a web server, and of a bucket. Pure, for untrusted input. */
import { yieldToEventLoop } from "../base/clock.ts";
import { compareNames, isValidName } from "../base/names.ts";
import { P2pError } from "../base/errors.ts";
import { type ListedFile, parseListEntry } from "../protocol/listing.ts";

export const MAX_WEB_LISTING_BYTES = 60 * 1024 * 1024;
/** Limits memory and time. */
export const MAX_WEB_FILES = 1_000_000;
/** Parsed without yielding; takes about 10 ms. */
const LINES_PER_YIELD = 2000;

/** The objects of JSON Lines, as `LIST` sends them; undefined if it is no such text. */
export async function listJson(text: string | undefined): Promise<ListedFile[] | undefined> {
  if (text === undefined) return undefined;
  const files = new Map<string, ListedFile>();
  let lines = 0;
  for (let at = 0; at < text.length;) {
    const found = text.indexOf("\n", at);
    const end = found < 0 ? text.length : found;
    const line = text.slice(at, end).trim();
    at = end + 1;
    if (line === "") continue;
    if (++lines > MAX_WEB_FILES) return undefined;
    if (lines % LINES_PER_YIELD === 0) await yieldToEventLoop();
    const file = entryOf(line);
    if (file === undefined) return undefined;
    if (isValidName(file.name)) files.set(file.name, file);
  }
  return sorted(files.values());
}

function entryOf(line: string): ListedFile | undefined {
  try {
    return parseListEntry(line);
  } catch (error) {
    if (error instanceof P2pError) return undefined;
    throw error;
  }
}

export function sorted(files: Iterable<ListedFile>): ListedFile[] {
  return Array.from(files).sort((a, b) => compareNames(a.name, b.name));
}

/** One page of a bucket's listing. */
export interface BucketPage {
  readonly files: readonly {
    readonly key: string;
    readonly size: number;
    readonly modified: number;
  }[];
  /** Where the next page begins; undefined at the end. */
  readonly next: string | undefined;
}

/** Parses the reply to `list-type=2&encoding-type=url` as far as it is needed. undefined if it is none. */
export function parseBucketPage(xml: string): BucketPage | undefined {
  if (!xml.includes("<ListBucketResult")) return undefined;
  const files: { key: string; size: number; modified: number }[] = [];
  // Some stores ignore the wish for an encoding.
  const isEncoded = xml.includes("<EncodingType>url</EncodingType>");
  let at = 0;
  for (;;) {
    const entry = element(xml, "Contents", at, xml.length);
    if (entry === undefined) break;
    at = entry.end;
    const field = (name: string) => {
      const found = element(xml, name, entry.from, entry.to);
      return found && xml.slice(found.from, found.to);
    };
    const key = keyOf(field("Key"), isEncoded);
    const digits = field("Size")?.trim() ?? "";
    const size = /^\d{1,16}$/.test(digits) ? Number(digits) : NaN;
    if (key === undefined || !Number.isSafeInteger(size)) continue;
    const modified = Date.parse(field("LastModified") ?? "");
    files.push({ key, size, modified: Number.isFinite(modified) ? modified : 0 });
  }
  // Behind the last entry or before the first one, never in between.
  const token = element(xml, "NextContinuationToken", 0, xml.length);
  return { files, next: token && unescaped(xml.slice(token.from, token.to)) };
}

/** The content of the next element, which has no attributes, in linear time. */
function element(
  xml: string,
  name: string,
  from: number,
  to: number,
): { readonly from: number; readonly to: number; readonly end: number } | undefined {
  const open = `<${name}>`;
  const close = `</${name}>`;
  const start = xml.indexOf(open, from);
  if (start < 0 || start >= to) return undefined;
  const end = xml.indexOf(close, start + open.length);
  if (end < 0 || end >= to) return undefined;
  return { from: start + open.length, to: end, end: end + close.length };
}

function keyOf(text: string | undefined, isEncoded: boolean): string | undefined {
  if (text === undefined) return undefined;
  const key = unescaped(text);
  if (!isEncoded) return key;
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name]!);
}
