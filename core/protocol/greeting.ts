/** The seed's greeting, the first line of a session, and the proof of the token that it may ask for. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { HELLO } from "./requests.ts";
import { parsePairs, parseSize } from "./syntax.ts";

export interface Greeting {
  /** The seed's software, for logs; without spaces. */
  readonly agent: string;
  /** 32 hex digits, new for each connection; `AUTH` proves the token over it. */
  readonly nonce: string;
  readonly auth: "none" | "token";
  /** The longest range of one request, in bytes. */
  readonly maxLength: number;
  /** Requests that may wait for their reply. */
  readonly maxInflight: number;
  /** What the seed supports beyond the verbs of every session. */
  readonly features: readonly string[];
}

/** The seed answers `READ`. */
export const READ_FEATURE = "read";
/** The seed answers `FETCH`. */
export const FETCH_FEATURE = "fetch";

export function encodeGreeting(greeting: Greeting): string {
  const { agent, nonce, auth, maxLength, maxInflight, features } = greeting;
  const more = features.length === 0 ? "" : ` features=${features.join(",")}`;
  return `${HELLO} agent=${agent} nonce=${nonce} auth=${auth} max-length=${maxLength} max-inflight=${maxInflight}${more}\n`;
}

/** Returns undefined if `line` is no greeting: it comes from a one-shot seed. Unknown pairs are ignored. */
export function parseGreeting(line: string): Greeting | undefined {
  if (!line.startsWith(`${HELLO} `)) return undefined;
  const pairs = parsePairs(line.slice(HELLO.length + 1));
  const field = (key: string) => pairs.get(key) ?? "";
  const auth = field("auth");
  const nonce = field("nonce");
  const maxLength = parseSize(field("max-length"));
  const maxInflight = parseSize(field("max-inflight"));
  if (auth !== "none" && auth !== "token") return undefined;
  if (!/^[0-9a-fA-F]{32}$/.test(nonce) || !maxLength || !maxInflight) return undefined;
  const features = field("features").split(",").filter((feature) => feature !== "");
  return { agent: field("agent"), nonce, auth, maxLength, maxInflight, features };
}

/**
 * The argument of `AUTH`: HMAC-SHA-256 of the nonce's characters under the token, in hex.
 *
 * The proof is bound to a nonce, not to a seed: a hostile seed can present another seed's nonce and
 * forward the proof. The protocol cannot prevent this, so a token is only for trusted seeds.
 */
export function authResponse(nonce: string, token: string): string {
  return createHmac("sha256", token).update(nonce).digest("hex");
}

/** Compares in constant time: the duration must not help to guess. */
export function isValidAuthResponse(response: string, nonce: string, token: string): boolean {
  if (!/^[0-9a-fA-F]{64}$/.test(response)) return false;
  const expected = Uint8Array.fromHex(authResponse(nonce, token));
  return timingSafeEqual(Uint8Array.fromHex(response), expected);
}
