/** Describes the content of a file: its size, the digest of every piece, and an id for all of it. */
import { DIGEST_BYTES, RunningDigest, sha256 } from "../base/digest.ts";
import { ProtocolError } from "../base/errors.ts";
import { layoutOf, type PieceLayout, pieceSizeOf } from "../base/pieces.ts";

/** The largest manifest that a client accepts. */
export const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;

/** Describes a content: its pieces and their digests. */
export interface Manifest {
  /** The size of the file and of its pieces. */
  readonly layout: PieceLayout;
  /** Of the whole file, in hex. The id does not cover it, so it is only the seed's claim. */
  readonly sha256: string;
  /** Identifies the content: equal ids mean equal bytes. Hex. */
  readonly id: string;
  /** The raw digests of all pieces, concatenated. */
  readonly digests: Uint8Array;
}

export function digestOfPiece(manifest: Manifest, piece: number): Uint8Array {
  return manifest.digests.subarray(piece * DIGEST_BYTES, (piece + 1) * DIGEST_BYTES);
}

export function makeManifest(size: number, sha256: string, digests: Uint8Array): Manifest {
  const layout = layoutOf(size);
  return { layout, sha256, id: idOf(layout, digests), digests };
}

function idOf({ size, pieceSize }: PieceLayout, digests: Uint8Array): string {
  const digest = new RunningDigest();
  digest.update(new TextEncoder().encode(`p2p-manifest-1\n${size}\n${pieceSize}\n`));
  digest.update(digests);
  return digest.hex();
}

export function encodeManifest(name: string, manifest: Manifest): string {
  const { layout: { size, pieceSize }, sha256, id, digests } = manifest;
  return JSON.stringify({ name, size, pieceSize, sha256, id, pieces: digests.toBase64() });
}

/**
 * Parses a manifest and recomputes everything in it that can be recomputed.
 *
 * @throws {ProtocolError} if the fields do not agree.
 */
export function parseManifest(text: string): Manifest {
  const fields = parseObject(text);
  const size = fields["size"];
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw new ProtocolError("Cannot use manifest: its size is no whole number");
  }
  if (fields["pieceSize"] !== pieceSizeOf(size)) {
    throw new ProtocolError(
      `Cannot use manifest: the piece size of ${size} bytes is ${pieceSizeOf(size)}`,
    );
  }
  const sha256 = fields["sha256"];
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new ProtocolError("Cannot use manifest: its sha256 is no digest");
  }
  const manifest = makeManifest(size, sha256, parseDigests(fields["pieces"], layoutOf(size).count));
  if (manifest.digests.length !== manifest.layout.count * DIGEST_BYTES) {
    throw new ProtocolError(`Cannot use manifest: it must hold ${manifest.layout.count} digests`);
  }
  if (manifest.id !== fields["id"]) {
    throw new ProtocolError("Cannot use manifest: its id does not fit its pieces");
  }
  requireConsistentDigests(manifest);
  return manifest;
}

/** A manifest is flat; fields of later versions may be nested a little. */
const MAX_DEPTH = 8;
/** Brackets, commas, colons and strings. A manifest has 30; parsing millions of them takes seconds. */
const MAX_TOKENS = 10_000;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Whether JSON.parse is fast for `text`: neither nested deeply nor of many values. Takes linear
 * time for any input.
 */
function isSmallJson(text: string): boolean {
  let depth = 0;
  let tokens = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth++;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      case 0x2c: // ,
      case 0x3a: // :
        break;
      default:
        continue;
    }
    if (++tokens > MAX_TOKENS || depth > MAX_DEPTH) return false;
  }
  return true;
}

/** The position of the quote that closes the string beginning at `start`, or the end of `text`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) return at;
    if (character === BACKSLASH) at++;
  }
  return text.length;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = isSmallJson(text) ? JSON.parse(text) : undefined;
    if (typeof value === "object" && value !== null) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Falls through to the error below.
  }
  throw new ProtocolError("Cannot use manifest: it is no JSON object");
}

function parseDigests(value: unknown, count: number): Uint8Array {
  // Base64 has four characters for three bytes; twice that leaves room for line breaks.
  if (typeof value === "string" && value.length > 2 * (4 * count * DIGEST_BYTES / 3 + 64)) {
    throw new ProtocolError(`Cannot use manifest: it must hold ${count} digests`);
  }
  try {
    if (typeof value === "string") {
      return Uint8Array.fromBase64(value, { lastChunkHandling: "strict" });
    }
  } catch {
    // Falls through to the error below.
  }
  throw new ProtocolError("Cannot use manifest: its pieces are no base64");
}

/** For a file of at most one piece, the digest of the piece is that of the file. */
function requireConsistentDigests({ layout, sha256: whole, digests }: Manifest): void {
  if (layout.count > 1) return;
  const only = layout.count === 1 ? digests : sha256(new Uint8Array());
  if (only.toHex() !== whole) {
    throw new ProtocolError("Cannot use manifest: its sha256 does not fit its only piece");
  }
}
