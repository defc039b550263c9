import { assertEquals } from "@std/assert";
import { clientIdOf, displayAddress } from "../../../core/serve/accept/client_address.ts";
import { test } from "../../support/test.ts";

test("displayAddress() shows an IPv4 client of a listener on both families as IPv4", () => {
  assertEquals(displayAddress("::ffff:10.0.0.1"), "10.0.0.1");
  assertEquals(displayAddress("::FFFF:10.0.0.1"), "10.0.0.1");
  assertEquals(displayAddress("2001:db8::1"), "2001:db8::1");
  assertEquals(displayAddress("10.0.0.1"), "10.0.0.1");
});

test("clientIdOf() counts all IPv6 addresses of one /64 as one client", () => {
  const id = "2001:db8:1:2::/64";
  const one = [
    "2001:db8:1:2::1",
    "2001:DB8:0001:2:3:4:5:6",
    "2001:db8:1:2:ffff::",
    "2001:db8:1:2::",
  ];
  for (const address of one) assertEquals(clientIdOf(address), id);
  const others = ["2001:db8:1:3::1", "2001:db8:1::2:1", "2001:db8::1", "::1", "10.0.0.1"];
  assertEquals(new Set([id, ...others.map(clientIdOf)]).size, others.length + 1);
});

test("clientIdOf() returns an IPv4 address unchanged, and distinguishes the zones of link-local addresses", () => {
  assertEquals(clientIdOf("10.0.0.1"), "10.0.0.1");
  assertEquals(clientIdOf("fe80::1%eth0"), "fe80:0:0:0::/64%eth0");
  assertEquals(clientIdOf("::1"), "0:0:0:0::/64");
});
