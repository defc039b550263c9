/** Where pieces go and where they come from, whatever is behind it. */
import type { PieceLayout } from "../base/pieces.ts";
import type { ByteRange } from "../base/ranges.ts";
import type { Manifest } from "../protocol/manifest.ts";

/** What a complete file contains. */
export interface StoredContent {
  readonly layout: PieceLayout;
  /** undefined if no source offers one: then single pieces cannot be verified. */
  readonly manifest: Manifest | undefined;
  /** Without a manifest: what tells versions of the file apart, by source. */
  readonly versions?: Readonly<Record<string, string>>;
}

/** Keeps the received beginning of a piece until the piece is complete. It never counts as stored. */
export interface UnverifiedStore {
  /** Length of the beginning that is kept, by piece. */
  readonly unverified: ReadonlyMap<number, number>;
  /**
   * Keeps `bytes` as the beginning of a missing piece; a store may keep nothing.
   *
   * @param from the bytes before this offset are already kept. @throws {DiskError}
   */
  keepUnverified(piece: number, bytes: Uint8Array, from?: number): void;
  /** Fills `into` with the beginning of a piece. @returns the number of bytes that are available. @throws {DiskError} */
  readUnverified(piece: number, into: Uint8Array): number;
}

/** Where verified pieces go: a part file, or a stream to a reader. */
export interface PieceSink extends UnverifiedStore {
  readonly content: StoredContent;
  /** Pieces that are not stored, in ascending order. */
  readonly missing: readonly number[];
  /** Nothing outlives the process, so a beginning need not be kept while its piece is being read. */
  readonly isVolatile?: boolean;
  /**
   * Stores a verified piece.
   *
   * @param take called by a sink that goes on using `bytes`: nothing else uses them until the result
   * is disposed. Without it nothing else ever uses them. @throws {DiskError}
   */
  write(piece: number, bytes: Uint8Array, take?: () => Disposable): void | Promise<void>;
}

/** What can be served: a complete file, or the verified pieces of a part file. */
export interface PieceSource {
  readonly content: StoredContent;
  has(piece: number): boolean;
  /** Fills `into` with the bytes of `range`, which lies in pieces that `has` reports. @throws {DiskError} */
  read(range: ByteRange, into: Uint8Array): void;
}
