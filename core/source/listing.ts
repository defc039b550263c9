/** What one seed offers, put together from its replies, however many or hostile they are. */
import { NotFoundError, ProtocolError } from "../base/errors.ts";
import { yieldToEventLoop } from "../base/event_loop.ts";
import { type ListedFile, ListingPage, parseOneShotListing } from "../protocol/listing.ts";
import { forEachConcurrent } from "../base/task_group.ts";
import type { SessionReply } from "./session_connection.ts";

/** Bounds for memory, and for the time that a hostile seed can take. */
const MAX_FILES = 1_000_000;
const MAX_PAGES = 1000;
/** Parsed without a pause: some 10 ms. */
const PART_BYTES = 256 * 1024;
const NAMES_AT_ONCE = 10_000;
/** Sizes without sense that an old seed may give before its first right one. */
const MAX_MALFORMED = 32;
const LF = 10;

/** Page after page; `ask` gets the names behind `after`. @throws {ProtocolError} if it never ends. */
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

/** Parses a page in parts of whole lines: a page may be as long as 60 MiB, and others run between two parts. */
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

/** An old seed tells names only; their sizes are asked for in so many lanes. Names without a size are left out. */
export async function listOneShot(
  seed: string,
  reply: Uint8Array,
  sizeOf: (name: string) => Promise<number>,
  lanes: number,
): Promise<ListedFile[]> {
  const names: string[] = [];
  for (const name of parseOneShotListing(reply)) {
    if (names.push(name) > MAX_FILES) {
      throw new ProtocolError(`${seed} offers more than can be listed`);
    }
    if (names.length % NAMES_AT_ONCE === 0) await yieldToEventLoop();
  }
  const sizes = new Map<string, number>();
  const malformed: ProtocolError[] = [];
  await forEachConcurrent(names, lanes, async (name) => {
    try {
      sizes.set(name, await sizeOf(name));
    } catch (error) {
      if (error instanceof NotFoundError) return;
      // Some list folders, too, which have no size that makes sense.
      if (!(error instanceof ProtocolError)) throw error;
      malformed.push(error);
      if (sizes.size === 0 && malformed.length > MAX_MALFORMED) throw error;
    }
  });
  if (sizes.size === 0 && malformed.length > 0) throw malformed[0];
  return names.flatMap((name) => {
    const size = sizes.get(name);
    return size === undefined ? [] : [{ name, size, modified: 0 }];
  });
}

/** @throws {ProtocolError} if it is no UTF-8. */
export function textOf(seed: string, body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new ProtocolError(`${seed} sent text that is not UTF-8`);
  }
}
