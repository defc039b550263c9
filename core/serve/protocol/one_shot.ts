/**
 * One client of the original protocol: one request, and a reply that ends with the
 * connection. The reply to `DOWNLOAD` is the file's bytes alone: any text of an error
 * would become part of the client's file, so nothing is sent.
 */
import { encodeErrorReply, ErrorReply } from "../../protocol/error_replies.ts";
import { encodeSize } from "../../protocol/replies.ts";
import { type OneShotRequest, parseOneShotRequest } from "../../protocol/requests.ts";
import type { ClientConnection } from "../accept/client_connection.ts";
import type { ServeContext } from "../context.ts";
import type { Upload } from "../schedule/scheduler.ts";
import { errorReplyOf, reportRefusal, shutdown, unauthorized } from "./errors.ts";
import { sendBody, sendBytes } from "./send_body.ts";

/** Answers the request in `line`; the caller closes the connection. */
export async function answerOneShot(
  line: string,
  connection: ClientConnection,
  context: ServeContext,
): Promise<void> {
  const request = parse(line);
  const kind = request instanceof ErrorReply ? "invalid" : request.verb;
  using counted = context.metrics.request("one-shot", kind);
  try {
    if (context.settings.token !== undefined) throw unauthorized();
    if (context.draining.aborted) throw shutdown();
    if (request instanceof ErrorReply) throw request;
    await answer(request, connection, context);
    counted.answered();
  } catch (error) {
    const reply = errorReplyOf(error);
    reportRefusal(context, connection.address, line, reply, error);
    await sendOneShotError(line, reply, connection);
    counted.refused(reply);
  }
}

/** Sends `reply` unless the request in `line` leaves no room for it. */
export async function sendOneShotError(
  line: string,
  reply: ErrorReply,
  connection: ClientConnection,
): Promise<void> {
  if (!/^DOWNLOAD\b/.test(line)) await connection.sendText(encodeErrorReply(reply));
}

function parse(line: string): OneShotRequest | ErrorReply {
  try {
    return parseOneShotRequest(line);
  } catch (error) {
    if (error instanceof ErrorReply) return error;
    throw error;
  }
}

async function answer(
  request: OneShotRequest,
  connection: ClientConnection,
  context: ServeContext,
): Promise<void> {
  const { files, scheduler, index } = context;
  if (request.verb === "FILESIZE") {
    return await connection.sendText(encodeSize(files.find(request.name).version.size));
  }
  using upload = scheduler.open(connection.client, connection.signal);
  if (request.verb === "DOWNLOAD") {
    return await sendChunk(request.name, request.offset, connection, context, upload);
  }
  // The list is large: it is made when it can be sent.
  await upload.next(0);
  await sendBytes(connection, upload, await index.names());
}

async function sendChunk(
  name: string,
  start: number,
  connection: ClientConnection,
  { files, settings, clock, buffers, accessLog }: ServeContext,
  upload: Upload,
): Promise<void> {
  using file = files.open(files.find(name));
  const { size } = file.version;
  const end = Math.min(start + settings.chunkBytes, size);
  if (start >= end) return;
  const startedAt = clock.now();
  await sendBody(connection, upload, buffers, file, { start, end });
  const { address: client } = connection;
  accessLog.add(undefined, { client, name, size, bytes: end - start, startedAt });
}
