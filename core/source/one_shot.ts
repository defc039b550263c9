/** The one-shot protocol: a connection carries one request, and the reply ends when the seed closes. */
import type { Clock } from "../base/clock.ts";
import { deadline, onAbort } from "../base/abort.ts";
import { ProtocolError, TimeoutError, UnreachableError } from "../base/errors.ts";
import type { ByteRange } from "../base/ranges.ts";
import { ErrorReply } from "../protocol/error_replies.ts";
import { parseOneShotListingError } from "../protocol/listing.ts";
import { parseOneShotSize } from "../protocol/replies.ts";
import { MAX_LINE_BYTES } from "../protocol/syntax.ts";
import { encodeOneShotRequest, type OneShotRequest } from "../protocol/requests.ts";
import type { ContentRef, ReadOptions } from "./source.ts";
import { connectionError, errorFromReply } from "./errors.ts";
import { type ByteStream, readOrAbort } from "./transport.ts";

export interface OneShotOptions {
  readonly clock: Clock;
  readonly stallMs: number;
  /** Opens a connection; closing it frees its slot. */
  connect(signal: AbortSignal): Promise<ByteStream>;
}

/** 65,536 of the longest names. */
const MAX_LIST_BYTES = 64 * 1024 * 1024;
/** Old seeds in C pad their replies to the length of a buffer. */
const MAX_PADDING_BYTES = 64 * 1024;
/** Assumed until the first reply shows how much the seed sends at a time. */
const DEFAULT_CHUNK_BYTES = 32 * 1024;

export class OneShotSource {
  readonly #seed: string;
  readonly #options: OneShotOptions;
  /**
   * Whether to end our direction after a request, which saves the seed's wait of 200 ms. Some old
   * seeds close without a reply then. undefined until a reply shows it.
   */
  #endsRequests: boolean | undefined;

  constructor(seed: string, options: OneShotOptions) {
    this.#seed = seed;
    this.#options = options;
  }

  /** The size of a file in bytes. @throws {NotFoundError} @throws {ProtocolError} */
  async size(name: string, signal: AbortSignal): Promise<number> {
    const reply = await this.reply({ verb: "FILESIZE", name }, signal);
    // An old seed answers ERROR. An empty reply comes from a proxy whose seed is down.
    if (reply.length === 0) throw new UnreachableError(`${this.#seed} sent no file size`);
    try {
      return parseOneShotSize(new TextDecoder().decode(reply));
    } catch (error) {
      throw error instanceof ErrorReply ? errorFromReply(this.#seed, error) : error;
    }
  }

  /** The reply to `LIST`, unparsed. */
  async listing(signal: AbortSignal): Promise<Uint8Array> {
    const reply = await this.reply({ verb: "LIST" }, signal);
    const error = parseOneShotListingError(reply);
    if (error) throw errorFromReply(this.#seed, error);
    return reply;
  }

  /**
   * The complete reply, which may be empty.
   *
   * @throws {UnreachableError} @throws {TimeoutError} @throws {ProtocolError} if it is too long.
   */
  async reply(request: OneShotRequest, signal: AbortSignal): Promise<Uint8Array> {
    const reply = await this.#reply(request, this.#endsRequests ?? true, signal);
    if (reply.length > 0) this.#endsRequests ??= true;
    if (this.#endsRequests !== undefined) return reply;
    const second = await this.#reply(request, false, signal);
    if (second.length > 0) this.#endsRequests = false;
    return second;
  }

  /**
   * Fills `into` with `range`, one chunk per connection.
   *
   * @throws {UnreachableError} if a reply is empty. @throws {ProtocolError} if it is longer than the rest of the file.
   */
  async read(
    { name, size }: ContentRef,
    range: ByteRange,
    into: Uint8Array,
    { onBytes, rateLimit }: ReadOptions,
    signal: AbortSignal,
  ): Promise<void> {
    let chunkBytes = DEFAULT_CHUNK_BYTES;
    for (let at = 0; at < into.length;) {
      const offset = range.start + at;
      await rateLimit?.wait(Math.min(chunkBytes, into.length - at), signal);
      const count = await this.#chunk(
        { verb: "DOWNLOAD", name, offset },
        into.subarray(at),
        size,
        (count, inChunk) => onBytes(count, at + inChunk),
        signal,
      );
      if (count === 0) {
        throw new UnreachableError(`${this.#seed} sent nothing for byte ${offset}`);
      }
      at += count;
      chunkBytes = count;
    }
  }

  /** Reads one reply, until it ends or `into` is full, and returns the number of bytes. */
  async #chunk(
    request: OneShotRequest & { verb: "DOWNLOAD" },
    into: Uint8Array,
    size: number,
    onBytes: ReadOptions["onBytes"],
    signal: AbortSignal,
  ): Promise<number> {
    using stream = await this.#send(request, this.#endsRequests ?? true, signal);
    let at = 0;
    while (at < into.length) {
      const count = await this.#read(stream, into.subarray(at), at > 0, signal);
      if (count === null) return at;
      onBytes(count, at);
      at += count;
    }
    if (request.offset + at === size) await this.#requireEnd(stream, signal);
    return at;
  }

  /** Reads to the end of the reply after the last byte of a file: only padding with NUL may follow. */
  async #requireEnd(stream: ByteStream, signal: AbortSignal): Promise<void> {
    const buffer = new Uint8Array(4096);
    for (let total = 0;;) {
      const count = await this.#read(stream, buffer, true, signal);
      if (count === null) return;
      total += count;
      if (total > MAX_PADDING_BYTES || buffer.subarray(0, count).some((byte) => byte !== 0)) {
        throw new ProtocolError(`${this.#seed} sent more bytes than the file has`);
      }
    }
  }

  async #reply(
    request: OneShotRequest,
    ends: boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    using stream = await this.#send(request, ends, signal);
    const parts: Uint8Array[] = [];
    const [maxBytes, bufferBytes] = request.verb === "LIST"
      ? [MAX_LIST_BYTES, 64 * 1024]
      : [MAX_LINE_BYTES + MAX_PADDING_BYTES, MAX_LINE_BYTES + 1];
    for (let total = 0;;) {
      const buffer = new Uint8Array(bufferBytes);
      const count = await this.#read(stream, buffer, total > 0, signal);
      if (count === null) return concat(parts);
      total += count;
      if (total > maxBytes) throw new ProtocolError(`${this.#seed} sent an endless reply`);
      parts.push(buffer.subarray(0, count));
    }
  }

  async #send(
    request: OneShotRequest,
    ends: boolean,
    signal: AbortSignal,
  ): Promise<ByteStream> {
    const stream = await this.#options.connect(signal);
    using limit = this.#stallLimit(signal);
    using _stop = onAbort(limit.signal, () => stream.close());
    try {
      await stream.write(new TextEncoder().encode(encodeOneShotRequest(request)));
      // Fails if the seed has already answered and closed; the reply can still be read.
      if (ends) await stream.endWriting().catch(() => {});
      limit.signal.throwIfAborted();
      return stream;
    } catch (error) {
      stream.close();
      limit.signal.throwIfAborted();
      throw connectionError(this.#seed, error);
    }
  }

  /**
   * Reads once; returns null at the end of the reply. A reset is an end too once the reply has begun:
   * a program that closes without having read everything resets the connection.
   */
  async #read(
    stream: ByteStream,
    into: Uint8Array,
    hasBegun: boolean,
    signal: AbortSignal,
  ): Promise<number | null> {
    using limit = this.#stallLimit(signal);
    try {
      return await readOrAbort(stream, into, limit.signal);
    } catch (error) {
      signal.throwIfAborted();
      if (hasBegun && !limit.signal.aborted) return null;
      throw connectionError(this.#seed, error);
    }
  }

  #stallLimit(signal: AbortSignal) {
    const { clock, stallMs } = this.#options;
    return deadline(signal, clock, stallMs, () => {
      return new TimeoutError(`${this.#seed} stalled: nothing came for ${stallMs / 1000} s`);
    });
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
