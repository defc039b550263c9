/**
 * Handles one connection: its first line, which decides the dialect, then the conversation. A
 * connection that came when no place was free is pending until its first line has come.
 * Whatever happens to one client ends here.
 */
import { onAbort } from "../../base/abort.ts";
import { LineNotTextError, LineTooLongError } from "../../protocol/read_buffer.ts";
import { busyReply, encodeErrorReply, ErrorReply } from "../../protocol/error_replies.ts";
import { HELLO } from "../../protocol/requests.ts";
import { BrokenBodyError } from "../protocol/send_body.ts";
import { type ClientConnection, ConnectionLostError } from "./client_connection.ts";
import { answerOneShot, refuseOneShot } from "../protocol/one_shot.ts";
import { type ServeContext, shutdown } from "../context.ts";
import { Session } from "../protocol/session.ts";

/** Old clients send no line end: when nothing came for so long, the request is complete. */
const ONE_SHOT_REQUEST_END_MS = 200;
/** Time for a pending connection to send its first line. */
const PENDING_TIMEOUT_MS = 500;
/** Who has said nothing for so long will not say it as a one-shot client, if another one needs its room. */
export const ONE_SHOT_SILENCE_MS = 50;
/** The pause that we ask for is this, and up to as much again. */
const RETRY_MS = 500;

/**
 * What a connection without a place waits for. Only a client that has sent a request is given a place
 * that another one must leave: opening connections alone evicts nobody.
 */
export interface Pending {
  /** Tries to get a place, which a silent client never gets; returns why there is none. */
  readonly enter: (silent: boolean) => string | undefined;
  /** Others want its room: it is answered now, or closed. */
  readonly hurry: AbortSignal;
}

/** Serves the client until it is through; nothing is thrown, the connection is closed. */
export async function handleConnection(
  connection: ClientConnection,
  seed: ServeContext,
  signal: AbortSignal,
  pending?: Pending,
): Promise<void> {
  await runConversation(connection, seed, signal, async () => {
    const line = pending
      ? await waitForPlace(connection, seed, pending)
      : await waitForRequest(connection, seed);
    if (line === undefined) return;
    // What was asked in one shot is answered, and nothing can follow.
    connection.onLeave = () => {};
    connection.setBusy();
    await seed.scheduler.startRequest(connection.client);
    if (line !== HELLO) await answerOneShot(line, connection, seed, signal);
    else if (seed.draining.aborted) await connection.sendText(encodeErrorReply(shutdown()));
    else return await new Session(connection, seed).run(signal);
    await closeGracefully(connection);
  });
}

/** The first line of a connection that has a place. */
function waitForRequest(
  connection: ClientConnection,
  seed: ServeContext,
): Promise<string | undefined> {
  const silentAt = seed.clock.now() + ONE_SHOT_SILENCE_MS;
  connection.onLeave = (refusal) => endSilent(connection, refusal, seed.clock.now() >= silentAt);
  return firstLine(connection);
}

/**
 * The first line of a connection that got a place with it; undefined after it was rejected. The line
 * is waited for also because it says how to reject: to `DOWNLOAD` of a one-shot client any text
 * would become part of its file. A client that says nothing is no one-shot client.
 */
async function waitForPlace(
  connection: ClientConnection,
  seed: ServeContext,
  { enter, hurry }: Pending,
): Promise<string | undefined> {
  const silentAt = seed.clock.now() + ONE_SHOT_SILENCE_MS;
  connection.setIdle(2 * PENDING_TIMEOUT_MS);
  if (hurry.aborted) {
    enter(true);
    return undefined;
  }
  let answered = false;
  using _hurry = onAbort(hurry, () => {
    if (answered) return connection.close();
    answered = true;
    endSilent(connection, rejection(connection, seed, enter(true)!), seed.clock.now() >= silentAt);
  });
  const line = await firstLine(connection, PENDING_TIMEOUT_MS);
  if (answered) return undefined;
  answered = true;
  const why = enter(line === undefined);
  if (why === undefined) return line;
  const refusal = rejection(connection, seed, why);
  if (line === undefined || line === HELLO) await connection.sendText(encodeErrorReply(refusal));
  else await refuseOneShot(line, refusal, connection);
  await closeGracefully(connection);
  return undefined;
}

function rejection(connection: ClientConnection, seed: ServeContext, why: string): ErrorReply {
  report(connection, seed, `BUSY ${why}`);
  return busyReply(Math.ceil(RETRY_MS * (1 + seed.random())), why);
}

/**
 * Closes a connection over which no complete line came. Sends `refusal` before only if nothing came
 * at all: in a reply to `DOWNLOAD` any text would become part of the file.
 */
function endSilent(connection: ClientConnection, refusal: ErrorReply, maySend: boolean): void {
  const sends = maySend && connection.readBuffer.buffered === 0;
  const last = sends ? connection.sendText(encodeErrorReply(refusal)) : Promise.resolve();
  last.catch(() => {}).finally(() => connection.close());
}

/** Runs `talk`, closes the connection after it, and lets no failure out. */
async function runConversation(
  connection: ClientConnection,
  seed: ServeContext,
  signal: AbortSignal,
  talk: () => Promise<void>,
): Promise<void> {
  if (signal.aborted) return connection.close();
  using _now = onAbort(signal, () => connection.close());
  try {
    await talk();
  } catch (error) {
    const reason = reportableReason(error, connection);
    if (reason !== undefined && !signal.aborted) report(connection, seed, reason);
  } finally {
    connection.close();
  }
}

function report({ address }: ClientConnection, seed: ServeContext, reason: string): void {
  seed.emit({ kind: "refused", client: address, reason });
}

/** A client that just went away is no news. */
function reportableReason(error: unknown, connection: ClientConnection): string | undefined {
  if (error instanceof ConnectionLostError) return connection.closeReason;
  if (error instanceof BrokenBodyError) return String(error.cause);
  return String(error);
}

/**
 * The request of a one-shot client, or what opens a session; undefined when the
 * client closes, or says nothing within `silenceMs`, or nothing that is text.
 */
async function firstLine(
  connection: ClientConnection,
  silenceMs?: number,
): Promise<string | undefined> {
  try {
    let begun = "";
    for (;;) {
      const line = connection.readBuffer.takeLine();
      if (line !== undefined) return begun + line;
      const speaks = begun !== "" || connection.readBuffer.buffered > 0;
      const more = await connection.read(speaks ? ONE_SHOT_REQUEST_END_MS : silenceMs);
      if (more) continue;
      begun += connection.readBuffer.takeRest();
      // What may still become a greeting cannot become a one-shot request.
      const mayGoOn = more === undefined && begun !== "" &&
        HELLO.startsWith(begun);
      if (!mayGoOn) return begun === "" ? undefined : begun;
    }
  } catch (error) {
    if (error instanceof LineTooLongError) return refuseLongLine(connection);
    if (error instanceof LineNotTextError) return undefined;
    throw error;
  }
}

async function refuseLongLine(connection: ClientConnection): Promise<undefined> {
  const verb = new Uint8Array("DOWNLOAD".length);
  connection.readBuffer.takeInto(verb);
  const refusal = new ErrorReply("TOO_LONG", "the line is too long");
  await refuseOneShot(new TextDecoder().decode(verb), refusal, connection);
  await closeGracefully(connection);
}

async function closeGracefully(connection: ClientConnection): Promise<void> {
  await connection.endWriting();
  await connection.discard();
}
