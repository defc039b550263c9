/** A connection as a two-way stream of bytes. */
import { onAbort } from "../base/abort.ts";

export interface ByteStream extends Disposable {
  /** The other end's address, for logs and limits. */
  readonly peer: string;
  /** Reads into the beginning of `into` and returns the number of bytes, or null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends this direction; the other one stays open. */
  endWriting(): Promise<void>;
  /** Ends both directions at once; a pending read or write rejects. May be called again. */
  close(): void;
  /**
   * Resolves when the system is done with everything written so far. `close` does not cancel it:
   * until then the system reads from those bytes and keeps the descriptor.
   */
  readonly released: Promise<void>;
}

/**
 * @param keepsDescriptor after `close`, the system keeps the descriptor until the TLS handshake with
 * the other end has ended.
 */
export function streamOf(
  conn: Deno.TcpConn | Deno.TlsConn,
  keepsDescriptor = false,
): ByteStream {
  // Requests and replies are small, and Nagle's algorithm would delay them.
  if ("setNoDelay" in conn) conn.setNoDelay(true);
  const writes = new CancellableWaits();
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    // This ends only after the handshake, so `released` covers the descriptor.
    if (keepsDescriptor) writes.wait(conn.closeWrite()).catch(() => {});
    conn.close();
    writes.cancel(new Deno.errors.Interrupted("The stream was closed"));
  };
  return {
    peer: conn.remoteAddr.hostname,
    read: (into) => conn.read(into),
    async write(bytes) {
      for (let sent = 0; sent < bytes.length;) {
        sent += await writes.wait(conn.write(bytes.subarray(sent)));
      }
    },
    endWriting: () => writes.wait(conn.closeWrite()),
    close,
    get released() {
      return writes.released;
    },
    [Symbol.dispose]: close,
  };
}

/** Deno does not reject a pending write when its connection is closed: it waits until the other end reads or closes. */
class CancellableWaits {
  readonly #waiting = new Set<(error: unknown) => void>();
  #released: Promise<void> = Promise.resolve();

  /** Resolves when every operation has ended, cancelled or not. They end in the order of their start. */
  get released(): Promise<void> {
    return this.#released;
  }

  wait<T>(operation: Promise<T>): Promise<T> {
    this.#released = operation.then(() => {}, () => {});
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      operation.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  cancel(error: unknown): void {
    for (const reject of this.#waiting) reject(error);
  }
}

/** Writes all; an abort closes the stream. @throws the signal's reason if it aborts. */
export function writeOrAbort(
  stream: ByteStream,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  return orAbort(stream, signal, () => stream.write(bytes));
}

/** Reads once; an abort closes the stream. @throws the signal's reason if it aborts. */
export function readOrAbort(
  stream: ByteStream,
  into: Uint8Array,
  signal: AbortSignal,
): Promise<number | null> {
  return orAbort(stream, signal, () => stream.read(into));
}

async function orAbort<T>(
  stream: ByteStream,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  using _stop = onAbort(signal, () => stream.close());
  try {
    return await run();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** `stream`; closing it also calls `onClose`, once. */
export function withOnClose(stream: ByteStream, onClose: () => void): ByteStream {
  let closed = false;
  const close = () => {
    stream.close();
    if (!closed) onClose();
    closed = true;
  };
  return {
    peer: stream.peer,
    read: (into) => stream.read(into),
    write: (bytes) => stream.write(bytes),
    endWriting: () => stream.endWriting(),
    close,
    get released() {
      return stream.released;
    },
    [Symbol.dispose]: close,
  };
}
