/** Which IP addresses belong to private networks, this machine or no machine at all. Pure. */
import { isIP } from "node:net";

/** First address and prefix length, from the registries of special-purpose addresses (RFC 6890). */
const PRIVATE_V4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
];

/** The first 16 bits and how many of them count. */
const PRIVATE_V6: readonly (readonly [number, number])[] = [
  [0xfc00, 7],
  [0xfe80, 10],
  [0xfec0, 10],
  [0xff00, 8],
];

/** @param address an IP address, without brackets; a text that is none counts as private. */
export function isPrivateAddress(address: string): boolean {
  const plain = address.replace(/%.*$/, "");
  switch (isIP(plain)) {
    case 4:
      return isPrivateV4(numberOf(plain));
    case 6:
      return isPrivateV6(groupsOf(plain));
    default:
      return true;
  }
}

function isPrivateV4(address: number): boolean {
  return PRIVATE_V4.some(([first, bits]) => {
    const shift = 32 - bits;
    return Math.floor(address / 2 ** shift) === Math.floor(numberOf(first) / 2 ** shift);
  });
}

function numberOf(v4: string): number {
  return v4.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function isPrivateV6(groups: readonly number[]): boolean {
  const [first = 0, second = 0] = groups;
  const v4 = () => groups[6]! * 65_536 + groups[7]!;
  // Unspecified, loopback, and IPv4 in IPv6: mapped, translated (64:ff9b::/96) and 6to4.
  if (groups.slice(0, 5).every((group) => group === 0)) {
    return groups[5] === 0xffff || groups[5] === 0 ? isPrivateV4(v4()) : true;
  }
  if (first === 0x64 && second === 0xff9b) return isPrivateV4(v4());
  if (first === 0x2002) return isPrivateV4(second * 65_536 + groups[2]!);
  return PRIVATE_V6.some(([prefix, bits]) => first >> (16 - bits) === prefix >> (16 - bits));
}

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): number[] {
  const plain = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [head = "", tail] = plain.split("::");
  const parse = (text: string) =>
    text === "" ? [] : text.split(":").map((part) => parseInt(part, 16));
  const before = parse(head);
  const after = tail === undefined ? [] : parse(tail);
  const gap = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...new Array<number>(gap).fill(0), ...after];
}
