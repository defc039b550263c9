/** What a download reads from, independent of the protocol. */
import type { ByteRange } from "../base/ranges.ts";
import type { Fetched } from "../protocol/fetched.ts";
import type { ListedFile } from "../protocol/listing.ts";
import type { Manifest } from "../protocol/manifest.ts";

/** How a source talks: many requests over one connection, one request per connection, or HTTP. */
export type SourceProtocol = "session" | "one-shot" | "http";

/** The content that a range is read from. */
export interface ContentRef {
  readonly name: string;
  /** null where no manifest is known. */
  readonly id: string | null;
  readonly size: number;
  /** The version of the file that the other bytes came from; see `Source.versionOf`. */
  readonly version?: string | undefined;
}

export interface ReadOptions {
  /** Receives the number of bytes that came, and where in the range they are: parts of it may come over several connections. */
  readonly onBytes: (count: number, at: number) => void;
  /** undefined: as fast as they come. */
  readonly rateLimit: RateLimit | undefined;
  /**
   * Whether a source that can send whole files only may send one: it costs bytes that were there
   * already, so others come first. Yes if not given.
   */
  readonly maySendWhole?: () => boolean;
}

export interface RateLimit {
  /** Request at most this many bytes at a time. */
  readonly maxBytes: number;
  /** Resolves when `bytes` may be requested. @throws the signal's reason if it aborts. */
  wait(bytes: number, signal: AbortSignal): Promise<void>;
}

/** What is known of the network path to a source. */
export interface SourceLine {
  /** The shortest round trip of the last minutes; absent while none was measured. */
  readonly roundTripMs?: number;
  /** Open connections, over all tasks. */
  readonly connections: number;
}

/** All methods throw a P2pError that says what is wrong with the source, or the signal's reason if it aborts. */
export interface Source {
  /** Its address, as users write it. */
  readonly id: string;
  /** Whether it was ever reached. */
  readonly reached: boolean;
  /** Whether the last attempt to connect failed or takes long. */
  readonly troubled: boolean;
  /** Whether it is known to answer `fetch`. */
  readonly fetches?: boolean;
  /** undefined where nothing is measured. */
  readonly line?: SourceLine | undefined;
  protocol(signal: AbortSignal): Promise<SourceProtocol>;
  /**
   * The manifest of a file; undefined from a source that offers none.
   *
   * @throws {NotFoundError} if it does not have the file. @throws {PendingError} while it hashes the file.
   */
  manifest(name: string, signal: AbortSignal): Promise<Manifest | undefined>;
  /**
   * As `manifest`, and in the same round trip the bytes of a file of one piece that has at most
   * `maxBytes`. undefined from a source that cannot do that: ask for the manifest then.
   */
  fetch?(name: string, maxBytes: number, signal: AbortSignal): Promise<Fetched | undefined>;
  /** The size of a file in bytes. @throws {NotFoundError} if it does not have the file. */
  size(name: string, signal: AbortSignal): Promise<number>;
  /**
   * What tells versions of a file apart, as of the last `manifest` or `size`, where the protocol has
   * it. Without a manifest, only bytes of one version make a file.
   */
  versionOf?(name: string): string | undefined;
  /** Whether it is known to send whole files only. */
  sendsWholeOnly?(name: string): boolean;
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
