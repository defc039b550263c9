/** What a seed's error replies and lost connections mean to a client. */
import {
  AuthError,
  BusyError,
  ChangedError,
  NotFoundError,
  P2pError,
  plainReasonOf,
  ProtocolError,
  UnreachableError,
} from "../base/errors.ts";
import { printable } from "../base/text.ts";
import { type ErrorReply, percentOf, retryAfterMsOf } from "../protocol/error_replies.ts";

/** The seed is still hashing the file. This is not a failure: the request is repeated later. */
export class PendingError extends BusyError {
  constructor(seed: string, readonly percent: number) {
    // Frequent enough that a small file does not wait, and rare enough to be no load.
    const retryAfterMs = percent < 50 ? 500 : 250;
    super(`${seed} is still hashing the file (${percent} %)`, retryAfterMs);
  }
}

/**
 * A connection that was to greet as the seed did before has not, so nothing is known of the requests
 * that were sent over it. They may be sent again: the seed has answered none of them.
 */
export class OpeningError extends UnreachableError {
  /** @param reason what came instead of the greeting. */
  constructor(readonly reason: P2pError) {
    super(reason.message, { cause: reason });
  }

  /** Whether the seed itself rejected the session, which a seed without sessions would not do. */
  get isRejection(): boolean {
    return this.reason instanceof RejectedError || this.reason instanceof BusyError ||
      this.reason instanceof AuthError;
  }
}

/** The seed is about to end. */
export class RejectedError extends UnreachableError {}

export function errorFromReply(seed: string, reply: ErrorReply): P2pError {
  const detail = reply.text === "" ? "" : `: ${printable(reply.text)}`;
  switch (reply.code) {
    case "NOT_FOUND":
      return new NotFoundError(`${seed} does not have it`);
    case "BUSY":
      return new BusyError(`${seed} is busy`, retryAfterMsOf(reply));
    case "PENDING":
      return new PendingError(seed, percentOf(reply));
    case "CHANGED":
      return new ChangedError(`the file has changed at ${seed}`);
    case "RANGE":
      return new ChangedError(`the file at ${seed} has another size now`);
    case "AUTH":
      return new AuthError(`${seed} asks for a token`);
    case "SHUTDOWN":
      return new RejectedError(`${seed} is shutting down`);
    case "INTERNAL":
      return new UnreachableError(`${seed} had an internal error${detail}`);
    case "BAD_REQUEST":
    case "TOO_LONG":
      return new ProtocolError(`${seed} did not understand the request${detail}`);
  }
}

/** `error` itself if it is one of ours, or an error for a connection that the platform reports as broken. */
export function connectionError(seed: string, error: unknown): P2pError {
  if (error instanceof P2pError) return error;
  const reason = plainReasonOf(error);
  return new UnreachableError(`Lost the connection to ${seed}: ${reason}`, { cause: error });
}
