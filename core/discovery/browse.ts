/** Finds the seeds that announce themselves on the local network. */
import type { Clock } from "../base/clock.ts";
import { decodeAnnouncement, encodeQuery } from "./dns_sd.ts";
import { isOnLink } from "./on_link.ts";
import type { Multicast, MulticastSocket, Sender } from "./multicast.ts";

/** A seed on the local network. */
export interface NearbySeed {
  /** The address from which it answered: what it says of its own address does not count. */
  readonly host: string;
  /** The port that it announces. */
  readonly port: number;
  /** Whether it speaks TLS. */
  readonly tls: boolean;
  /** Whether it needs a token. */
  readonly token: boolean;
}

/** A packet can be lost; a second question costs nothing. */
const REPEAT_MS = 100;
/** Bounds for what strangers can make this process remember and show. */
const MAX_SEEDS = 256;
/** Seeds on one machine, which differ by port. */
const MAX_SEEDS_OF_SENDER = 16;

/**
 * Asks the local network for `ms` milliseconds.
 *
 * @returns the seeds that answered, ordered by address. A seed that answered on several networks is
 * there once, with an IPv4 address if it has one.
 * @throws the signal's reason if it aborts.
 */
export async function browse(
  ms: number,
  { multicast, clock }: { readonly multicast: Multicast; readonly clock: Clock },
  signal: AbortSignal,
): Promise<NearbySeed[]> {
  const found = new Map<string, NearbySeed>();
  const receive = (packet: Uint8Array, { address }: Sender, { local }: MulticastSocket) => {
    // RFC 6762, section 11: nothing from another network counts, which could guess the port.
    if (!isOnLink(address, local)) return;
    const announcement = decodeAnnouncement(packet);
    if (announcement === undefined) return;
    const { id, ...rest } = announcement;
    const known = found.get(id);
    const host = address.startsWith("fe80:") ? `${address}%${local.interface}` : address;
    const ofSender = () => [...found.values()].filter((seed) => seed.host === host).length;
    if (!known && (found.size >= MAX_SEEDS || ofSender() >= MAX_SEEDS_OF_SENDER)) return;
    if (known === undefined || rankOf(host) < rankOf(known.host)) found.set(id, { host, ...rest });
  };
  const sockets = await multicast.open("browser", receive);
  try {
    const endsAt = clock.now() + ms;
    while (clock.now() < endsAt) {
      for (const socket of sockets) socket.sendToGroup(encodeQuery());
      await clock.sleep(Math.min(REPEAT_MS, endsAt - clock.now()), signal);
    }
  } finally {
    for (const socket of sockets) socket[Symbol.dispose]();
  }
  return [...found.values()].toSorted((a, b) =>
    a.host < b.host ? -1 : a.host > b.host ? 1 : a.port - b.port
  );
}

/** IPv4 first, because its addresses are short; the address of a link last, because it needs a zone; loopback first. */
function rankOf(host: string): number {
  if (host.startsWith("127.")) return 0;
  if (!host.includes(":")) return 1;
  return host.startsWith("fe80:") ? 3 : 2;
}
