/** Listens for clients, on one address or on every address that a host name stands for. */
import { type Clock, systemClock } from "../base/clock.ts";
import { plainReasonOf, reasonOf, UsageError } from "../base/errors.ts";
import { formatSourceAddress } from "../base/source_address.ts";
import { connectReasonOf } from "./connect_errors.ts";
import { type ByteStream, streamOf } from "./transport.ts";

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

/** Host names that stand for an address of each family; the first one determines the port. */
const BOTH_FAMILIES: ReadonlyMap<string, readonly string[]> = new Map([
  // The second one is needed where an IPv6 socket does not accept IPv4, as on Windows.
  ["::", ["::", "0.0.0.0"]],
  ["localhost", ["127.0.0.1", "::1"]],
]);

/** Attempts to find a port that is free in both families. */
const MAX_PORT_ATTEMPTS = 5;
/** Without free descriptors accept fails immediately, so a retry waits. */
const ACCEPT_RETRY_MS = 20;

/**
 * Listens on every address that `host` stands for: `::` is both families, or IPv4 alone where the
 * machine has no IPv6; `localhost` is both loopback addresses.
 *
 * @param listenOnce opens one listener.
 * @throws {UsageError} if it cannot be listened on.
 */
export function listenOn(
  options: ListenOptions,
  listenOnce: (options: ListenOptions) => Listening = listen,
): readonly Listening[] {
  const hosts = BOTH_FAMILIES.get(options.host.toLowerCase());
  if (!hosts) return [listenOnce(options)];
  for (let attempt = 1;; attempt++) {
    const listeners: Listening[] = [];
    try {
      listenOnAll(hosts, options, listenOnce, listeners);
      return listeners;
    } catch (error) {
      for (const listener of listeners) listener.close();
      const mayBeFree = options.port === 0 && listeners.length > 0 && isInUse(error);
      if (!mayBeFree || attempt === MAX_PORT_ATTEMPTS) throw error;
    }
  }
}

/** Adds the listeners to `opened`. @throws if there is none, or another program uses one of the ports. */
function listenOnAll(
  hosts: readonly string[],
  options: ListenOptions,
  listenOnce: (options: ListenOptions) => Listening,
  opened: Listening[],
): void {
  let missing: unknown;
  for (const host of hosts) {
    try {
      opened.push(listenOnce({ ...options, host, port: opened[0]?.port ?? options.port }));
    } catch (error) {
      // The first socket also accepts IPv4.
      if (opened[0]?.host === "::" && isInUse(error)) continue;
      if (!isFamilyMissing(error)) throw error;
      missing ??= error;
    }
  }
  if (opened.length === 0) throw missing;
}

function isInUse(error: unknown): boolean {
  return Object(error).cause instanceof Deno.errors.AddrInUse;
}

/** Whether the machine has no address of that family, or does not support it. */
function isFamilyMissing(error: unknown): boolean {
  const { cause } = Object(error);
  return cause instanceof Deno.errors.AddrNotAvailable ||
    /address family not supported|os error (?:97|47|10047)\b/i.test(reasonOf(cause));
}

/** @throws {UsageError} if the address cannot be listened on. */
export function listen(options: ListenOptions, clock: Clock = systemClock): Listening {
  const listener = bind(options);
  const closing = new AbortController();
  const close = () => {
    if (closing.signal.aborted) return;
    closing.abort();
    listener.close();
  };
  return {
    host: listener.addr.hostname,
    port: listener.addr.port,
    clients: () => accepted(listener, options.tls !== undefined, clock, closing.signal),
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
      throw new UsageError(`Cannot serve TLS: ${why}`, { cause: error, problem: "tls-files" });
    }
    const address = formatSourceAddress({ host, port, tls: false });
    throw new UsageError(`Cannot listen on ${address}: ${listenReasonOf(error)}`, {
      cause: error,
      problem: "listen-address",
    });
  }
}

function listenReasonOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrNotAvailable) return "this machine has no such address";
  if (error instanceof Deno.errors.AddrInUse) return "the port is in use";
  const reason = connectReasonOf(error, false);
  return reason.replace(/^failed to lookup address information/, "the name cannot be looked up");
}

/**
 * Accepts clients until `closed` aborts. Continues when accept fails because a client has closed
 * already, or for want of descriptors.
 *
 * @param tls as `keepsDescriptor` of `streamOf`.
 */
export async function* accepted(
  listener: Pick<Listener, "accept">,
  tls: boolean,
  clock: Clock,
  closed: AbortSignal,
): AsyncIterable<ByteStream> {
  while (!closed.aborted) {
    let conn: Deno.TcpConn | Deno.TlsConn | undefined;
    try {
      conn = await listener.accept();
      yield streamOf(conn, tls);
    } catch (error) {
      // A client that has closed already has no address, so `streamOf` fails.
      conn?.close();
      if (closed.aborted || error instanceof Deno.errors.BadResource) return;
      // No delay: a client that connects and resets repeatedly must not delay the others.
      if (conn || isOfClient(error)) continue;
      await clock.sleep(ACCEPT_RETRY_MS, closed).catch(() => {});
    }
  }
}

function isOfClient(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted;
}
