import { assertEquals } from "@std/assert";
import { isPrivateAddress } from "../../core/source/private_address.ts";

const privates = [
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "100.127.255.255",
  "127.0.0.1",
  "127.9.9.9",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.8",
  "192.168.1.1",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::127.0.0.1",
  "::ffff:10.0.0.1",
  "::ffff:7f00:1",
  "64:ff9b::a00:1",
  "2002:c0a8:101::1",
  "fc00::1",
  "fdff::1",
  "fe80::1%eth0",
  "fec0::1",
  "ff02::1",
  "localhost",
  "",
  "1.2.3",
];
for (const address of privates) {
  Deno.test(`isPrivateAddress() knows ${address || "an empty text"}`, () => {
    assertEquals(isPrivateAddress(address), true);
  });
}

const publics = [
  "1.1.1.1",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.1",
  "192.167.255.255",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
  "::ffff:8.8.8.8",
  "64:ff9b::808:808",
  "2002:808:808::1",
  "2001:4860:4860::8888",
  "2606:4700::1111",
  "fbff::1",
];
for (const address of publics) {
  Deno.test(`isPrivateAddress() takes ${address} for a public one`, () => {
    assertEquals(isPrivateAddress(address), false);
  });
}
