/** What a download reads from, independent of the protocol. */
import type { ByteRange } from "../base/ranges.ts";
import type { ListedFile } from "../protocol/listing.ts";
import type { Manifest } from "../protocol/manifest.ts";

/** How a seed talks: many requests over one connection, or one request per connection. */
export type SourceProtocol = "session" | "one-shot";

/** The content that a range is read from. */
export interface ContentRef {
  readonly name: string;
  /** null where no manifest is known. */
  readonly id: string | null;
  readonly size: number;
}

export interface ReadOptions {
  /** Receives the number of bytes that came, and where in the range they are: parts of it may come over several connections. */
  readonly onBytes: (count: number, at: number) => void;
  /** undefined: as fast as they come. */
  readonly rateLimit: RateLimit | undefined;
}

export interface RateLimit {
  /** Request at most this many bytes at a time. */
  readonly maxBytes: number;
  /** Resolves when `bytes` may be requested. @throws the signal's reason if it aborts. */
  wait(bytes: number, signal: AbortSignal): Promise<void>;
}

/** All methods throw a P2pError that says what is wrong with the source, or the signal's reason if it aborts. */
export interface Source {
  /** Its address, as users write it. */
  readonly id: string;
  /** Whether it was ever reached. */
  readonly reached: boolean;
  /** Whether the last attempt to connect failed or takes long. */
  readonly troubled: boolean;
  protocol(signal: AbortSignal): Promise<SourceProtocol>;
  /**
   * The manifest of a file; undefined from a source that offers none.
   *
   * @throws {NotFoundError} if it does not have the file. @throws {PendingError} while it hashes the file.
   */
  manifest(name: string, signal: AbortSignal): Promise<Manifest | undefined>;
  /** The size of a file in bytes. @throws {NotFoundError} if it does not have the file. */
  size(name: string, signal: AbortSignal): Promise<number>;
  /** All files that it offers. */
  list(signal: AbortSignal): Promise<ListedFile[]>;
  /** A round trip in ms; undefined where the protocol has no request for it. */
  ping(signal: AbortSignal): Promise<number | undefined>;
  /**
   * Fills `into`, whose length is the range's. Nothing writes to `into` after this has settled.
   *
   * @throws {ChangedError} if the source has other bytes now.
   */
  read(
    content: ContentRef,
    range: ByteRange,
    into: Uint8Array,
    options: ReadOptions,
    signal: AbortSignal,
  ): Promise<void>;
}
