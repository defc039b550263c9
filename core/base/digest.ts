/**
 * SHA-256, synchronously: measured at the speed of OpenSSL, where the
 * asynchronous `crypto.subtle` copies its input first and is slower.
 */
import { createHash } from "node:crypto";

export const DIGEST_BYTES = 32;

export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A digest over bytes that come one after the other. */
export class RunningDigest {
  readonly #hash = createHash("sha256");

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Ends the digest; nothing can be added any more. */
  digest(): Uint8Array {
    return this.#hash.digest();
  }

  /** The same as text. */
  hex(): string {
    return this.#hash.digest("hex");
  }
}
