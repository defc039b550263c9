/**
 * A manifest as it goes over the wire: encoded once for all who are sent it, for
 * that of a large file is 1.4 MB, and clients that ask and do not read would
 * otherwise hold as many of them as there are connections. One that nobody is
 * sent any more may go.
 */
import { encodeManifest, type Manifest } from "../../protocol/manifest.ts";

/** By name, of which a file has as many as there are links to it. */
const bodies = new WeakMap<Manifest, Map<string, WeakRef<Uint8Array>>>();

/** Of so few pieces each is sent its own: to remember what may go costs more than to encode it. */
const MAX_CACHED_DIGEST_BYTES = 32 * 32;

/** Shared: to be left as it is. */
export function manifestBody(name: string, manifest: Manifest): Uint8Array {
  if (manifest.digests.length <= MAX_CACHED_DIGEST_BYTES) return encode(name, manifest);
  const byName = bodies.get(manifest) ?? new Map<string, WeakRef<Uint8Array>>();
  const kept = byName.get(name)?.deref();
  if (kept) return kept;
  const made = encode(name, manifest);
  bodies.set(manifest, byName.set(name, new WeakRef(made)));
  return made;
}

function encode(name: string, manifest: Manifest): Uint8Array {
  return new TextEncoder().encode(encodeManifest(name, manifest));
}
