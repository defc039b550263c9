/** A seed's `ERROR:<CODE> <text>`, on either side of the wire. */
import { MOST_LINE_BYTES } from "./lines.ts";

export const REFUSAL_CODES = [
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

export type RefusalCode = typeof REFUSAL_CODES[number];

export function isRefusalCode(text: string | undefined): text is RefusalCode {
  return REFUSAL_CODES.some((code) => code === text);
}

/** Thrown by a seed to be sent, and by a client when it was received. */
export class Refusal extends Error {
  constructor(readonly code: RefusalCode, readonly text: string) {
    super(`${code} ${text}`.trimEnd());
    this.name = "Refusal";
  }
}

const LINE = /^ERROR:([A-Z_]+)(?: (.*))?$/s;

export function encodeRefusal({ code, text }: Refusal): string {
  // A text is one line, and not too long a one, whatever went into it.
  return beginningOf(`ERROR:${code} ${text.replace(/[\r\n]+/g, " ")}`).trimEnd() + "\n";
}

/** As many whole characters of `line` as a line may hold. */
function beginningOf(line: string): string {
  const { read } = new TextEncoder().encodeInto(line, new Uint8Array(MOST_LINE_BYTES));
  return line.slice(0, read);
}

/** undefined when `line` is no refusal. A code that we do not know counts as INTERNAL. */
export function parseRefusal(line: string): Refusal | undefined {
  const [, code, text = ""] = line.match(LINE) ?? [];
  if (code === undefined) return undefined;
  return isRefusalCode(code)
    ? new Refusal(code, text)
    : new Refusal("INTERNAL", `${code} ${text}`.trimEnd());
}

export function busy(retryAfterMs: number, why: string): Refusal {
  return new Refusal("BUSY", `retry-after-ms=${retryAfterMs} ${why}`);
}

/** The longest pause that a seed can ask for: a minute, so that a lie costs no more. */
const LONGEST_RETRY_MS = 60_000;
/** Asked again at once, a busy seed and we would only keep each other busy. */
const SHORTEST_RETRY_MS = 100;
/** For a seed that says BUSY without a number. */
const USUAL_RETRY_MS = 1000;

export function retryAfterMsOf({ text }: Refusal): number {
  const digits = text.match(/^retry-after-ms=([0-9]+)(?: |$)/)?.[1];
  return digits === undefined
    ? USUAL_RETRY_MS
    : Math.min(Math.max(Number(digits), SHORTEST_RETRY_MS), LONGEST_RETRY_MS);
}

/** How far the hashing is, of 100; 0 when the seed does not say. */
export function percentOf({ text }: Refusal): number {
  const digits = text.match(/^([0-9]{1,3})(?:[ .%]|$)/)?.[1];
  return digits === undefined ? 0 : Math.min(Number(digits), 100);
}
