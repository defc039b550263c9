/** The reply to `FETCH`: the manifest of a file, and behind it the bytes of a small one. */
import { ProtocolError } from "../base/errors.ts";
import { type Manifest, MAX_MANIFEST_BYTES, parseManifest } from "./manifest.ts";
import { parseSize } from "./syntax.ts";

export interface Fetched {
  readonly manifest: Manifest;
  /** All bytes of the file, not verified; undefined if the reply has the manifest alone. */
  readonly bytes?: Uint8Array;
}

/**
 * Divides the body of a reply.
 *
 * @param fields of the reply line @throws {ProtocolError} if they do not agree with the body, or
 * there are other bytes than those of one small file.
 */
export function parseFetched(fields: ReadonlyMap<string, string>, body: Uint8Array): Fetched {
  const length = parseSize(fields.get("manifest") ?? "");
  if (length === undefined || length > body.length || length > MAX_MANIFEST_BYTES) {
    throw new ProtocolError("Cannot read reply to FETCH: it does not say how long the manifest is");
  }
  const manifest = parseManifest(textOf(body.subarray(0, length)));
  const bytes = body.subarray(length);
  if (bytes.length === 0) return { manifest };
  const { size, count } = manifest.layout;
  if (bytes.length !== size || count !== 1) {
    throw new ProtocolError("Cannot read reply to FETCH: it is not one small file");
  }
  return { manifest, bytes };
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ProtocolError("Cannot use manifest: it is not UTF-8");
  }
}
