/** Stands between a client and a seed and does to their connection what networks and bad seeds do. */

export type Fault =
  | { readonly kind: "none" }
  /** Closed before a byte. */
  | { readonly kind: "refuse" }
  /** Says BUSY in the seed's place. */
  | { readonly kind: "busy" }
  /** After so many bytes of the seed: an end, … */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** … silence, … */
  | { readonly kind: "stall"; readonly afterBytes: number }
  /** … other bytes than the seed's, … */
  | { readonly kind: "garble"; readonly afterBytes: number }
  /** … or a crawl. */
  | { readonly kind: "trickle"; readonly afterBytes: number; readonly bytesPerSecond: number };

export class FaultProxy implements AsyncDisposable {
  readonly address: string;
  /** Connections open at the moment, and the most there ever were. */
  open = 0;
  mostOpen = 0;
  /** Bytes of the seed that went to clients. */
  passed = 0;
  /** How often each fault was done. */
  readonly done = new Map<Fault["kind"], number>();
  readonly #upstream: { readonly hostname: string; readonly port: number };
  readonly #choose: () => Fault;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #jobs = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;

  /** @param upstream `host:port` of the seed. @param choose the fault of each new connection. */
  constructor(upstream: string, choose: () => Fault) {
    const [hostname = "", port] = upstream.split(":");
    this.#upstream = { hostname, port: Number(port) };
    this.#choose = choose;
    this.address = `127.0.0.1:${this.#listener.addr.port}`;
    this.#accepting = this.#accept();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#connections) close(conn);
    await Promise.all([this.#accepting, ...this.#jobs]);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      const job = this.#serve(client).catch(() => {}).finally(() => this.#jobs.delete(job));
      this.#jobs.add(job);
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    this.open++;
    this.#connections.add(client);
    // The client may have closed others before it opened this one: that is seen a moment later.
    const count = setTimeout(() => this.mostOpen = Math.max(this.mostOpen, this.open), 60);
    const fault = this.#choose();
    let here = true;
    const leave = () => {
      if (here) this.open--;
      here = false;
    };
    this.done.set(fault.kind, (this.done.get(fault.kind) ?? 0) + 1);
    try {
      if (fault.kind === "busy") return await sayBusy(client);
      if (fault.kind !== "refuse") await this.#join(client, fault, leave);
    } finally {
      close(client);
      this.#connections.delete(client);
      leave();
      if (this.open === 0) clearTimeout(count);
    }
  }

  /** @param left reported when the client has ended its side. */
  async #join(client: Deno.TcpConn, fault: Fault, left: () => void): Promise<void> {
    const seed = await Deno.connect(this.#upstream);
    this.#connections.add(seed);
    try {
      // The client is gone when it ends its side for good; a one-shot client ends it early.
      const asked = pump(client, seed, { kind: "none" }, NEVER).finally(left).then(() =>
        seed.closeWrite()
      );
      const gone = fault.kind === "stall" || fault.kind === "cut" ? asked.catch(() => {}) : NEVER;
      await Promise.all([
        asked.catch(() => {}),
        pump(seed, client, fault, gone, (count) => this.passed += count)
          .finally(() => close(client)),
      ]);
    } finally {
      close(seed);
      this.#connections.delete(seed);
    }
  }
}

const NEVER = new Promise<void>(() => {});

async function sayBusy(client: Deno.TcpConn): Promise<void> {
  await client.read(new Uint8Array(64));
  await client.write(new TextEncoder().encode("ERROR:BUSY retry-after-ms=100 come back\n"));
}

/** Carries bytes until the fault's place, then does the fault. */
async function pump(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  fault: Fault,
  gone: Promise<void>,
  onPassed = (_count: number) => {},
): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  const limit = "afterBytes" in fault ? fault.afterBytes : Infinity;
  for (let passed = 0;;) {
    const count = await from.read(buffer);
    if (count === null) return;
    const bytes = buffer.subarray(0, count);
    if (passed + count > limit) {
      if (fault.kind === "cut") {
        await writeAll(to, bytes.subarray(0, limit - passed));
        onPassed(limit - passed);
        // A close with something unread would be a reset, which takes back what is on its way.
        await to.closeWrite();
        return await gone;
      }
      if (fault.kind === "stall") return await gone;
      if (fault.kind === "garble") bytes.forEach((byte, i) => bytes[i] = byte ^ 0x55);
      if (fault.kind === "trickle") return await trickle(from, to, bytes, fault.bytesPerSecond);
    }
    passed += count;
    await writeAll(to, bytes);
    onPassed(count);
  }
}

async function trickle(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  first: Uint8Array,
  bytesPerSecond: number,
): Promise<void> {
  const bite = Math.max(1, Math.floor(bytesPerSecond / 10));
  const buffer = new Uint8Array(bite);
  let bytes = first;
  while (true) {
    for (let at = 0; at < bytes.length; at += bite) {
      await writeAll(to, bytes.subarray(at, at + bite));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const count = await from.read(buffer);
    if (count === null) return;
    bytes = buffer.subarray(0, count);
  }
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // It was closed already.
  }
}
