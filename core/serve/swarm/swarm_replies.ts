/** The replies to `HAVE`, `JOIN` and `SUGGEST`. */
import { layoutOf } from "../../base/pieces.ts";
import { ErrorReply } from "../../protocol/error_replies.ts";
import type { SwarmRequest } from "../../protocol/requests.ts";
import { encodeIndices, encodePeers, encodePieceMap } from "../../protocol/swarm.ts";
import type { ClientConnection } from "../accept/client_connection.ts";
import type { ServeContext } from "../context.ts";
import type { SharedContent } from "./shared_contents.ts";
import type { SwarmTable } from "./swarm_table.ts";

/** A reply line's fields, and a body that may be empty. */
export interface SwarmReply {
  readonly body: Uint8Array;
  readonly fields: Readonly<Record<string, string | number>>;
}

const EMPTY = new Uint8Array();

/** @throws {ErrorReply} NOT_FOUND for a content that is not here, BAD_REQUEST without a swarm. */
export function answerSwarm(
  request: SwarmRequest,
  connection: ClientConnection,
  context: ServeContext,
): SwarmReply {
  const { swarm } = context;
  if (swarm === undefined) throw new ErrorReply("BAD_REQUEST", "this seed knows no swarm");
  const content = contentOf(request.id, context);
  if (content === undefined) throw new ErrorReply("NOT_FOUND", "no such content");
  switch (request.verb) {
    case "HAVE":
      return have(content, request.known, queueOf(context));
    case "JOIN":
      return join(request, content, connection, context, swarm);
    case "SUGGEST": {
      const asked = content.shared === undefined ? request : { ...request, pieces: [] };
      const { pieces, retryAfterMs } = swarm.suggest(
        { ...asked, host: connection.address },
        context.clock.now(),
      );
      const fields = { pieces: encodeIndices(pieces), "retry-after-ms": retryAfterMs };
      return { body: EMPTY, fields };
    }
  }
}

interface Content {
  /** Pieces of the whole content. */
  readonly count: number;
  /** Of a content that may be here in part; undefined for a whole file. */
  readonly shared: SharedContent | undefined;
}

function contentOf(id: string, { shared, manifests }: ServeContext): Content | undefined {
  const found = shared?.find(id);
  if (found) return { count: found.source.content.layout.count, shared: found };
  const file = manifests.fileOf(id);
  return file && { count: layoutOf(file.version.size).count, shared: undefined };
}

/** Bodies that are being sent, and that wait to be. */
function queueOf({ scheduler }: ServeContext): number {
  return scheduler.taken + scheduler.waiting;
}

function have({ count, shared }: Content, known: number | undefined, queue: number): SwarmReply {
  if (shared === undefined) return { body: EMPTY, fields: { complete: 1, queue } };
  const { gained } = shared;
  if (gained.size === count) return { body: EMPTY, fields: { complete: 1, queue } };
  const news = known === undefined ? undefined : gained.since(known);
  if (news === undefined) {
    const body = encodePieceMap((piece) => gained.has(piece), count);
    return { body, fields: { count: gained.count, queue } };
  }
  const fields = { count: known! + news.length, new: encodeIndices(news), queue };
  return { body: EMPTY, fields };
}

function join(
  { id, port, pieces }: Extract<SwarmRequest, { verb: "JOIN" }>,
  { count }: Content,
  { address: host, client }: ClientConnection,
  { clock, onPeer }: ServeContext,
  swarm: SwarmTable,
): SwarmReply {
  const now = clock.now();
  const isReachable = swarm.join({ id, count, client, host, port, pieces }, now);
  if (isReachable) onPeer?.(id, { host, port, pieces });
  const body = new TextEncoder().encode(encodePeers(swarm.peersFor(id, host, port, now)));
  return { body, fields: {} };
}
