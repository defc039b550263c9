/**
 * Synchronous SHA-256. It was measured at the speed of OpenSSL; the asynchronous `crypto.subtle`
 * copies its input first and is slower.
 */
import { createHash } from "node:crypto";

export const DIGEST_BYTES = 32;

export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** SHA-256 over bytes that arrive in parts. */
export class RunningDigest {
  readonly #hash = createHash("sha256");

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Ends the digest: no more bytes can be added. */
  digest(): Uint8Array {
    return this.#hash.digest();
  }

  /** As `digest`, in hex. */
  hex(): string {
    return this.#hash.digest("hex");
  }
}
