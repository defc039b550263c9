/** Connects to seeds, over TCP or TLS. */
import { abortable } from "@std/async";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { onAbort } from "../base/abort.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { isOutOfDescriptors } from "../base/descriptors.ts";
import { BusyError, TimeoutError, UnreachableError } from "../base/errors.ts";
import { formatSourceAddress, type SocketAddress } from "../base/source_address.ts";
import { connectReasonOf } from "./connect_errors.ts";
import {
  AllAttemptsFailed,
  alternateFamilies,
  type Connected,
  connectToAny,
  type FailedAttempt,
} from "./happy_eyeballs.ts";
import { type ByteStream, streamOf } from "./transport.ts";

/**
 * @throws {UnreachableError} if the seed cannot be connected to.
 * @throws {BusyError} if this process has too many open files.
 * @throws the signal's reason if it aborts.
 */
export type Dial = (
  address: SocketAddress,
  signal: AbortSignal,
) => Promise<ByteStream>;

export interface TlsTrust {
  /** PEM certificates, trusted in addition to the system's. */
  readonly caCerts: readonly string[];
}

/** What a dialer uses of the platform. */
export interface DialPlatform {
  readonly clock: Clock;
  /** All addresses of a host name, the preferred one first. */
  resolve(host: string): Promise<readonly string[]>;
  connect(address: string, port: number): Promise<Deno.TcpConn>;
}

export const systemDialPlatform: DialPlatform = {
  clock: systemClock,
  async resolve(host) {
    const found = await lookup(host, { all: true, order: "verbatim" });
    return found.map(({ address }) => address);
  },
  connect: (hostname, port) => Deno.connect({ hostname, port }),
};

/** Other connections and files release descriptors within this time. */
const DESCRIPTORS_RETRY_MS = 1000;
/** A lookup that fails after a longer time did so because no name server answered. */
const LOOKUP_ANSWER_MS = 2000;

/** Connects to any address of a seed's host. */
export function dialer(
  trust: TlsTrust = { caCerts: [] },
  platform: DialPlatform = systemDialPlatform,
): Dial {
  /** By host and port, the address that answered last. It is tried first. */
  const lastGood = new Map<string, string>();
  return async (address, signal) => {
    const { host } = address;
    const name = formatSourceAddress(address);
    let resolved = false;
    const startedAt = platform.clock.now();
    try {
      const addresses = await addressesOf(host, platform, signal);
      resolved = addresses !== undefined;
      // The resolver reports every failure as an unknown name; a connect by name has the true reason.
      const order = preferring(lastGood.get(name), addresses ?? [host]);
      const { conn, address: good } = await connect(address, order, trust, platform, signal);
      if (order.length > 1) lastGood.set(name, good);
      return streamOf(conn);
    } catch (error) {
      const tookMs = platform.clock.now() - startedAt;
      const isLate = signal.aborted
        ? signal.reason instanceof TimeoutError
        : tookMs >= LOOKUP_ANSWER_MS;
      if (!resolved && isLate) {
        const reason = "could not resolve host: no name server answered";
        throw new TimeoutError(`Cannot connect to ${name}: ${reason}`, {
          problem: "no-name-server",
        });
      }
      signal.throwIfAborted();
      throw errorOf(error, address);
    }
  };
}

function errorOf(error: unknown, address: SocketAddress): BusyError | UnreachableError {
  const attempts = error instanceof AllAttemptsFailed ? error.attempts : [{ error }];
  const failed = `Cannot connect to ${formatSourceAddress(address)}`;
  if (attempts.some(({ error }) => isOutOfDescriptors(error))) {
    return new BusyError(`${failed}: too many open files here`, DESCRIPTORS_RETRY_MS);
  }
  const cause = attempts.length === 1 ? attempts[0]!.error : error;
  return new UnreachableError(`${failed}: ${connectReasonOf(error, address.tls)}`, { cause });
}

/** undefined if the resolver finds none. */
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

/** Connects to one of `addresses`; after a failed TLS handshake it tries the other addresses. */
async function connect(
  { host, port, tls }: SocketAddress,
  addresses: readonly string[],
  { caCerts }: TlsTrust,
  platform: DialPlatform,
  signal: AbortSignal,
): Promise<Connected<Deno.TcpConn | Deno.TlsConn>> {
  const failures: FailedAttempt[] = [];
  let untried = addresses;
  for (;;) {
    const { conn, address } = await connectToAny(
      untried,
      (address) => platform.connect(address, port),
      platform.clock,
      signal,
    ).catch((error) => {
      if (!(error instanceof AllAttemptsFailed)) throw error;
      throw new AllAttemptsFailed([...failures, ...error.attempts]);
    });
    if (!tls) return { conn, address };
    try {
      return { conn: await handshake(conn, host, caCerts, signal), address };
    } catch (error) {
      signal.throwIfAborted();
      failures.push({ address, error });
      untried = untried.filter((one) => one !== address);
      if (untried.length === 0) throw new AllAttemptsFailed(failures);
    }
  }
}

/** Waits for the handshake, so that it can be aborted and a bad certificate is reported as such. */
async function handshake(
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
