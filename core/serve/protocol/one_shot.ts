/**
 * One client of the original protocol: one request, and a reply that ends when
 * we close. Where a reply is the file's bytes and nothing else, an error can
 * only be told by sending nothing: any text would end up in the client's file.
 */
import { reasonOf } from "../../base/errors.ts";
import { encodeErrorReply, ErrorReply } from "../../protocol/error_replies.ts";
import { encodeSize } from "../../protocol/replies.ts";
import { type OneShotRequest, parseOneShotRequest } from "../../protocol/requests.ts";
import { BrokenBodyError, sendBody, sendBytes } from "./send_body.ts";
import { type ClientConnection, ConnectionLostError } from "../accept/client_connection.ts";
import { loggable, type ServeContext, shutdown, unauthorized } from "../context.ts";

/** Answers the request in `line`; the caller closes. */
export async function answerOneShot(
  line: string,
  connection: ClientConnection,
  seed: ServeContext,
  signal: AbortSignal,
): Promise<void> {
  const request = parsed(line);
  const kind = request instanceof ErrorReply ? "invalid" : request.verb;
  using counted = seed.metrics.request("one-shot", kind);
  try {
    if (seed.settings.token !== undefined) throw unauthorized();
    if (seed.draining.aborted) throw shutdown();
    if (request instanceof ErrorReply) throw request;
    await answer(request, connection, seed, signal);
    counted.answered();
  } catch (error) {
    const refusal = refusalOf(error, signal);
    const { address: client } = connection;
    seed.emit({ kind: "refused", client, request: loggable(line), reason: refusal.message });
    await refuseOneShot(line, refusal, connection);
    counted.refused(refusal);
  }
}

function parsed(line: string): OneShotRequest | ErrorReply {
  try {
    return parseOneShotRequest(line);
  } catch (error) {
    if (error instanceof ErrorReply) return error;
    throw error;
  }
}

/** What to answer to a failure. @throws what leaves nobody to answer, or nothing more to say. */
function refusalOf(error: unknown, signal: AbortSignal): ErrorReply {
  if (error instanceof ErrorReply) return error;
  const ends = error instanceof ConnectionLostError ||
    error instanceof BrokenBodyError;
  if (ends || signal.aborted) throw error;
  return new ErrorReply("INTERNAL", reasonOf(error));
}

/** Says no, where the reply to the request in `line` has room for it. */
export async function refuseOneShot(
  line: string,
  refusal: ErrorReply,
  connection: ClientConnection,
): Promise<void> {
  if (!/^DOWNLOAD\b/.test(line)) await connection.sendText(encodeErrorReply(refusal));
}

async function answer(
  request: OneShotRequest,
  connection: ClientConnection,
  seed: ServeContext,
  signal: AbortSignal,
): Promise<void> {
  switch (request.verb) {
    case "LIST":
      return await sendNames(connection, seed, signal);
    case "FILESIZE": {
      const { version } = seed.files.find(request.name);
      return await connection.sendText(encodeSize(version.size));
    }
    case "DOWNLOAD":
      return await sendChunk(request.name, request.offset, connection, seed, signal);
  }
}

async function sendNames(
  connection: ClientConnection,
  seed: ServeContext,
  signal: AbortSignal,
): Promise<void> {
  using turn = seed.scheduler.open(connection.client, signal);
  await turn.next(0);
  await sendBytes(connection, turn, await seed.index.names());
}

async function sendChunk(
  name: string,
  start: number,
  connection: ClientConnection,
  seed: ServeContext,
  signal: AbortSignal,
): Promise<void> {
  using file = seed.files.open(seed.files.find(name));
  const { size } = file.version;
  const end = Math.min(start + seed.settings.chunkBytes, size);
  if (start >= end) return;
  const startedAt = seed.clock.now();
  using turn = seed.scheduler.open(connection.client, signal);
  await sendBody(connection, turn, seed.buffers, file, { start, end });
  const { address: client } = connection;
  seed.accessLog.add(undefined, {
    client,
    name,
    size,
    bytes: end - start,
    startedAt,
  });
}
