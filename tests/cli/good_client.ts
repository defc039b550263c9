/** A client that downloads one file over and over in one session, and looks at every byte. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";

/** Small enough that a slow machine still gets through many in a short test. */
export const BODY_BYTES = 128 * 1024;
/** Asked for ahead, so that the seed is never waited for longer than it takes. */
const AHEAD = 4;

export class GoodClient implements Disposable {
  /** Bodies received, each of them right. */
  bodies = 0;
  readonly #conn: Deno.TcpConn;
  readonly #name: string;
  readonly #content: Uint8Array;
  readonly #buffer = new Uint8Array(BODY_BYTES + 4096);
  #held = 0;
  #asked = 0;

  private constructor(conn: Deno.TcpConn, name: string, content: Uint8Array) {
    assert(content.length % BODY_BYTES === 0, "the file is whole bodies long");
    this.#conn = conn;
    this.#name = name;
    this.#content = content;
  }

  static async connect(address: string, name: string, content: Uint8Array): Promise<GoodClient> {
    const [hostname, port] = address.split(":") as [string, string];
    const client = new GoodClient(
      await Deno.connect({ hostname, port: Number(port) }),
      name,
      content,
    );
    await client.#send("HELLO 2\n");
    assertMatch(await client.#line(), /^HELLO 2 /);
    return client;
  }

  /** A round trip. */
  async ping(): Promise<void> {
    await this.#send("PING\n");
    assertEquals(await this.#line(), "OK 0");
  }

  /** Downloads until `enough`. */
  async download(enough: () => boolean): Promise<void> {
    while (!enough()) {
      while (this.#asked < AHEAD) await this.#ask();
      await this.#takeBody();
    }
    while (this.#asked > 0) await this.#takeBody();
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }

  async #ask(): Promise<void> {
    const at = this.#placeOf(this.bodies + this.#asked++);
    await this.#send(`DOWNLOAD ${this.#name}|${at}|${BODY_BYTES}\n`);
  }

  async #takeBody(): Promise<void> {
    assertEquals(await this.#line(), `OK ${BODY_BYTES}`);
    while (this.#held < BODY_BYTES) await this.#fill();
    const at = this.#placeOf(this.bodies);
    const right = Buffer.compare(
      this.#buffer.subarray(0, BODY_BYTES),
      this.#content.subarray(at, at + BODY_BYTES),
    );
    assertEquals(right, 0, "every byte of a body is right");
    this.#drop(BODY_BYTES);
    this.bodies++;
    this.#asked--;
  }

  #placeOf(body: number): number {
    return body * BODY_BYTES % this.#content.length;
  }

  async #send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  async #line(): Promise<string> {
    for (;;) {
      const at = this.#buffer.subarray(0, this.#held).indexOf(10);
      if (at < 0) {
        await this.#fill();
        continue;
      }
      const line = new TextDecoder().decode(this.#buffer.subarray(0, at));
      this.#drop(at + 1);
      return line;
    }
  }

  async #fill(): Promise<void> {
    const count = await this.#conn.read(this.#buffer.subarray(this.#held));
    assert(count !== null, "the seed stays with a good client");
    this.#held += count;
  }

  #drop(count: number): void {
    this.#buffer.copyWithin(0, count, this.#held);
    this.#held -= count;
  }
}
