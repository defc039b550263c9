/** Sockets of multicast DNS: one for each address of this machine. */
import type { Socket } from "node:dgram";

/** Multicast DNS, RFC 6762. */
const PORT = 5353;
const GROUPS = { IPv4: "224.0.0.251", IPv6: "ff02::fb" } as const;
/** RFC 6762 requires it of answers: packets from other networks have a lower one. */
const TTL = 255;

/** An address of this machine. */
export interface LocalAddress {
  readonly family: "IPv4" | "IPv6";
  readonly address: string;
  /** The name of its interface. */
  readonly interface: string;
  /** With the length of the network's prefix, as in `192.168.1.10/24`. */
  readonly cidr: string;
}

export interface Sender {
  /** Without a zone. */
  readonly address: string;
  readonly port: number;
}

export interface MulticastSocket extends Disposable {
  readonly local: LocalAddress;
  /** Sends to all members of the group on this interface. */
  sendToGroup(packet: Uint8Array): void;
  sendTo(packet: Uint8Array, receiver: Sender): void;
}

export interface Multicast {
  /** One address for each interface and family. */
  addresses(): LocalAddress[];
  /**
   * Opens a socket on each of these addresses that can do multicast.
   *
   * @param role "responder" receives what is sent to the group; "browser" only answers to itself.
   */
  open(role: MulticastRole, receive: ReceivePacket): Promise<MulticastSocket[]>;
}

export type MulticastRole = "responder" | "browser";
export type ReceivePacket = (packet: Uint8Array, sender: Sender, socket: MulticastSocket) => void;

/** Whether a sender uses the port of multicast DNS: then it receives answers to the group. */
export function isMember({ port }: Sender): boolean {
  return port === PORT;
}

/** The real network. */
export const multicast: Multicast = {
  addresses: localAddresses,
  async open(role, receive) {
    const opened = await Promise.all(
      localAddresses().map((local) => open(local, role, receive).catch(() => undefined)),
    );
    return opened.filter((socket) => socket !== undefined);
  },
};

/** For IPv6, the address of the link. */
function localAddresses(): LocalAddress[] {
  const found = new Map<string, LocalAddress>();
  for (const { family, address, name, cidr } of Deno.networkInterfaces()) {
    const key = `${family} ${name}`;
    if (family === "IPv6" && found.get(key)?.address.startsWith("fe80:")) continue;
    if (family === "IPv4" && found.has(key)) continue;
    found.set(key, { family, address, interface: name, cidr });
  }
  return [...found.values()];
}

async function open(
  local: LocalAddress,
  role: MulticastRole,
  receive: ReceivePacket,
): Promise<MulticastSocket> {
  // Only where it is used: most commands send no multicast, and the module takes time to load.
  const { createSocket } = await import("node:dgram");
  const isV4 = local.family === "IPv4";
  const group = GROUPS[local.family];
  const socket = createSocket({ type: isV4 ? "udp4" : "udp6", reuseAddr: true });
  try {
    await bound(socket, role === "responder" ? PORT : 0, isV4 ? "0.0.0.0" : "::");
    const zone = isV4 ? local.address : `::%${local.interface}`;
    socket.setMulticastTTL(TTL);
    // Other processes of this machine are found, too.
    socket.setMulticastLoopback(true);
    socket.setMulticastInterface(zone);
    if (role === "responder") socket.addMembership(group, zone);
  } catch (error) {
    socket.close();
    throw error;
  }
  let closed = false;
  const send = (packet: Uint8Array, port: number, address: string) => {
    // A network that cannot be reached now is no failure: another interface may be the right one.
    if (!closed) socket.send(packet, port, address, () => {});
  };
  const zoned = (address: string) =>
    address.startsWith("fe80:") || address === GROUPS.IPv6
      ? `${address}%${local.interface}`
      : address;
  const opened: MulticastSocket = {
    local,
    sendToGroup: (packet) => send(packet, PORT, zoned(group)),
    sendTo: (packet, { address, port }) => send(packet, port, zoned(address)),
    [Symbol.dispose]: () => {
      if (closed) return;
      closed = true;
      socket.close();
    },
  };
  socket.on("error", () => opened[Symbol.dispose]());
  socket.on("message", (packet: Uint8Array, { address, port }: Sender) => {
    if (!closed) receive(packet, { address, port }, opened);
  });
  return opened;
}

function bound(socket: Socket, port: number, address: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("error", reject);
  socket.bind(port, address, () => {
    socket.off("error", reject);
    resolve();
  });
  return promise;
}
