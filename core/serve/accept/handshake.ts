/**
 * Handles one connection: its first line decides the protocol, then the conversation runs. A
 * connection that found no free place is pending until its first line has arrived. No error of
 * one client leaves this file.
 */
import { onAbort } from "../../base/abort.ts";
import { busyReply, encodeErrorReply, ErrorReply } from "../../protocol/error_replies.ts";
import { LineNotTextError, LineTooLongError } from "../../protocol/read_buffer.ts";
import { detectHttp } from "../../protocol/http_request.ts";
import { HELLO } from "../../protocol/requests.ts";
import type { ServeContext } from "../context.ts";
import { httpErrorOfReply } from "../http/errors.ts";
import { HttpSession } from "../http/http_session.ts";
import { HttpResponder } from "../http/responder.ts";
import { BrokenBodyError, shutdown } from "../protocol/errors.ts";
import { answerOneShot, sendOneShotError } from "../protocol/one_shot.ts";
import { Session } from "../protocol/session.ts";
import { type ClientConnection, ConnectionLostError } from "./client_connection.ts";

/** Old clients send no line end: their request ends when no byte has come for this time. */
const ONE_SHOT_REQUEST_END_MS = 200;
/** For a pending connection to send its first line. */
const PENDING_TIMEOUT_MS = 500;
/** A one-shot client sends its request sooner. A connection that stays silent longer may be sent an error. */
export const ONE_SHOT_SILENCE_MS = 50;
/** A rejected client is to wait this long, and up to as much again. */
const RETRY_MS = 500;

/**
 * Gives a place to a connection that has none, which a silent client never gets; returns why there
 * is none. Another client's place is only given to a client that has sent a request, so that
 * opening connections alone evicts no client.
 */
export type Enter = (isSilent: boolean) => string | undefined;

/** The first line is that of an HTTP request. */
const HTTP = Symbol("HTTP");

/** Serves the client until its connection ends; throws nothing. */
export async function handleConnection(
  connection: ClientConnection,
  context: ServeContext,
  signal: AbortSignal,
  enter?: Enter,
): Promise<void> {
  if (signal.aborted) return connection.close();
  using _now = onAbort(signal, () => connection.close());
  try {
    await converse(connection, context, enter);
  } catch (error) {
    const reason = reportableReason(error, connection);
    if (reason !== undefined && !signal.aborted) report(connection, context, reason);
  } finally {
    connection.close();
  }
}

async function converse(
  connection: ClientConnection,
  context: ServeContext,
  enter: Enter | undefined,
): Promise<void> {
  const line = await waitForRequest(connection, context, enter);
  if (line === undefined) return;
  // A one-shot request is answered, and no other can follow.
  connection.onLeave = () => {};
  connection.setBusy();
  if (line !== HTTP) await context.scheduler.startRequest(connection.client);
  if (line === HTTP) await new HttpSession(connection, context).run();
  else if (line !== HELLO) await answerOneShot(line, connection, context);
  else if (context.draining.aborted) await connection.sendText(encodeErrorReply(shutdown()));
  else await new Session(connection, context).run();
  await connection.closeGracefully();
}

/**
 * The first line of a connection that has a place, or gets it by `enter`; undefined after it was
 * rejected. The line also says how to reject: in a one-shot reply to `DOWNLOAD`, any text would
 * become part of the client's file. A silent client is no one-shot client.
 */
async function waitForRequest(
  connection: ClientConnection,
  context: ServeContext,
  enter: Enter | undefined,
): Promise<string | typeof HTTP | undefined> {
  const { clock, settings: { http } } = context;
  const silentAt = clock.now() + ONE_SHOT_SILENCE_MS;
  connection.onLeave = (reply) => {
    const last = enter ? busy(connection, context, enter(true)!) : reply;
    rejectSilent(connection, last, clock.now() >= silentAt);
  };
  if (!enter) return await firstLine(connection, http);
  connection.setIdle(2 * PENDING_TIMEOUT_MS);
  const line = await firstLine(connection, http, PENDING_TIMEOUT_MS);
  if (connection.leaving) return undefined;
  connection.onLeave = () => connection.close();
  const reason = enter(line === undefined);
  if (reason === undefined) return line;
  const reply = busy(connection, context, reason);
  if (line === HTTP) await rejectHttp(connection, context, reply);
  else await rejectConnection(connection, line ?? HELLO, reply);
  return undefined;
}

function busy(connection: ClientConnection, context: ServeContext, reason: string): ErrorReply {
  report(connection, context, `BUSY ${reason}`);
  return busyReply(Math.ceil(RETRY_MS * (1 + context.random.fraction())), reason);
}

async function rejectHttp(
  connection: ClientConnection,
  context: ServeContext,
  reply: ErrorReply,
): Promise<void> {
  const responder = new HttpResponder(connection, context);
  responder.begin(undefined, true);
  await responder.sendError(httpErrorOfReply(reply));
  await connection.closeGracefully();
}

async function rejectConnection(
  connection: ClientConnection,
  line: string,
  reply: ErrorReply,
): Promise<void> {
  await sendOneShotError(line, reply, connection);
  await connection.closeGracefully();
}

/** Closes a connection that has sent no complete line; the beginning of one may be a one-shot `DOWNLOAD`. */
function rejectSilent(connection: ClientConnection, reply: ErrorReply, maySend: boolean): void {
  const sends = maySend && connection.readBuffer.buffered === 0;
  const last = sends ? connection.sendText(encodeErrorReply(reply)) : Promise.resolve();
  last.catch(() => {}).finally(() => connection.close());
}

/**
 * The request of a one-shot client, or the line that opens a session, or `HTTP`; undefined if the
 * client closes, sends nothing within `silenceMs`, or nothing that is text.
 *
 * @param http whether to look for HTTP. Its first line stays in the buffer.
 */
async function firstLine(
  connection: ClientConnection,
  http: boolean,
  silenceMs?: number,
): Promise<string | typeof HTTP | undefined> {
  const { readBuffer } = connection;
  try {
    let begun = "";
    for (;;) {
      const isHttp = http && begun === "" ? detectHttp(readBuffer.peek()) : "no";
      if (isHttp === "yes") return HTTP;
      if (isHttp === "maybe") {
        // An HTTP client that pauses is no one-shot client.
        if (await connection.read(ONE_SHOT_REQUEST_END_MS) !== false) continue;
      }
      const line = readBuffer.takeLine();
      if (line !== undefined) return begun + line;
      const hasBegun = begun !== "" || readBuffer.buffered > 0;
      const more = await connection.read(hasBegun ? ONE_SHOT_REQUEST_END_MS : silenceMs);
      if (more) continue;
      begun += readBuffer.takeRest();
      // The beginning of a greeting is no one-shot request.
      const mayContinue = more === undefined && begun !== "" && HELLO.startsWith(begun);
      if (!mayContinue) return begun === "" ? undefined : begun;
    }
  } catch (error) {
    if (error instanceof LineNotTextError) return undefined;
    if (!(error instanceof LineTooLongError)) throw error;
    const verb = new Uint8Array("DOWNLOAD".length);
    readBuffer.takeInto(verb);
    const reply = new ErrorReply("TOO_LONG", "the line is too long");
    await rejectConnection(connection, new TextDecoder().decode(verb), reply);
    return undefined;
  }
}

function report({ address }: ClientConnection, { emit }: ServeContext, reason: string): void {
  emit({ kind: "refused", client: address, reason });
}

/** undefined for a client that merely left. */
function reportableReason(error: unknown, connection: ClientConnection): string | undefined {
  if (error instanceof ConnectionLostError) return connection.closeReason;
  return String(error instanceof BrokenBodyError ? error.cause : error);
}
