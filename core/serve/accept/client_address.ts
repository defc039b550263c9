/**
 * Who a client is, to limits and fair shares: an IPv4 address, or the first half of an IPv6
 * address. One machine owns a whole /64 of IPv6 addresses and can connect from each of them.
 */

/** How the address of a peer is shown: a listener on both families sees IPv4 as `::ffff:1.2.3.4`. */
export function displayAddress(peer: string): string {
  return peer.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** What all connections of one client have in common. @param address as `shownAddress` returns it. */
export function clientIdOf(address: string): string {
  if (!address.includes(":")) return address;
  const [host = "", zone] = address.split("%");
  const prefix = groupsOf(host).slice(0, 4).join(":");
  // The same link-local prefix is another network on each interface.
  return zone === undefined ? `${prefix}::/64` : `${prefix}::/64%${zone}`;
}

const GROUPS = 8;

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  const [head = [], tail] = address.split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = tail ? new Array<string>(GROUPS - head.length - tail.length).fill("0") : [];
  return [...head, ...zeros, ...tail ?? []].map((group) =>
    group.toLowerCase().replace(/^0+(?=.)/, "")
  );
}
