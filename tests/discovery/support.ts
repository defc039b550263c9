/** A local network in memory. */
import type {
  LocalAddress,
  Multicast,
  MulticastRole,
  MulticastSocket,
  ReceivePacket,
  Sender,
} from "../../core/discovery/multicast.ts";

interface Member {
  readonly role: MulticastRole;
  readonly sender: Sender;
  readonly receive: ReceivePacket;
  readonly socket: MulticastSocket;
}

/** A network that carries each packet at once to all members, also to its sender, as loopback does. */
export class FakeNetwork {
  readonly #members = new Set<Member>();
  #nextPort = 40_000;
  /** The next packets that get lost. */
  lost = 0;
  /** Packets that were sent to the group. */
  readonly sent: Uint8Array[] = [];

  get size(): number {
    return this.#members.size;
  }

  /** A machine with these addresses; the array may change. */
  machine(...addresses: LocalAddress[]): Multicast {
    return {
      addresses: () => addresses,
      open: (role, receive) =>
        Promise.resolve(addresses.map((local) => this.#join(local, role, receive))),
    };
  }

  #join(local: LocalAddress, role: MulticastRole, receive: ReceivePacket): MulticastSocket {
    const port = role === "responder" ? 5353 : this.#nextPort++;
    const sender = { address: local.address, port };
    const carry = (packet: Uint8Array, isFor: (member: Member) => boolean) => {
      if (this.lost > 0) return void this.lost--;
      for (const other of [...this.#members].filter(isFor)) {
        other.receive(packet, sender, other.socket);
      }
    };
    const socket: MulticastSocket = {
      local,
      sendToGroup: (packet) => {
        this.sent.push(packet);
        carry(packet, ({ role }) => role === "responder");
      },
      sendTo: (packet, { address, port }) =>
        carry(packet, ({ sender }) => sender.address === address && sender.port === port),
      [Symbol.dispose]: () => void this.#members.delete(member),
    };
    const member = { role, sender, receive, socket };
    this.#members.add(member);
    return socket;
  }
}

export function localAddress(address: string, cidr = `${address}/24`): LocalAddress {
  const family = address.includes(":") ? "IPv6" : "IPv4";
  return { family, address, interface: "eth0", cidr };
}
