/** Whether an address is on the network of an interface, without a router between. */
import type { LocalAddress } from "./multicast.ts";

/** @param address without a zone. */
export function isOnLink(address: string, local: Pick<LocalAddress, "cidr" | "family">): boolean {
  if (address.toLowerCase().startsWith("fe80:")) return local.family === "IPv6";
  const [network = "", length = "0"] = local.cidr.split("/");
  const [a, b] = [bitsOf(address), bitsOf(network)];
  return a !== undefined && b !== undefined && a.length === b.length &&
    a.slice(0, Number(length)) === b.slice(0, Number(length));
}

/** The bits of an IP address as text; undefined if it is none. */
function bitsOf(address: string): string | undefined {
  const isV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/.test(address);
  if (isV4) {
    return address.split(".").map((part) => Number(part).toString(2).padStart(8, "0")).join("");
  }
  if (!URL.canParse(`http://[${address}]`)) return undefined;
  // The URL parser writes mapped IPv4 addresses and zeros in one way.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::");
  const groups = (text: string) => text === "" ? [] : text.split(":");
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const all = tail === undefined ? before : [...before, ...zeros, ...after];
  return all.map((group) => parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}
