/**
 * A client that does to a seed what no honest one does. It comes from an address
 * of its own where the platform has one, since seeds are fair by address.
 */
import * as net from "node:net";
import { Buffer } from "node:buffer";

/** On Linux all of 127.0.0.0/8 is this machine; elsewhere only 127.0.0.1 is, and attackers share the good client's address. */
export const HAS_ADDRESSES = Deno.build.os === "linux";

/** Stands in every file that no seed may give out, and in its name. */
export const SECRET = "nobody-may-see-this";

/** Of what was received; all of it is searched. */
const MAX_KEPT = 256 * 1024;

export class HostileClient implements AsyncDisposable {
  /** Resolves when the connection is gone, however that came. */
  readonly closed: Promise<void>;
  readonly #socket: net.Socket;
  readonly #kept: Uint8Array[] = [];
  #bytes = 0;
  #leaked = false;
  /** The end of what came last: a secret may be cut in two. */
  #tail = Buffer.alloc(0);
  #open = true;
  #ended = false;
  #listens = false;
  #changed = Promise.withResolvers<void>();

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    // Resets are what attackers must expect.
    socket.on("error", () => {});
    socket.once("end", () => {
      this.#ended = true;
      this.#tell();
    });
    this.closed = new Promise((resolve) =>
      socket.once("close", () => {
        this.#open = false;
        this.#tell();
        resolve();
      })
    );
  }

  /** @param host the number of the attacker's address, from 2 on. */
  static async connect(address: string, host = 2): Promise<HostileClient> {
    const [hostname, port] = address.split(":") as [string, string];
    const socket = net.connect({
      host: hostname,
      port: Number(port),
      allowHalfOpen: true,
      ...(HAS_ADDRESSES && { localAddress: `127.0.0.${host}` }),
    });
    // Nothing is read, not even by the platform, until `listen`.
    socket.pause();
    const attacker = new HostileClient(socket);
    await new Promise<void>((resolve) => socket.once("connect", resolve).once("close", resolve));
    return attacker;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Whether anything came that nobody may see. */
  get leaked(): boolean {
    return this.#leaked;
  }

  /** Bytes received. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The beginning of what was received, a character for each byte. */
  get text(): string {
    return Buffer.concat(this.#kept).toString("latin1");
  }

  /** Resolves when the system took the bytes; false when the connection is gone. */
  send(content: string | Uint8Array): Promise<boolean> {
    if (!this.#open) return Promise.resolve(false);
    return new Promise((resolve) => {
      // A write that a close overtakes is not always called back.
      this.closed.then(() => resolve(false));
      this.#socket.write(content, (error?: Error | null) => resolve(!error));
    });
  }

  /** Begins to read. */
  listen(): this {
    if (this.#listens) return this;
    this.#listens = true;
    this.#socket.on("data", (chunk: Uint8Array) => this.#take(chunk));
    this.#socket.resume();
    return this;
  }

  /** Reads what the system has at hand, and no more. */
  readOnce(): void {
    this.#socket.once("data", (chunk: Uint8Array) => {
      this.#socket.pause();
      this.#take(chunk);
    });
    this.#socket.resume();
  }

  /** Resolves when `fits`, or nothing more will come; `listen` was called before. */
  async until(fits: (attacker: this) => boolean): Promise<void> {
    while (this.#open && !this.#ended && !fits(this)) await this.#changed.promise;
  }

  /** Says that nothing more will come, and stays. */
  halfClose(): void {
    this.#socket.end();
  }

  /** Goes at once; with bytes unread, the seed sees a reset. */
  leave(): void {
    this.#socket.destroy();
  }

  /** Everything that comes, up to the end. */
  async rest(): Promise<string> {
    this.listen();
    await this.until(() => false);
    this.#socket.destroy();
    await this.closed;
    return this.text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.closed;
  }

  #take(chunk: Uint8Array): void {
    const part = Buffer.concat([this.#tail, chunk]);
    this.#leaked ||= part.includes(SECRET);
    this.#tail = part.subarray(Math.max(0, part.length - SECRET.length));
    if (this.#bytes < MAX_KEPT) this.#kept.push(chunk);
    this.#bytes += chunk.length;
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
