/** Error replies of both protocols, and what is logged of a request. */
import { reasonOf } from "../../base/errors.ts";
import { ErrorReply } from "../../protocol/error_replies.ts";
import { ConnectionLostError } from "../accept/client_connection.ts";
import type { ServeContext } from "../context.ts";
import { FileChangedError } from "../files/open_file.ts";

/** A body that was announced cannot be sent to its end: only closing tells the client. */
export class BrokenBodyError extends Error {
  constructor(cause: unknown) {
    super("Cannot send the rest of a body", { cause });
    this.name = "BrokenBodyError";
  }
}

export function shutdown(): ErrorReply {
  return new ErrorReply("SHUTDOWN", "the seed is going away");
}

export function unauthorized(): ErrorReply {
  return new ErrorReply("AUTH", "this seed wants a token");
}

export function changed(): ErrorReply {
  return new ErrorReply("CHANGED", "the file changed since its manifest was made");
}

/** The reply to an error. @throws the error if no reply can follow. */
export function errorReplyOf(error: unknown): ErrorReply {
  if (error instanceof ErrorReply) return error;
  if (error instanceof FileChangedError) return changed();
  if (error instanceof ConnectionLostError || error instanceof BrokenBodyError) throw error;
  // A bug, or a failing disk; the client learns no more than that.
  return new ErrorReply("INTERNAL", "the seed failed");
}

/** A request may be 4 KiB of anything. */
const MAX_LOGGED_CHARACTERS = 200;

/** Reports a request that was answered with `reply` because of `error`. */
export function reportRefusal(
  { emit }: ServeContext,
  client: string,
  line: string | undefined,
  reply: ErrorReply,
  error: unknown,
): void {
  const reason = reply.code === "INTERNAL" ? `INTERNAL ${reasonOf(error)}` : reply.message;
  emit({ kind: "refused", client, ...(line !== undefined && { request: loggable(line) }), reason });
}

/** An answer to the token stays secret. */
function loggable(line: string): string {
  if (/^AUTH\b/.test(line)) return "AUTH";
  return line.length > MAX_LOGGED_CHARACTERS ? `${line.slice(0, MAX_LOGGED_CHARACTERS)}…` : line;
}
