/** Failed HTTP requests: from errors of the server to statuses, and from statuses to what is counted. */
import { ErrorReply, type ErrorReplyCode, retryAfterMsOf } from "../../protocol/error_replies.ts";
import { HttpError } from "../../protocol/http_request.ts";
import { errorReplyOf } from "../protocol/errors.ts";

const STATUS: Readonly<Record<ErrorReplyCode, number>> = {
  BAD_REQUEST: 400,
  TOO_LONG: 431,
  NOT_FOUND: 404,
  RANGE: 416,
  BUSY: 503,
  PENDING: 503,
  // The next request finds the new version.
  CHANGED: 503,
  AUTH: 403,
  SHUTDOWN: 503,
  INTERNAL: 500,
};

/** @throws the error if no response can follow. */
export function httpErrorOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  return httpErrorOfReply(errorReplyOf(error));
}

export function httpErrorOfReply(reply: ErrorReply): HttpError {
  const status = STATUS[reply.code];
  if (status !== 503) return new HttpError(status, reply.text);
  const seconds = reply.code === "BUSY" ? Math.ceil(retryAfterMsOf(reply) / 1000) : 1;
  const sentence = reply.code === "PENDING"
    ? `the file is being hashed: ${reply.text} %`
    : reply.text.replace(/^retry-after-ms=\d+ ?/, "");
  return new HttpError(503, sentence, [["Retry-After", String(seconds)]]);
}

const CODE: Readonly<Record<number, ErrorReplyCode>> = {
  401: "AUTH",
  403: "AUTH",
  404: "NOT_FOUND",
  412: "CHANGED",
  414: "TOO_LONG",
  416: "RANGE",
  431: "TOO_LONG",
  500: "INTERNAL",
};

/** The error as the other protocols count it. */
export function replyOf(error: HttpError, cause: unknown): ErrorReply {
  if (cause instanceof ErrorReply) return cause;
  return new ErrorReply(CODE[error.status] ?? "BAD_REQUEST", error.sentence);
}
