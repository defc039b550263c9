/** The seed's first line in a session. */
import { HELLO } from "./requests.ts";
import { parseSize } from "./numbers.ts";

export interface Greeting {
  /** Who speaks, for logs; no spaces. */
  readonly agent: string;
  /** 32 hex digits, fresh for each connection; what `AUTH` answers. */
  readonly nonce: string;
  readonly auth: "none" | "token";
  /** The most bytes that one `DOWNLOAD` may ask for. */
  readonly maxLength: number;
  /** Requests that may wait for their reply. */
  readonly maxInflight: number;
  /** What the seed can do beyond the verbs that every session has. */
  readonly features: readonly string[];
}

/** The seed answers `READ`. */
export const READ_FEATURE = "read";

export function encodeGreeting(greeting: Greeting): string {
  const { agent, nonce, auth, maxLength, maxInflight, features } = greeting;
  const more = features.length === 0 ? "" : ` features=${features.join(",")}`;
  return `${HELLO} agent=${agent} nonce=${nonce} auth=${auth} max-length=${maxLength} max-inflight=${maxInflight}${more}\n`;
}

/** undefined when `line` is no greeting: then an old seed answered. Unknown pairs are ignored. */
export function parseGreeting(line: string): Greeting | undefined {
  if (!line.startsWith(`${HELLO} `)) return undefined;
  const fields = parsePairs(line.slice(HELLO.length + 1));
  const auth = fields.get("auth");
  const nonce = fields.get("nonce") ?? "";
  const maxLength = parseSize(fields.get("max-length") ?? "");
  const maxInflight = parseSize(fields.get("max-inflight") ?? "");
  if (auth !== "none" && auth !== "token") return undefined;
  if (!/^[0-9a-fA-F]{32}$/.test(nonce)) return undefined;
  if (!maxLength || !maxInflight) return undefined;
  return {
    agent: fields.get("agent") ?? "",
    nonce,
    auth,
    maxLength,
    maxInflight,
    features: (fields.get("features") ?? "").split(",").filter((feature) => feature !== ""),
  };
}

/** `key=value key=value`; the first of two equal keys counts, a word without `=` does not. */
export function parsePairs(text: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const word of text.split(" ")) {
    const at = word.indexOf("=");
    if (at > 0 && !pairs.has(word.slice(0, at))) {
      pairs.set(word.slice(0, at), word.slice(at + 1));
    }
  }
  return pairs;
}
