/** What one seed offers, put together from its replies, however many or hostile they are. */
import { NotFoundError, ProtocolError } from "../base/errors.ts";
import { type ListedFile, parseListing, parseOneShotListing } from "../wire/listing.ts";
import { inLanes } from "./lanes.ts";
import type { Answer } from "./session_connection.ts";

/** Bounds for memory, and for the time that a hostile seed can take. */
const MOST_FILES = 1_000_000;
const MOST_PAGES = 1000;

/** Page after page; `ask` gets the names behind `after`. @throws {ProtocolError} if it never ends. */
export async function listPages(
  seed: string,
  ask: (after: string) => Promise<Answer>,
): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  let more = true;
  for (let pages = 0; more; pages++) {
    if (pages >= MOST_PAGES || files.length > MOST_FILES) {
      throw new ProtocolError(`${seed} offers more than can be listed`);
    }
    const after = files.at(-1)?.name ?? "";
    const { reply, body } = await ask(after);
    const page = parseListing(textOf(seed, body), after);
    for (const file of page) files.push(file);
    more = reply.kind === "ok" && reply.fields.get("more") === "1" && page.length > 0;
  }
  return files;
}

/** An old seed tells names only; their sizes are asked for in so many lanes. One that is not there any more is left out. */
export async function listOneShot(
  reply: () => Promise<string>,
  sizeOf: (name: string) => Promise<number>,
  lanes: number,
): Promise<ListedFile[]> {
  const names = parseOneShotListing(await reply());
  const sizes = new Map<string, number>();
  await inLanes(names, lanes, async (name) => {
    try {
      sizes.set(name, await sizeOf(name));
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
  });
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
