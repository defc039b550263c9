import type { ByteStream } from "../../core/source/transport.ts";
import { bytesOf } from "./bytes.ts";

/** A client that sends exactly the bytes that a test gives it. */
export class RawClient implements Disposable {
  #buffer = new Uint8Array();

  constructor(readonly stream: ByteStream) {}

  async send(text: string | Uint8Array): Promise<void> {
    await this.stream.write(typeof text === "string" ? bytesOf(text) : text);
  }

  async end(): Promise<void> {
    await this.stream.endWriting();
  }

  async line(): Promise<string> {
    for (;;) {
      const at = this.#buffer.indexOf(10);
      if (at >= 0) return new TextDecoder().decode(this.#take(at + 1)).trimEnd();
      if (!(await this.#fill())) throw new Error("The stream ended in a line");
    }
  }

  async bytes(count: number): Promise<Uint8Array> {
    while (this.#buffer.length < count) {
      if (!(await this.#fill())) throw new Error("The stream ended in a body");
    }
    return this.#take(count);
  }

  /** Takes at most `most` bytes of what has arrived or arrives next. @returns their number. */
  async some(most: number): Promise<number> {
    if (this.#buffer.length === 0 && !(await this.#fill())) {
      throw new Error("The stream ended in a body");
    }
    return this.#take(Math.min(most, this.#buffer.length)).length;
  }

  /** Bytes that arrived and were not taken. */
  get unread(): number {
    return this.#buffer.length;
  }

  /** Everything up to the end of the stream; a reset counts as the end. */
  async rest(): Promise<Uint8Array> {
    try {
      while (await this.#fill());
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
    return this.#take(this.#buffer.length);
  }

  /** One request, and the line that answers it. */
  async ask(request: string): Promise<string> {
    await this.send(`${request}\n`);
    return await this.line();
  }

  /** The body of the reply to one request, which is repeated while the reply is PENDING. */
  async body(request: string): Promise<Uint8Array> {
    let line = await this.ask(request);
    while (line.startsWith("ERROR:PENDING")) line = await this.ask(request);
    const length = line.match(/^OK (\d+)/)?.[1];
    if (length === undefined) throw new Error(`No body: ${line}`);
    return await this.bytes(Number(length));
  }

  async text(request: string): Promise<string> {
    return new TextDecoder().decode(await this.body(request));
  }

  close(): void {
    this.stream.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #take(count: number): Uint8Array {
    const taken = this.#buffer.slice(0, count);
    this.#buffer = this.#buffer.slice(count);
    return taken;
  }

  async #fill(): Promise<boolean> {
    const part = new Uint8Array(256 * 1024);
    const count = await this.stream.read(part);
    if (count === null) return false;
    const joined = new Uint8Array(this.#buffer.length + count);
    joined.set(this.#buffer);
    joined.set(part.subarray(0, count), this.#buffer.length);
    this.#buffer = joined;
    return true;
  }
}
