/** The token in an HTTP request. */
import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import { sha256 } from "../../base/digest.ts";

/** For `WWW-Authenticate`: a browser asks for a name, which does not matter, and a password. */
export const CHALLENGE = 'Basic realm="p2p", charset="UTF-8"';

/** "none" if the request has no credentials. @param value of the field `Authorization`. */
export function checkCredentials(
  value: string | undefined,
  token: string,
): "right" | "wrong" | "none" {
  if (value === undefined) return "none";
  const [, scheme = "", credentials = ""] = /^([a-z]+) +([^ ]+)$/i.exec(value) ?? [];
  const given = scheme.toLowerCase() === "bearer"
    ? credentials
    : scheme.toLowerCase() === "basic"
    ? passwordIn(credentials)
    : undefined;
  return given !== undefined && isSame(given, token) ? "right" : "wrong";
}

function passwordIn(credentials: string): string | undefined {
  const text = Buffer.from(credentials, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : text.slice(colon + 1);
}

/** Compares digests: neither length nor beginning shows in the time that it takes. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string) => sha256(new TextEncoder().encode(text));
  return timingSafeEqual(digest(given), digest(token));
}
