/** Where a stream's contents go, one after the other: to a reader who takes the bytes in order. */
import { StreamSink, WrongStreamDigestError } from "../store/stream_sink.ts";
import {
  type ChosenContent,
  type Outcome,
  type WantedContent,
  WrongDigestError,
} from "./content_file.ts";

/** Kept beginnings of pieces may take this part of the memory for pieces. */
const KEEP_SHARE = 1 / 8;
/** Buffers beyond the window: for pieces that are requested twice. */
const SPARE_PIECES = 2;

/** What a stream reports to its download. */
export interface StreamHooks {
  onConsumed(piece: number): void;
  onFailed(error: unknown): void;
}

/** The reader, and how it is served. */
export interface StreamReader {
  /** Bytes of all contents together that are not passed on. */
  readonly offset: number;
  /** Resolves when the reader took all of `bytes`; nothing changes them until then. */
  write(bytes: Uint8Array): Promise<void>;
}

export class StreamTarget {
  readonly #reader: StreamReader;
  /** Bytes of this content and those behind it that are still to be skipped. */
  #skip: number;
  #written = 0;
  /** `written` when the present content began. */
  #begunAt = 0;
  #sink: StreamSink | undefined;

  constructor(reader: StreamReader) {
    this.#reader = reader;
    this.#skip = reader.offset;
  }

  /** Bytes that the reader took. */
  get written(): number {
    return this.#written;
  }

  /** Bytes that are still to be skipped. */
  get skip(): number {
    return this.#skip;
  }

  /** Whether the reader has bytes of the present content, so that no other one can take its place. */
  get hasBegun(): boolean {
    return this.#written > this.#begunAt;
  }

  open(
    content: ChosenContent,
    wanted: WantedContent,
    memory: number,
    hooks: StreamHooks,
  ): StreamSink {
    const { sha256 } = wanted;
    this.#sink = new StreamSink(content, {
      ...hooks,
      skip: Math.min(this.#skip, content.layout.size),
      keepBytes: memory * KEEP_SHARE,
      ...sha256 === undefined ? {} : { acceptsSha256: (hex) => hex === sha256 },
      onFailed: (error) => hooks.onFailed(this.#errorOf(error, content, wanted)),
      write: async (bytes) => {
        // Before the write: a part of them may be taken.
        this.#written += bytes.length;
        await this.#reader.write(bytes);
      },
    });
    return this.#sink;
  }

  /** Resolves when no write is under way. */
  async settled(): Promise<void> {
    await this.#sink?.settled();
  }

  async finish(
    sink: StreamSink,
    { choice, layout, manifest }: ChosenContent,
    wanted: WantedContent,
    signal: AbortSignal,
  ): Promise<Outcome> {
    await sink.finish(signal);
    this.#skip -= Math.min(this.#skip, layout.size);
    this.#begunAt = this.#written;
    return {
      path: STREAM_PATH,
      size: layout.size,
      sha256: wanted.sha256 ?? choice.content.sha256 ?? null,
      id: manifest?.id ?? null,
      verified: manifest !== undefined || wanted.sha256 !== undefined,
      how: "downloaded",
    };
  }

  #errorOf(error: unknown, { manifest }: ChosenContent, { name }: WantedContent): unknown {
    if (!(error instanceof WrongStreamDigestError)) return error;
    return new WrongDigestError(name, error.sha256, manifest?.id ?? null);
  }
}

/** Stands for the path of what goes to a reader. */
export const STREAM_PATH = "-";

/** How many pieces from the next one on may be there or in flight, of those that fit into the memory. */
export function windowOf(pieces: number): number {
  return Math.max(1, pieces - SPARE_PIECES);
}
