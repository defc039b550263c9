/** A raw connection to a seed, for tests of the protocol itself. */

const TIMEOUT_MS = 10_000;

export class RawConnection implements Disposable {
  readonly #conn: Deno.TcpConn;
  #buffer = new Uint8Array();

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async open(hostname: string, port: number): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname, port }));
  }

  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** Nothing more will be sent. */
  async end(): Promise<void> {
    await this.#conn.closeWrite();
  }

  /** @throws {Error} if the connection ends before a complete line, or nothing comes. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf(10);
      if (end >= 0) {
        const line = new TextDecoder().decode(this.#take(end + 1));
        return line.replace(/\r?\n$/, "");
      }
      if (!await this.#fill()) throw new Error("the seed closed instead of sending a line");
    }
  }

  /** @throws {Error} if the connection ends before. */
  async bytes(count: number): Promise<Uint8Array> {
    while (this.#buffer.length < count) {
      if (!await this.#fill()) throw new Error(`the seed closed ${count} bytes too early`);
    }
    return this.#take(count);
  }

  /** Everything up to the end of the connection. */
  async rest(): Promise<Uint8Array> {
    while (await this.#fill());
    return this.#take(this.#buffer.length);
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }

  #take(count: number): Uint8Array {
    const taken = this.#buffer.slice(0, count);
    this.#buffer = this.#buffer.slice(count);
    return taken;
  }

  async #fill(): Promise<boolean> {
    const part = new Uint8Array(64 * 1024);
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => timeout.reject(new Error(`the seed sent nothing for ${TIMEOUT_MS / 1000} s`)),
      TIMEOUT_MS,
    );
    try {
      const count = await Promise.race([this.#conn.read(part), timeout.promise]);
      if (count === null) return false;
      const joined = new Uint8Array(this.#buffer.length + count);
      joined.set(this.#buffer);
      joined.set(part.subarray(0, count), this.#buffer.length);
      this.#buffer = joined;
      return true;
    } catch (error) {
      // A reset after a complete reply is an end, too.
      if (error instanceof Deno.errors.ConnectionReset) return false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
