/** Reports links to the first files once, after the start. */
import { formatLink } from "../../base/link.ts";
import type { FileLink } from "../../events.ts";
import { ErrorReply } from "../../protocol/error_replies.ts";
import type { ServeContext } from "../context.ts";
import { FileChangedError, type Located } from "../files/open_file.ts";

/** Hashing this many bytes takes less than a second; larger files are hashed when they are requested. */
const MAX_HASHED_BYTES = 256 * 1024 * 1024;
/** Shown as the client that requested the hashing. */
const CLIENT = "localhost";

export async function reportLinks(
  { host, port }: { readonly host: string; readonly port: number },
  context: ServeContext,
  hostName: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { index, settings: { links: count, tls }, emit } = context;
  const isEverywhere = host === "::" || host === "0.0.0.0";
  const name = isEverywhere ? hostName ?? "localhost" : host;
  const address = { host: name, port, tls: tls !== undefined };
  const files = (await index.all()).slice(0, count);
  const links: FileLink[] = [];
  let budget = MAX_HASHED_BYTES;
  for (const { name, size } of files) {
    const id = await idOf(name, size <= budget, context, signal).catch(() => null);
    if (signal.aborted) return;
    budget -= Math.min(size, budget);
    links.push({ name, id, link: formatLink(address, name, id) });
  }
  if (links.length > 0) emit({ kind: "links", links });
}

/** @param mayHash otherwise only a digest that is known is used. */
async function idOf(
  name: string,
  mayHash: boolean,
  { files, manifests, diskCache }: ServeContext,
  signal: AbortSignal,
): Promise<string | null> {
  const found = files.find(name);
  if (!mayHash) {
    using file = files.open(found);
    return (manifests.known(found) ?? await diskCache.find(file))?.id ?? null;
  }
  return await hashedId(found, { files, manifests }, signal);
}

async function hashedId(
  found: Located,
  { files, manifests }: Pick<ServeContext, "files" | "manifests">,
  signal: AbortSignal,
): Promise<string> {
  using opened = new DisposableStack();
  const open = () => opened.use(files.open(found));
  for (;;) {
    try {
      return (await manifests.manifestOf(found, open, CLIENT, signal)).id;
    } catch (error) {
      if (error instanceof FileChangedError) throw error;
      // Each attempt waits for a while itself.
      if (!(error instanceof ErrorReply) || error.code !== "PENDING") throw error;
    }
  }
}
