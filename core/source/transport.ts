/**
 * A two-way stream of bytes, and the ways to get one. Knows sockets, not the
 * protocol; the only file of `core/` that opens a connection or a listener.
 */
import { abortable } from "@std/async";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { onAbort } from "../base/abort.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { isOutOfDescriptors } from "../base/descriptors.ts";
import {
  BusyError,
  plainReasonOf,
  TimeoutError,
  UnreachableError,
  UsageError,
} from "../base/errors.ts";
import { formatSourceAddress, type SourceAddress } from "../base/source_address.ts";
import { connectReasonOf } from "./connect_errors.ts";
import {
  AllAttemptsFailed,
  alternateFamilies,
  type Connected,
  connectToAny,
  type FailedAttempt,
} from "./happy_eyeballs.ts";

export interface ByteStream extends Disposable {
  /** The other end's address, for logs and limits. */
  readonly peer: string;
  /** How many bytes came to the beginning of `into`, or null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
  /** Says that nothing more will be written; the other direction stays open. */
  endWriting(): Promise<void>;
  /** Ends both directions at once; a waiting read or write rejects. Twice is no error. */
  close(): void;
  /**
   * Resolves when the system is done with what was written so far, which `close`
   * cannot take back: until then it reads from those bytes, and keeps the descriptor.
   */
  readonly released: Promise<void>;
}

/** @throws {UnreachableError} if nobody answers there. @throws {BusyError} if this process has too many open files. @throws the signal's reason if it aborts. */
export type Dial = (
  address: SourceAddress,
  signal: AbortSignal,
) => Promise<ByteStream>;

export interface TlsTrust {
  /** Certificates, PEM, trusted besides the system's. */
  readonly caCerts: readonly string[];
}

/** What a dialer needs of the machine. */
export interface DialPlatform {
  readonly clock: Clock;
  /** All addresses of a host name, the preferred one first. */
  resolve(host: string): Promise<readonly string[]>;
  connect(address: string, port: number): Promise<Deno.TcpConn>;
}

/** The resolver and the sockets of this machine. */
export const systemDialPlatform: DialPlatform = {
  clock: systemClock,
  async resolve(host) {
    const found = await lookup(host, { all: true, order: "verbatim" });
    return found.map(({ address }) => address);
  },
  connect: (hostname, port) => Deno.connect({ hostname, port }),
};

/** Connects to seeds, whichever of their host's addresses answers. */
export function dialer(
  trust: TlsTrust = { caCerts: [] },
  platform: DialPlatform = systemDialPlatform,
): Dial {
  /** The address that answered last, by host and port: it is tried first. */
  const lastGood = new Map<string, string>();
  return async (address, signal) => {
    const { host } = address;
    const name = formatSourceAddress(address);
    let resolved = false;
    const startedAt = platform.clock.now();
    try {
      const addresses = await addressesOf(host, platform, signal);
      resolved = addresses !== undefined;
      const last = lastGood.get(name);
      // The resolver calls every failure an unknown name; connecting by name says why it is.
      const order = preferring(last, addresses ?? [host]);
      const { conn, address: good } = await open(address, order, trust, platform, signal);
      if (order.length > 1) lastGood.set(name, good);
      return streamOf(conn);
    } catch (error) {
      const tookMs = platform.clock.now() - startedAt;
      const late = signal.aborted
        ? signal.reason instanceof TimeoutError
        : tookMs >= LOOKUP_ANSWER_MS;
      if (!resolved && late) throw unansweredLookup(name);
      signal.throwIfAborted();
      if (isLackOfDescriptors(error)) {
        throw new BusyError(
          `Cannot connect to ${name}: too many open files here`,
          DESCRIPTORS_RETRY_MS,
        );
      }
      throw new UnreachableError(
        `Cannot connect to ${name}: ${connectReasonOf(error, address.tls)}`,
        { cause: causeOf(error) },
      );
    }
  };
}

/** Descriptors become free as soon as another connection or file is closed. */
const DESCRIPTORS_RETRY_MS = 1000;

/** No fault of the seed: this process cannot open a socket. */
function isLackOfDescriptors(error: unknown): boolean {
  return error instanceof AllAttemptsFailed
    ? error.attempts.some(({ error }) => isOutOfDescriptors(error))
    : isOutOfDescriptors(error);
}

/** A name that takes longer to be found unknown was not found unknown: no name server answered. */
const LOOKUP_ANSWER_MS = 2000;

function unansweredLookup(name: string): TimeoutError {
  const reason = "could not resolve host: no name server answered";
  return new TimeoutError(`Cannot connect to ${name}: ${reason}`, {
    problem: "no-name-server",
  });
}

/** undefined when the resolver knows none. */
async function addressesOf(
  host: string,
  { resolve }: DialPlatform,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  if (isIP(host.replace(/%.*$/, "")) !== 0) return [host];
  try {
    return alternateFamilies(await abortable(resolve(host), signal));
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

function preferring(first: string | undefined, addresses: readonly string[]): readonly string[] {
  if (first === undefined || !addresses.includes(first)) return addresses;
  return [first, ...addresses.filter((address) => address !== first)];
}

/** A connection to one of `addresses`; those whose TLS handshake fails are left for the others. */
async function open(
  { host, port, tls }: SourceAddress,
  addresses: readonly string[],
  { caCerts }: TlsTrust,
  { clock, connect }: DialPlatform,
  signal: AbortSignal,
): Promise<Connected<Deno.TcpConn | Deno.TlsConn>> {
  const failures: FailedAttempt[] = [];
  let left = addresses;
  for (;;) {
    const { conn, address } = await connectToAny(
      left,
      (address) => connect(address, port),
      clock,
      signal,
    ).catch((error) => {
      if (!(error instanceof AllAttemptsFailed)) throw error;
      throw new AllAttemptsFailed([...failures, ...error.attempts]);
    });
    if (!tls) return { conn, address };
    try {
      return { conn: await shakeHands(conn, host, caCerts, signal), address };
    } catch (error) {
      signal.throwIfAborted();
      failures.push({ address, error });
      left = left.filter((one) => one !== address);
      if (left.length === 0) throw new AllAttemptsFailed(failures);
    }
  }
}

/** Here, where it can be given up, and where a bad certificate is reported as what it is. */
async function shakeHands(
  conn: Deno.TcpConn,
  hostname: string,
  caCerts: readonly string[],
  signal: AbortSignal,
): Promise<Deno.TlsConn> {
  const secure = await Deno.startTls(conn, { hostname, caCerts: [...caCerts] });
  let closed = false;
  const close = () => {
    if (!closed) secure.close();
    closed = true;
  };
  try {
    using _stop = onAbort(signal, close);
    await secure.handshake();
    return secure;
  } catch (error) {
    close();
    throw error;
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof AllAttemptsFailed && error.attempts.length === 1
    ? error.attempts[0]!.error
    : error;
}

/** @param lingers the system keeps the descriptor, though closed, until the other end has shaken hands or goes. */
export function streamOf(conn: Deno.TcpConn | Deno.TlsConn, lingers = false): ByteStream {
  // Requests and replies are small and many: they must not wait to be joined by others.
  if ("setNoDelay" in conn) conn.setNoDelay(true);
  const peer = conn.remoteAddr.hostname;
  const writes = new Abandonable();
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    // Ends no sooner than the handshake does, and so tells when the descriptor is free.
    if (lingers) writes.wait(conn.closeWrite()).catch(() => {});
    conn.close();
    writes.abandon(new Deno.errors.Interrupted("The stream was closed"));
  };
  return {
    peer,
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

/** Waits that can be given up: the platform leaves a write waiting when its connection is closed, until the other end reads or goes. */
class Abandonable {
  readonly #waiting = new Set<(error: unknown) => void>();
  #released: Promise<void> = Promise.resolve();

  /** Resolves when all that was waited for is over, given up or not: it is over in the order of asking. */
  get released(): Promise<void> {
    return this.#released;
  }

  wait<T>(act: Promise<T>): Promise<T> {
    this.#released = act.then(() => {}, () => {});
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      act.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  abandon(error: unknown): void {
    for (const reject of this.#waiting) reject(error);
  }
}

export interface ListenOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface Listening extends Disposable {
  readonly host: string;
  readonly port: number;
  /** Every client that connects, until the listener is closed. */
  clients(): AsyncIterable<ByteStream>;
  close(): void;
}

/** @throws {UsageError} if the address cannot be listened on. */
export function listen({ host, port, tls }: ListenOptions): Listening {
  const listener = bind({ host, port, ...(tls && { tls }) });
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    listener.close();
  };
  return {
    host: listener.addr.hostname,
    port: listener.addr.port,
    clients: () => accepted(listener, tls !== undefined, () => closed),
    close,
    [Symbol.dispose]: close,
  };
}

type Listener = Deno.Listener<Deno.TcpConn | Deno.TlsConn, Deno.NetAddr>;

function bind({ host, port, tls }: ListenOptions): Listener {
  try {
    return tls
      ? Deno.listenTls({ hostname: host, port, ...tls })
      : Deno.listen({ hostname: host, port });
  } catch (error) {
    const reason = plainReasonOf(error);
    if (tls && /\bcert|\bkey/i.test(reason)) {
      const why = /KeyMismatch/.test(reason) ? "the key is not the certificate's own" : reason;
      throw new UsageError(`Cannot serve TLS: ${why}`, {
        cause: error,
        problem: "tls-files",
      });
    }
    throw new UsageError(
      `Cannot listen on ${formatSourceAddress({ host, port, tls: false })}: ${
        listenReasonOf(error)
      }`,
      {
        cause: error,
        problem: "listen-address",
      },
    );
  }
}

function listenReasonOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrNotAvailable) return "this machine has no such address";
  if (error instanceof Deno.errors.AddrInUse) return "the port is in use";
  const reason = connectReasonOf(error, false);
  return reason.replace(/^failed to lookup address information/, "the name cannot be looked up");
}

/**
 * An accept can fail because of one client, which has left already, or a lack of descriptors: the listener goes on.
 *
 * @param lingers as for `streamOf`.
 */
export async function* accepted(
  listener: Pick<Listener, "accept">,
  lingers: boolean,
  isClosed: () => boolean,
): AsyncIterable<ByteStream> {
  while (!isClosed()) {
    let conn: Deno.TcpConn | Deno.TlsConn | undefined;
    try {
      conn = await listener.accept();
      yield streamOf(conn, lingers);
    } catch (error) {
      // A client that has left already has no address: nobody else would close it.
      conn?.close();
      if (isClosed() || error instanceof Deno.errors.BadResource) return;
      // Who comes and resets at once, again and again, must not keep the others waiting.
      if (conn || isOfClient(error)) continue;
      // Without descriptors accept fails at once, again and again: do not spin.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function isOfClient(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted;
}

/** Writes all; an abort closes the stream and is thrown as the signal's reason. */
export async function writeOrAbort(
  stream: ByteStream,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  using _stop = onAbort(signal, () => stream.close());
  try {
    await stream.write(bytes);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** Reads once; an abort closes the stream and is thrown as the signal's reason. */
export async function readOrAbort(
  stream: ByteStream,
  into: Uint8Array,
  signal: AbortSignal,
): Promise<number | null> {
  using _stop = onAbort(signal, () => stream.close());
  try {
    return await stream.read(into);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** `stream`, whose end also frees what it held. */
export function freeing(stream: ByteStream, free: () => void): ByteStream {
  const close = () => {
    stream.close();
    free();
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
