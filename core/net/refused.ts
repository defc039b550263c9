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
import { percentOf, type Refusal, retryAfterMsOf } from "../wire/refusals.ts";

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

export function errorOfRefusal(seed: string, refusal: Refusal): P2pError {
  const said = `${seed} says ${printable(refusal.message)}`;
  switch (refusal.code) {
    case "NOT_FOUND":
      return new NotFoundError(`${seed} does not have it`);
    case "BUSY":
      return new BusyError(`${seed} is busy`, retryAfterMsOf(refusal));
    case "PENDING":
      return new PendingError(seed, percentOf(refusal));
    case "CHANGED":
    case "RANGE":
      return new ChangedError(`The file has changed: ${said}`);
    case "AUTH":
      return new AuthError(`${seed} asks for a token`, {
        hint: "Give the seed's token with --token-file",
      });
    case "SHUTDOWN":
    case "INTERNAL":
      return new UnreachableError(said);
    case "BAD_REQUEST":
    case "TOO_LONG":
      return new ProtocolError(said);
  }
}
