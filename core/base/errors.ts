/**
 * Errors, one class for each case that callers handle differently. `code` is for scripts, `retryable`
 * for the download machine. `commands/` maps errors to exit codes and hints.
 */

/** The kind of an error. */
export type ErrorCode =
  | "usage"
  | "not-found"
  | "unreachable"
  | "timeout"
  | "busy"
  | "auth"
  | "protocol"
  | "corrupt"
  | "changed"
  | "disk"
  | "conflict";

/** The exact cause, where `code` is too coarse to choose a hint. */
export type Problem =
  | "address-scheme"
  | "disk-access"
  | "disk-full"
  | "file-held"
  | "foreign-file"
  | "id-ambiguous"
  | "link"
  | "listen-address"
  | "metrics-address"
  | "no-folder"
  | "no-home"
  | "no-name-server"
  | "not-a-folder"
  | "offset-behind-end"
  | "open-files"
  | "partial-kept"
  | "seed-address"
  | "state-folder"
  | "target-blocked"
  | "target-busy"
  | "target-exists"
  | "target-replaced"
  | "task-over"
  | "task-unknown"
  | "tls-files"
  | "token-rejected"
  | "unreadable-folder"
  | "wrong-sha256";

/** One of several contents that seeds hold under one name. */
export interface ContentVotes {
  /** null where its seeds offer no manifest. */
  readonly id: string | null;
  /** Bytes. */
  readonly size: number;
  /** The seeds that hold it. */
  readonly seeds: readonly string[];
  /** Why it was given up after an attempt. */
  readonly setAside?: "silence" | "corrupt" | "refused" | "wrong-sha256" | "too-large";
}

/** The base of all errors that core throws on purpose. */
export abstract class P2pError extends Error {
  /** The kind of the error. */
  abstract readonly code: ErrorCode;
  /** Whether trying again, or another seed, can help. */
  readonly retryable: boolean = false;
  /** The exact cause, where it decides the hint. */
  readonly problem?: Problem;
  /** The contents that seeds hold under the name, where they differ. */
  contents?: readonly ContentVotes[];

  /** Creates an error. @param message short and technical; commands add the hint. */
  constructor(
    message: string,
    options: { cause?: unknown; problem?: Problem | undefined } = {},
  ) {
    super(
      message,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = new.target.name;
    if (options.problem !== undefined) this.problem = options.problem;
  }
}

/** An argument or a setting is not valid. */
export class UsageError extends P2pError {
  /** The kind of the error. */
  override readonly code = "usage";
}

/** A seed, or every seed, does not have the file. */
export class NotFoundError extends P2pError {
  /** The kind of the error. */
  override readonly code = "not-found";
}

/** No connection, or a connection that ended early. */
export class UnreachableError extends P2pError {
  /** The kind of the error. */
  override readonly code = "unreachable";
  /** Trying again can help. */
  override readonly retryable = true;
}

/** Nothing arrived within the time limit. */
export class TimeoutError extends P2pError {
  /** The kind of the error. */
  override readonly code = "timeout";
  /** Trying again can help. */
  override readonly retryable = true;
}

/** A seed asks to be asked again later. This is not a failure. */
export class BusyError extends P2pError {
  /** The kind of the error. */
  override readonly code = "busy";
  /** Trying again can help. */
  override readonly retryable = true;
  /** How long the seed asks to be left alone. */
  readonly retryAfterMs: number;

  /** Creates an error. @param message short and technical. */
  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The seed requires another token. */
export class AuthError extends P2pError {
  /** The kind of the error. */
  override readonly code = "auth";
}

/** The other side violated the protocol. */
export class ProtocolError extends P2pError {
  /** The kind of the error. */
  override readonly code = "protocol";
}

/** The bytes do not match their digest. */
export class CorruptError extends P2pError {
  /** The kind of the error. */
  override readonly code = "corrupt";
}

/** The file has changed since its manifest was made. */
export class ChangedError extends P2pError {
  /** The kind of the error. */
  override readonly code = "changed";
  /** Trying again can help. */
  override readonly retryable = true;
}

/** The local disk: full, not writable, failing. Never a seed's fault. */
export class DiskError extends P2pError {
  /** The kind of the error. */
  override readonly code = "disk";
}

/** The target is taken: by other bytes, or by another p2p process that downloads to it. */
export class ConflictError extends P2pError {
  /** The kind of the error. */
  override readonly code = "conflict";
}

/** The text of anything thrown, for a log line or the end of a message. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A system error without its number and full stop: "Connection refused (os error 111)" → "connection refused". */
export function plainReasonOf(error: unknown): string {
  const reason = reasonOf(error).replace(/ \(os error \d+\).*$/s, "").replace(/\.$/, "");
  // "OS error" keeps its capitals.
  return /^[A-Z]{2}/.test(reason) ? reason : reason.charAt(0).toLowerCase() + reason.slice(1);
}
