/** The first line of a connection: it shows which dialect the seed speaks. */
import type { Clock } from "../base/clock.ts";
import { deadline } from "../base/abort.ts";
import {
  AuthError,
  P2pError,
  plainReasonOf,
  TimeoutError,
  UnreachableError,
} from "../base/errors.ts";
import { authResponse } from "../protocol/greeting.ts";
import { type Greeting, parseGreeting } from "../protocol/greeting.ts";
import { ReadBuffer } from "../protocol/read_buffer.ts";
import { type ErrorReply, parseErrorReply } from "../protocol/error_replies.ts";
import { encodeSessionRequest, HELLO } from "../protocol/requests.ts";
import { errorFromReply } from "./errors.ts";
import { type ByteStream, readOrAbort, writeOrAbort } from "./transport.ts";

export interface GreetingOptions {
  readonly clock: Clock;
  /** How long to wait for each answer. */
  readonly waitMs: number;
  readonly token: string | undefined;
}

/** An old seed answered otherwise or closed; or nothing came in time, which proves nothing. */
export type NoGreeting = "old" | "silent";

/**
 * Opens a session on a fresh `stream`, proving the token where the seed asks for
 * it. Without a greeting the stream is of no more use.
 *
 * @throws {BusyError} @throws {AuthError} @throws {UnreachableError} if it knows sessions but takes none.
 */
export async function openSession(
  seed: string,
  stream: ByteStream,
  buffer: ReadBuffer,
  terms: GreetingOptions,
  signal: AbortSignal,
): Promise<Greeting | NoGreeting> {
  const line = await firstLine(stream, buffer, terms, false, signal);
  if (line === "silent") return "silent";
  if (line === undefined) {
    if (isTlsAlert(buffer)) {
      throw new UnreachableError(`${seed} speaks TLS`);
    }
    return "old";
  }
  const refusal = parseErrorReply(line);
  if (refusal && knowsSessions(refusal)) throw errorFromReply(seed, refusal);
  const greeting = parseGreeting(line);
  if (greeting === undefined) return "old";
  if (greeting.auth === "token") {
    await prove(seed, stream, buffer, greeting, terms, signal);
  }
  // Nothing was asked yet: whatever it says now, it is the end of the session.
  if (buffer.buffered > 0) {
    throw new UnreachableError(`${seed} ended the session at once`);
  }
  return greeting;
}

/**
 * Asks only which dialect the seed speaks, and ends its own side at once: an old
 * seed that waits for the end of the request answers or closes then.
 */
export async function probe(
  stream: ByteStream,
  buffer: ReadBuffer,
  terms: Pick<GreetingOptions, "clock" | "waitMs">,
  signal: AbortSignal,
): Promise<"session" | NoGreeting> {
  const line = await firstLine(stream, buffer, terms, true, signal);
  if (line === "silent") return "silent";
  if (line === undefined) return "old";
  const refusal = parseErrorReply(line);
  return parseGreeting(line) || refusal && knowsSessions(refusal) ? "session" : "old";
}

/** What a seed behind TLS says to our greeting: an alert, of TLS 1.x. No line of an old seed begins so. */
function isTlsAlert(buffer: ReadBuffer): boolean {
  const beginning = new Uint8Array(2);
  buffer.takeInto(beginning);
  return beginning[0] === 0x15 && beginning[1] === 3;
}

/** Only these refuse a session; an old seed may answer any other error to a request that it does not know. */
function knowsSessions({ code }: ErrorReply): boolean {
  return code === "BUSY" || code === "AUTH" || code === "SHUTDOWN";
}

/** The seed's first line; undefined when it closed, or sent what is not a line. */
async function firstLine(
  stream: ByteStream,
  buffer: ReadBuffer,
  { clock, waitMs }: Pick<GreetingOptions, "clock" | "waitMs">,
  ending: boolean,
  signal: AbortSignal,
): Promise<string | undefined | "silent"> {
  const silence = new TimeoutError("The greeting was not answered");
  using limit = deadline(signal, clock, waitMs, () => silence);
  try {
    await writeOrAbort(stream, new TextEncoder().encode(`${HELLO}\n`), limit.signal);
    if (ending) await stream.endWriting();
    return await lineFrom(stream, buffer, limit.signal);
  } catch (error) {
    signal.throwIfAborted();
    return error === silence ? "silent" : undefined;
  }
}

async function prove(
  seed: string,
  stream: ByteStream,
  buffer: ReadBuffer,
  { nonce }: Greeting,
  { token, clock, waitMs }: GreetingOptions,
  signal: AbortSignal,
): Promise<void> {
  if (token === undefined) {
    throw new AuthError(`${seed} asks for a token`);
  }
  const request = encodeSessionRequest({ verb: "AUTH", answer: authResponse(nonce, token) });
  using limit = deadline(
    signal,
    clock,
    waitMs,
    () => new TimeoutError(`${seed} did not answer AUTH`),
  );
  const reply = await replyTo(request, seed, stream, buffer, limit.signal);
  if (reply === "OK 0") return;
  const refusal = parseErrorReply(reply);
  if (refusal && refusal.code !== "AUTH") throw errorFromReply(seed, refusal);
  throw new AuthError(`${seed} does not accept the token`, { problem: "token-rejected" });
}

async function replyTo(
  request: string,
  seed: string,
  stream: ByteStream,
  buffer: ReadBuffer,
  signal: AbortSignal,
): Promise<string> {
  try {
    await writeOrAbort(stream, new TextEncoder().encode(`${request}\n`), signal);
    const line = await lineFrom(stream, buffer, signal);
    if (line !== undefined) return line;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof P2pError) throw error;
    throw new UnreachableError(`Lost the connection to ${seed}: ${plainReasonOf(error)}`, {
      cause: error,
    });
  }
  throw new UnreachableError(`${seed} closed the connection`);
}

/** One line, or undefined when the stream ends before it. */
async function lineFrom(
  stream: ByteStream,
  buffer: ReadBuffer,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (let line = buffer.takeLine();; line = buffer.takeLine()) {
    if (line !== undefined) return line;
    const count = await readOrAbort(stream, buffer.space(), signal);
    if (count === null) return undefined;
    buffer.filled(count);
  }
}
