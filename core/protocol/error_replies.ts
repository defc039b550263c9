/** A seed's `ERROR:<CODE> <text>`. */
import { MAX_LINE_BYTES } from "./syntax.ts";

export const ERROR_REPLY_CODES = [
  "BAD_REQUEST",
  "TOO_LONG",
  "NOT_FOUND",
  "RANGE",
  "BUSY",
  "PENDING",
  "CHANGED",
  "AUTH",
  "SHUTDOWN",
  "INTERNAL",
] as const;

export type ErrorReplyCode = typeof ERROR_REPLY_CODES[number];

export function isErrorReplyCode(text: string | undefined): text is ErrorReplyCode {
  return ERROR_REPLY_CODES.some((code) => code === text);
}

/** A seed throws it to send it; a client throws it when it has received it. */
export class ErrorReply extends Error {
  constructor(readonly code: ErrorReplyCode, readonly text: string) {
    super(`${code} ${text}`.trimEnd());
    this.name = "ErrorReply";
  }
}

/** One line, cut to the length of a line between two characters. */
export function encodeErrorReply({ code, text }: ErrorReply): string {
  const line = `ERROR:${code} ${text.replace(/[\r\n]+/g, " ")}`;
  const { read } = new TextEncoder().encodeInto(line, new Uint8Array(MAX_LINE_BYTES));
  return line.slice(0, read).trimEnd() + "\n";
}

/** Returns undefined if `line` is no error reply. An unknown code counts as INTERNAL. */
export function parseErrorReply(line: string): ErrorReply | undefined {
  const [, code, text = ""] = line.match(/^ERROR:([A-Z_]+)(?: (.*))?$/s) ?? [];
  if (code === undefined) return undefined;
  return isErrorReplyCode(code)
    ? new ErrorReply(code, text)
    : new ErrorReply("INTERNAL", `${code} ${text}`.trimEnd());
}

export function busyReply(retryAfterMs: number, why: string): ErrorReply {
  return new ErrorReply("BUSY", `retry-after-ms=${retryAfterMs} ${why}`);
}

/** Limits the delay that a hostile seed can cause. */
const MAX_RETRY_MS = 60_000;
/** Immediate retries would keep a busy seed busy. */
const MIN_RETRY_MS = 100;
/** For a BUSY without a number. */
const DEFAULT_RETRY_MS = 1000;

export function retryAfterMsOf({ text }: ErrorReply): number {
  const digits = text.match(/^retry-after-ms=([0-9]+)(?: |$)/)?.[1];
  return digits === undefined
    ? DEFAULT_RETRY_MS
    : Math.min(Math.max(Number(digits), MIN_RETRY_MS), MAX_RETRY_MS);
}

/** The progress of hashing in percent; 0 if the reply has none. */
export function percentOf({ text }: ErrorReply): number {
  const digits = text.match(/^([0-9]{1,3})(?:[ .%]|$)/)?.[1];
  return digits === undefined ? 0 : Math.min(Number(digits), 100);
}
