/** Assembles the listing of one seed from its replies, within limits: the seed may be hostile. */
import { NotFoundError, ProtocolError } from "../base/errors.ts";
import { yieldToEventLoop } from "../base/clock.ts";
import { type ListedFile, ListingPage, parseOneShotListing } from "../protocol/listing.ts";
import { forEachConcurrent } from "../base/task_group.ts";
import type { SessionReply } from "./session_connection.ts";

/** Limits for memory and time. */
const MAX_FILES = 1_000_000;
const MAX_PAGES = 1000;
/** Parsed without yielding; takes about 10 ms. */
const PART_BYTES = 256 * 1024;
const NAMES_PER_YIELD = 10_000;
/** Malformed sizes from an old seed before the first valid one. */
const MAX_MALFORMED_SIZES = 32;
const LF = 10;

/** Requests all pages; `ask` requests the names after `after`. @throws {ProtocolError} if there are too many. */
export async function listPages(
  seed: string,
  ask: (after: string) => Promise<SessionReply>,
): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  let more = true;
  for (let pages = 0; more; pages++) {
    if (pages >= MAX_PAGES || files.length > MAX_FILES) {
      throw new ProtocolError(`${seed} offers more than can be listed`);
    }
    const after = files.at(-1)?.name ?? "";
    const { reply, body } = await ask(after);
    const page = await parsePage(seed, body, after);
    for (const file of page) files.push(file);
    more = reply.kind === "ok" && reply.fields.get("more") === "1" && page.length > 0;
  }
  return files;
}

/** Parses a page of up to 60 MiB in parts of whole lines, and yields between them. */
async function parsePage(seed: string, body: Uint8Array, after: string): Promise<ListedFile[]> {
  const page = new ListingPage(after);
  for (let at = 0; at < body.length;) {
    if (at > 0) await yieldToEventLoop();
    const end = body.lastIndexOf(LF, at + PART_BYTES) + 1;
    const part = body.subarray(at, end > at ? end : body.length);
    page.add(textOf(seed, part));
    at += part.length;
  }
  return page.files;
}

/** A one-shot seed lists names only; their sizes are requested `limit` at a time. Omits names without a size. */
export async function listOneShot(
  seed: string,
  reply: Uint8Array,
  sizeOf: (name: string) => Promise<number>,
  limit: number,
): Promise<ListedFile[]> {
  const names: string[] = [];
  for (const name of parseOneShotListing(reply)) {
    if (names.push(name) > MAX_FILES) {
      throw new ProtocolError(`${seed} offers more than can be listed`);
    }
    if (names.length % NAMES_PER_YIELD === 0) await yieldToEventLoop();
  }
  const sizes = new Map<string, number>();
  const malformed: ProtocolError[] = [];
  await forEachConcurrent(names, limit, async (name) => {
    try {
      sizes.set(name, await sizeOf(name));
    } catch (error) {
      if (error instanceof NotFoundError) return;
      // Some seeds also list folders, whose sizes are malformed.
      if (!(error instanceof ProtocolError)) throw error;
      malformed.push(error);
      if (sizes.size === 0 && malformed.length > MAX_MALFORMED_SIZES) throw error;
    }
  });
  if (sizes.size === 0 && malformed.length > 0) throw malformed[0];
  return names.flatMap((name) => {
    const size = sizes.get(name);
    return size === undefined ? [] : [{ name, size, modified: 0 }];
  });
}

/** @throws {ProtocolError} if it is not UTF-8. */
export function textOf(seed: string, body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new ProtocolError(`${seed} sent text that is not UTF-8`);
  }
}
