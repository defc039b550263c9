/** An address as it is shown: a listener on both families sees IPv4 as `::ffff:1.2.3.4`. */
export function displayAddress(peer: string): string {
  return peer.replace(/^::ffff:(?=\d+\.)/i, "");
}

/**
 * Identifies a client for limits and fair shares: its IPv4 address, or the first half of its IPv6
 * address, because one machine owns a whole /64. @param address as `displayAddress` returns it.
 */
export function clientIdOf(address: string): string {
  if (!address.includes(":")) return address;
  const [host = "", zone] = address.split("%");
  const prefix = groupsOf(host).slice(0, 4).join(":");
  // The same link-local prefix is another network on each interface.
  return zone === undefined ? `${prefix}::/64` : `${prefix}::/64%${zone}`;
}

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  const [head = [], tail] = address.split("::").map((half) => half.split(":").filter(Boolean));
  const zeros = tail ? new Array<string>(8 - head.length - tail.length).fill("0") : [];
  return [...head, ...zeros, ...tail ?? []].map((group) =>
    group.toLowerCase().replace(/^0+(?=.)/, "")
  );
}
