/** What a seed's refusal means to a client, as an error of ours. */
import {
  AuthError,
  BusyError,
  ChangedError,
  NotFoundError,
  type P2pError,
  ProtocolError,
  UnreachableError,
} from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { type ErrorReply, percentOf, retryAfterMsOf } from "../protocol/error_replies.ts";

/** The seed is still hashing the file: ask again, it is not a failure. */
export class PendingError extends BusyError {
  constructor(seed: string, readonly percent: number) {
    // Often enough that a small file does not wait, seldom enough to be no load.
    super(
      `${seed} is still hashing the file (${percent} %)`,
      percent < 50 ? 500 : 250,
    );
  }
}

export function errorFromReply(seed: string, refusal: ErrorReply): P2pError {
  const text = printable(refusal.text);
  switch (refusal.code) {
    case "NOT_FOUND":
      return new NotFoundError(`${seed} does not have it`);
    case "BUSY":
      return new BusyError(`${seed} is busy`, retryAfterMsOf(refusal));
    case "PENDING":
      return new PendingError(seed, percentOf(refusal));
    case "CHANGED":
      return new ChangedError(`the file has changed at ${seed}`);
    case "RANGE":
      return new ChangedError(`the file at ${seed} has another size now`);
    case "AUTH":
      return new AuthError(`${seed} asks for a token`);
    case "SHUTDOWN":
      return new UnreachableError(`${seed} is shutting down`);
    case "INTERNAL":
      return new UnreachableError(`${seed} had an internal error${text && `: ${text}`}`);
    case "BAD_REQUEST":
    case "TOO_LONG":
      return new ProtocolError(`${seed} did not understand the request${text && `: ${text}`}`);
  }
}
