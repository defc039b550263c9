/** A seed's `ERROR:<CODE> <text>`, on either side of the wire. */
import { MAX_LINE_BYTES } from "./lines.ts";

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

/** Thrown by a seed to be sent, and by a client when it was received. */
export class ErrorReply extends Error {
  constructor(readonly code: ErrorReplyCode, readonly text: string) {
    super(`${code} ${text}`.trimEnd());
    this.name = "ErrorReply";
  }
}

const LINE = /^ERROR:([A-Z_]+)(?: (.*))?$/s;

export function encodeErrorReply({ code, text }: ErrorReply): string {
  // A text is one line, and not too long a one, whatever went into it.
  return beginningOf(`ERROR:${code} ${text.replace(/[\r\n]+/g, " ")}`).trimEnd() + "\n";
}

/** As many whole characters of `line` as a line may hold. */
function beginningOf(line: string): string {
  const { read } = new TextEncoder().encodeInto(line, new Uint8Array(MAX_LINE_BYTES));
  return line.slice(0, read);
}

/** undefined when `line` is no error reply. A code that we do not know counts as INTERNAL. */
export function parseErrorReply(line: string): ErrorReply | undefined {
  const [, code, text = ""] = line.match(LINE) ?? [];
  if (code === undefined) return undefined;
  return isErrorReplyCode(code)
    ? new ErrorReply(code, text)
    : new ErrorReply("INTERNAL", `${code} ${text}`.trimEnd());
}

export function busyReply(retryAfterMs: number, why: string): ErrorReply {
  return new ErrorReply("BUSY", `retry-after-ms=${retryAfterMs} ${why}`);
}

/** The longest pause that a seed can ask for: a minute, so that a lie costs no more. */
const MAX_RETRY_MS = 60_000;
/** Asked again at once, a busy seed and we would only keep each other busy. */
const MIN_RETRY_MS = 100;
/** For a seed that says BUSY without a number. */
const DEFAULT_RETRY_MS = 1000;

export function retryAfterMsOf({ text }: ErrorReply): number {
  const digits = text.match(/^retry-after-ms=([0-9]+)(?: |$)/)?.[1];
  return digits === undefined
    ? DEFAULT_RETRY_MS
    : Math.min(Math.max(Number(digits), MIN_RETRY_MS), MAX_RETRY_MS);
}

/** How far the hashing is, of 100; 0 when the seed does not say. */
export function percentOf({ text }: ErrorReply): number {
  const digits = text.match(/^([0-9]{1,3})(?:[ .%]|$)/)?.[1];
  return digits === undefined ? 0 : Math.min(Number(digits), 100);
}
