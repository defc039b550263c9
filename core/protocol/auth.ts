/**
 * Proof of a shared token without sending it. The proof is bound to a nonce, not to
 * a seed: a hostile seed that the user names can present another seed's nonce and
 * pass the answer on. The protocol cannot prevent that, and the user is told to give
 * the token only with seeds that are trusted.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

/** What `AUTH` carries: HMAC-SHA-256 of the nonce's characters under the token, hex. */
export function authResponse(nonce: string, token: string): string {
  return createHmac("sha256", token).update(nonce).digest("hex");
}

/** Compares in constant time, so that a guess learns nothing from how long it takes. */
export function isValidAuthResponse(
  answer: string,
  nonce: string,
  token: string,
): boolean {
  if (!/^[0-9a-fA-F]{64}$/.test(answer)) return false;
  const right = Uint8Array.fromHex(authResponse(nonce, token));
  return timingSafeEqual(Uint8Array.fromHex(answer), right);
}
