/** What the parsers are tried with, and how a broken promise is reported. */
import { assert } from "@std/assert";

export interface Target {
  readonly name: string;
  /** Good inputs, from which others are made. */
  readonly seeds: readonly Uint8Array[];
  /** Parses `input` and holds what comes out against the parser's promises. @throws on a broken one. */
  readonly run: (input: Uint8Array) => void | Promise<void>;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** As a line comes from the wire: always well-formed. */
export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** As text comes from anywhere else: what is not UTF-8 becomes a lone surrogate. */
export function anyTextOf(bytes: Uint8Array): string {
  return textOf(bytes).replaceAll("\ufffd", "\ud800");
}

type ErrorClass = abstract new (...args: never[]) => Error;

/** What `parse` gives, or the error where it is of a class that the parser documents. Every other error goes on. */
export function attempt<T>(parse: () => T, ...documented: ErrorClass[]): T | Error {
  try {
    return parse();
  } catch (error) {
    if (documented.some((one) => error instanceof one)) return error as Error;
    throw error;
  }
}

/** Faster than a deep comparison, and exact for what parsers give: plain data of JSON, and maps. */
export function assertSame(actual: unknown, expected: unknown, what: string): void {
  const [one, other] = [plain(actual), plain(expected)];
  assert(one === other, `${what}: ${one.slice(0, 300)} is not ${other.slice(0, 300)}`);
}

function plain(value: unknown): string {
  return JSON.stringify(value, (_key, inner) => {
    if (inner instanceof Map) return { map: Array.from(inner) };
    if (inner instanceof Uint8Array) return inner.toHex();
    return typeof inner === "number" && !Number.isFinite(inner) ? String(inner) : inner;
  }) ?? "undefined";
}
