/** What the head of an HTTP response means to a download. Pure: it decides for every response. */
import type { ByteRange } from "../base/ranges.ts";
import { lengthOf } from "../base/ranges.ts";

/** Status and fields; `get` returns null for a field that is missing. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
}

export type Verdict =
  /** The body is this range, which begins where it was asked for and may be shorter. */
  | { readonly kind: "range"; readonly range: ByteRange; readonly size: number | undefined }
  /** The body is the whole file: the server ignored the range, or none was asked for. */
  | { readonly kind: "whole"; readonly size: number | undefined }
  | { readonly kind: "redirect"; readonly location: string }
  /** Ask again later; no failure. */
  | { readonly kind: "busy"; readonly retryAfterMs: number }
  | { readonly kind: "lacks" }
  /** The address may have expired: resolve the original one again. */
  | { readonly kind: "expired" }
  /** No or wrong credentials; of an address that came from a redirect it may also have expired. */
  | { readonly kind: "denied"; readonly status: number }
  | { readonly kind: "changed" }
  /** The range lies outside of the file, whose size may be known. */
  | { readonly kind: "outside"; readonly size: number | undefined }
  /** The server failed; another try may succeed. */
  | { readonly kind: "failing"; readonly status: number }
  /** The source cannot be used: a fault of the server or an answer that p2p does not understand. */
  | { readonly kind: "unusable"; readonly reason: string };

/** Limits the delay that a hostile server can cause. */
const MAX_RETRY_MS = 60_000;
const MIN_RETRY_MS = 100;
/** For a 429 without a time. */
const DEFAULT_RETRY_MS = 5000;

/**
 * @param range what was asked for; undefined for the whole.
 * @param nowMs ms since 1970, for dates in the response.
 */
export function verdictOf(
  head: ResponseHead,
  range: ByteRange | undefined,
  nowMs: number,
): Verdict {
  const { status, headers } = head;
  switch (status) {
    case 200:
      return encodingFault(headers) ?? { kind: "whole", size: contentLength(headers) };
    case 206:
      return encodingFault(headers) ?? partial(headers, range);
    case 301:
    case 302:
    case 303:
    case 307:
    case 308: {
      const location = headers.get("location");
      if (location !== null) return { kind: "redirect", location };
      return { kind: "unusable", reason: `answered ${status} without an address` };
    }
    case 401:
    case 403:
    case 407:
    case 451:
      return { kind: "denied", status };
    case 404:
      return { kind: "lacks" };
    case 410:
      return { kind: "expired" };
    case 412:
      return { kind: "changed" };
    case 416:
      return { kind: "outside", size: sizeIn(headers.get("content-range")) };
    case 429:
      return { kind: "busy", retryAfterMs: retryAfterMs(headers, nowMs) ?? DEFAULT_RETRY_MS };
    case 503: {
      const ms = retryAfterMs(headers, nowMs);
      return ms === undefined ? { kind: "failing", status } : { kind: "busy", retryAfterMs: ms };
    }
    case 408:
    case 421:
    case 425:
      return { kind: "failing", status };
    default:
      if (status >= 500 && status <= 599) return { kind: "failing", status };
      return { kind: "unusable", reason: `answered ${status}` };
  }
}

function encodingFault(headers: ResponseHead["headers"]): Verdict | undefined {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  return encoding === "" || encoding === "identity"
    ? undefined
    : { kind: "unusable", reason: "sent encoded bytes and not those of the file" };
}

function partial(headers: ResponseHead["headers"], asked: ByteRange | undefined): Verdict {
  if (asked === undefined) {
    return { kind: "unusable", reason: "sent a part without having been asked for one" };
  }
  if (headers.get("content-type")?.trim().toLowerCase().startsWith("multipart/")) {
    return { kind: "unusable", reason: "sent several parts" };
  }
  const sent = parseContentRange(headers.get("content-range"));
  if (sent === undefined) {
    return { kind: "unusable", reason: "sent a part without a valid Content-Range" };
  }
  const { range, size } = sent;
  if (range.start !== asked.start || range.end > asked.end) {
    return { kind: "unusable", reason: "sent another part than the one asked for" };
  }
  const length = contentLength(headers);
  if (length !== undefined && length !== lengthOf(range)) {
    return { kind: "unusable", reason: "announced another length than that of the part" };
  }
  return { kind: "range", range, size };
}

/** `bytes 0-499/1234`, or `*` for an unknown size. */
function parseContentRange(
  text: string | null,
): { readonly range: ByteRange; readonly size: number | undefined } | undefined {
  const match = text?.match(/^\s*bytes\s+(\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)\s*$/i);
  if (!match) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  const size = match[3] === "*" ? undefined : Number(match[3]);
  const end = last + 1;
  if (![first, end, size ?? 0].every(Number.isSafeInteger)) return undefined;
  if (first >= end || size !== undefined && end > size) return undefined;
  return { range: { start: first, end }, size };
}

/** The size in the `Content-Range` of a 416: `bytes *\/1234`. */
function sizeIn(text: string | null): number | undefined {
  const digits = text?.match(/^\s*bytes\s+\*\/(\d{1,16})\s*$/i)?.[1];
  return digits !== undefined && Number.isSafeInteger(Number(digits)) ? Number(digits) : undefined;
}

/** undefined without a valid one. */
function contentLength(headers: ResponseHead["headers"]): number | undefined {
  const text = headers.get("content-length")?.trim();
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  return Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}

const MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec";
const HTTP_DATE = new RegExp(
  `^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \\d{2} (?:${MONTHS}) \\d{4} \\d{2}:\\d{2}:\\d{2} GMT$`,
);

/** From `Retry-After`, in seconds or as a date; undefined without a valid one. */
function retryAfterMs(headers: ResponseHead["headers"], nowMs: number): number | undefined {
  const text = headers.get("retry-after")?.trim() ?? "";
  const bounded = (ms: number) => Math.min(Math.max(ms, MIN_RETRY_MS), MAX_RETRY_MS);
  if (/^\d+$/.test(text)) return bounded(Number(text) * 1000);
  if (!HTTP_DATE.test(text)) return undefined;
  // The server's own clock, where it tells it: this machine's may be wrong.
  const date = headers.get("date")?.trim() ?? "";
  return bounded(Date.parse(text) - (HTTP_DATE.test(date) ? Date.parse(date) : nowMs));
}

/** What tells versions of a file apart, if the server gives it. */
export interface Validator {
  readonly text: string;
  /** Whether `If-Match` takes it. */
  readonly isStrongTag: boolean;
}

/** A strong entity tag, or else the time of the last change. */
export function validatorOf({ headers }: ResponseHead): Validator | undefined {
  const tag = headers.get("etag")?.trim();
  // deno-lint-ignore no-control-regex -- a tag holds none
  if (tag && tag.length <= 1024 && /^"[^"\x00-\x20\x7f]*"$/.test(tag)) {
    return { text: tag, isStrongTag: true };
  }
  const modified = headers.get("last-modified")?.trim();
  return modified && HTTP_DATE.test(modified) ? { text: modified, isStrongTag: false } : undefined;
}
