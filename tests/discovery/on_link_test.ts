import { assertEquals } from "@std/assert";
import { isOnLink } from "../../core/discovery/on_link.ts";
import { localAddress } from "./support.ts";

const V4 = localAddress("192.168.1.10");
const V6 = localAddress("fd00:1::10", "fd00:1::10/64");

const cases = [
  { address: "192.168.1.99", local: V4, want: true },
  { address: "192.168.2.1", local: V4, want: false },
  { address: "8.8.8.8", local: V4, want: false },
  { address: "192.168.1.99", local: localAddress("192.168.1.10", "192.168.1.10/32"), want: false },
  { address: "10.9.8.7", local: localAddress("10.0.0.1", "10.0.0.1/8"), want: true },
  { address: "fe80::1", local: V6, want: true },
  { address: "fe80::1", local: V4, want: false },
  { address: "fd00:1::99", local: V6, want: true },
  { address: "fd00:1:0:0:1::", local: V6, want: true },
  { address: "fd00:2::99", local: V6, want: false },
  { address: "::ffff:192.168.1.99", local: V6, want: false },
  { address: "1.2.3", local: V4, want: false },
  { address: "not an address", local: V6, want: false },
];
for (const { address, local, want } of cases) {
  Deno.test(`isOnLink() is ${want} for ${address} on ${local.cidr}`, () => {
    assertEquals(isOnLink(address, local), want);
  });
}
