/**
 * Two ends of a connection without a socket, which behave as TCP does: bytes
 * wait in a bounded buffer, either direction ends on its own, and closing with
 * bytes unread resets the other end.
 */
import type { ByteStream } from "../../core/source/transport.ts";

/** As much as a small socket buffer holds: a writer soon waits for its reader. */
const CAPACITY = 64 * 1024;

/** @param peers the addresses that the ends see, each the other's. */
export function memoryPair(
  peers: readonly [string, string] = ["127.0.0.1", "127.0.0.1"],
  capacity = CAPACITY,
): [ByteStream, ByteStream] {
  const there = new Pipe(capacity);
  const back = new Pipe(capacity);
  return [
    new MemoryStream(peers[1], back, there),
    new MemoryStream(peers[0], there, back),
  ];
}

class MemoryStream implements ByteStream {
  /** What is written is copied at once, or never. */
  readonly released = Promise.resolve();
  #closed = false;

  constructor(
    readonly peer: string,
    readonly incoming: Pipe,
    readonly outgoing: Pipe,
  ) {}

  read(into: Uint8Array): Promise<number | null> {
    return this.incoming.read(into);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.outgoing.write(bytes);
  }

  endWriting(): Promise<void> {
    this.outgoing.end();
    return Promise.resolve();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const unread = this.incoming.abandon();
    this.outgoing.leave(unread);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** One direction. */
class Pipe {
  readonly #capacity: number;
  #bytes = new Uint8Array();
  #ended = false;
  /** Why reading fails, and why writing does. */
  #readFault: Error | undefined;
  #writeFault: Error | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#readFault) throw this.#readFault;
      if (this.#bytes.length > 0) break;
      if (this.#ended) return null;
      await this.#changed.promise;
    }
    const count = Math.min(into.length, this.#bytes.length);
    into.set(this.#bytes.subarray(0, count));
    this.#bytes = this.#bytes.slice(count);
    this.#change();
    return count;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      if (this.#writeFault) throw this.#writeFault;
      if (this.#ended) throw new Deno.errors.BrokenPipe("Broken pipe");
      const room = this.#capacity - this.#bytes.length;
      if (room === 0) {
        await this.#changed.promise;
        continue;
      }
      const part = bytes.subarray(sent, sent + room);
      this.#append(part);
      sent += part.length;
    }
  }

  /** The writer has said its last word; what is on the way can still be read. */
  end(): void {
    this.#ended = true;
    this.#change();
  }

  /** The reader closed. Says whether bytes stayed unread. */
  abandon(): boolean {
    const unread = this.#bytes.length > 0;
    this.#bytes = new Uint8Array();
    this.#readFault = new Deno.errors.Interrupted("operation canceled");
    this.#writeFault ??= new Deno.errors.BrokenPipe("Broken pipe");
    this.#change();
    return unread;
  }

  /** The writer closed: in good order, or with a reset that loses what is on the way. */
  leave(reset: boolean): void {
    this.#ended = true;
    this.#writeFault = new Deno.errors.BadResource("Bad resource ID");
    if (reset) {
      this.#readFault ??= new Deno.errors.ConnectionReset(
        "Connection reset by peer",
      );
    }
    this.#change();
  }

  #append(part: Uint8Array): void {
    const bytes = new Uint8Array(this.#bytes.length + part.length);
    bytes.set(this.#bytes);
    bytes.set(part, this.#bytes.length);
    this.#bytes = bytes;
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
