/** Finds out which protocol a seed speaks, from its answer to the greeting, and opens sessions. */
import type { Clock } from "../base/clock.ts";
import { deadline } from "../base/abort.ts";
import { AuthError, TimeoutError, UnreachableError } from "../base/errors.ts";
import { authResponse, type Greeting, parseGreeting } from "../protocol/greeting.ts";
import type { ReadBuffer } from "../protocol/read_buffer.ts";
import { ErrorReply, parseErrorReply } from "../protocol/error_replies.ts";
import { encodeSessionRequest, HELLO } from "../protocol/requests.ts";
import { connectionError, errorFromReply } from "./errors.ts";
import { type ByteStream, readOrAbort, writeOrAbort } from "./transport.ts";

export interface GreetingOptions {
  readonly clock: Clock;
  /** The timeout of each answer. */
  readonly waitMs: number;
  readonly token: string | undefined;
}

/** "old": the seed answered otherwise or closed. "silent": no answer in time; the protocol stays unknown. */
export type NoGreeting = "old" | "silent";

/**
 * Opens a session on a new `stream` and proves the token if the seed requires it. Without a greeting
 * the stream cannot be used further.
 *
 * @throws {BusyError} @throws {AuthError} @throws {UnreachableError} if the seed rejects the session.
 */
export async function openSession(
  seed: string,
  stream: ByteStream,
  buffer: ReadBuffer,
  options: GreetingOptions,
  signal: AbortSignal,
): Promise<Greeting | NoGreeting> {
  const answer = await greet(stream, buffer, options, false, signal);
  if (answer instanceof ErrorReply) throw errorFromReply(seed, answer);
  if (answer === "old" && isTlsAlert(buffer)) throw new UnreachableError(`${seed} speaks TLS`);
  if (typeof answer === "string") return answer;
  if (answer.auth === "token") {
    await authenticate(seed, stream, buffer, answer.nonce, options, signal);
  }
  // There was no request yet, so anything else that the seed sent ends the session.
  if (buffer.buffered > 0) throw new UnreachableError(`${seed} ended the session at once`);
  return answer;
}

/**
 * Only finds out the protocol. Ends its own direction at once: an old seed that waits for the end of
 * the request then answers or closes.
 */
export async function probe(
  stream: ByteStream,
  buffer: ReadBuffer,
  options: Pick<GreetingOptions, "clock" | "waitMs">,
  signal: AbortSignal,
): Promise<"session" | NoGreeting> {
  const answer = await greet(stream, buffer, options, true, signal);
  return typeof answer === "string" ? answer : "session";
}

/** Returns the seed's greeting, or its error reply if the seed knows sessions. */
async function greet(
  stream: ByteStream,
  buffer: ReadBuffer,
  { clock, waitMs }: Pick<GreetingOptions, "clock" | "waitMs">,
  ends: boolean,
  signal: AbortSignal,
): Promise<Greeting | ErrorReply | NoGreeting> {
  const silence = new TimeoutError("The greeting was not answered");
  using limit = deadline(signal, clock, waitMs, () => silence);
  let line;
  try {
    line = await exchange(HELLO, stream, buffer, ends, limit.signal);
  } catch (error) {
    signal.throwIfAborted();
    return error === silence ? "silent" : "old";
  }
  if (line === undefined) return "old";
  const error = parseErrorReply(line);
  // An old seed may send any other error for a request that it does not know.
  if (error && ["BUSY", "AUTH", "SHUTDOWN"].includes(error.code)) return error;
  return parseGreeting(line) ?? "old";
}

/** Whether the answer is an alert of TLS 1.x. An old seed sends no line that begins like this. */
function isTlsAlert(buffer: ReadBuffer): boolean {
  const start = new Uint8Array(2);
  buffer.takeInto(start);
  return start[0] === 0x15 && start[1] === 3;
}

async function authenticate(
  seed: string,
  stream: ByteStream,
  buffer: ReadBuffer,
  nonce: string,
  { token, clock, waitMs }: GreetingOptions,
  signal: AbortSignal,
): Promise<void> {
  if (token === undefined) throw new AuthError(`${seed} asks for a token`);
  const request = encodeSessionRequest({ verb: "AUTH", answer: authResponse(nonce, token) });
  const late = () => new TimeoutError(`${seed} did not answer AUTH`);
  using limit = deadline(signal, clock, waitMs, late);
  let line;
  try {
    line = await exchange(request, stream, buffer, false, limit.signal);
  } catch (error) {
    limit.signal.throwIfAborted();
    throw connectionError(seed, error);
  }
  if (line === undefined) throw new UnreachableError(`${seed} closed the connection`);
  if (line === "OK 0") return;
  const error = parseErrorReply(line);
  if (error && error.code !== "AUTH") throw errorFromReply(seed, error);
  throw new AuthError(`${seed} does not accept the token`, { problem: "token-rejected" });
}

/** Sends one line and returns the line that answers it, or undefined if the stream ends before. */
async function exchange(
  line: string,
  stream: ByteStream,
  buffer: ReadBuffer,
  ends: boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  await writeOrAbort(stream, new TextEncoder().encode(`${line}\n`), signal);
  if (ends) await stream.endWriting();
  for (;;) {
    const answer = buffer.takeLine();
    if (answer !== undefined) return answer;
    const count = await readOrAbort(stream, buffer.space(), signal);
    if (count === null) return undefined;
    buffer.filled(count);
  }
}
