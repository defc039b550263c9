import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../core/base/errors.ts";
import {
  DEFAULT_PORT,
  encodeSourceAddress,
  formatSourceAddress,
  isWebAddress,
  parseSourceAddress,
  type SocketAddress,
  type SourceAddress,
} from "../../core/base/source_address.ts";
import { anyText, nearly, property } from "./property.ts";

const good = [
  { text: "host", host: "host", port: 7270, tls: false, format: "host:7270" },
  { text: "host:1", host: "host", port: 1, tls: false, format: "host:1" },
  { text: "host:65535", host: "host", port: 65_535, tls: false, format: "host:65535" },
  {
    text: "Host.Example.ORG:80",
    host: "host.example.org",
    port: 80,
    tls: false,
    format: "host.example.org:80",
  },
  { text: "10.0.0.7", host: "10.0.0.7", port: 7270, tls: false, format: "10.0.0.7:7270" },
  { text: "10.0.0.7:9000", host: "10.0.0.7", port: 9000, tls: false, format: "10.0.0.7:9000" },
  { text: "[::1]", host: "::1", port: 7270, tls: false, format: "[::1]:7270" },
  { text: "[::1]:9000", host: "::1", port: 9000, tls: false, format: "[::1]:9000" },
  {
    text: "[2001:DB8::7]:9000",
    host: "2001:db8::7",
    port: 9000,
    tls: false,
    format: "[2001:db8::7]:9000",
  },
  {
    text: "[::ffff:10.0.0.7]",
    host: "::ffff:10.0.0.7",
    port: 7270,
    tls: false,
    format: "[::ffff:10.0.0.7]:7270",
  },
  {
    text: "[fe80::1%eth0]:1",
    host: "fe80::1%eth0",
    port: 1,
    tls: false,
    format: "[fe80::1%eth0]:1",
  },
  { text: "tls://host", host: "host", port: 7270, tls: true, format: "tls://host:7270" },
  { text: "tls://host:443", host: "host", port: 443, tls: true, format: "tls://host:443" },
  { text: "tls://[::1]:443", host: "::1", port: 443, tls: true, format: "tls://[::1]:443" },
  { text: "tls://host:443/", host: "host", port: 443, tls: true, format: "tls://host:443" },
  { text: "TLS://host", host: "host", port: 7270, tls: true, format: "tls://host:7270" },
  { text: "p2p://host", host: "host", port: 7270, tls: false, format: "host:7270" },
  { text: "p2p://host/", host: "host", port: 7270, tls: false, format: "host:7270" },
  { text: "P2P://Host:80", host: "host", port: 80, tls: false, format: "host:80" },
  { text: "p2p://[::1]:80/", host: "::1", port: 80, tls: false, format: "[::1]:80" },
  { text: "my_host-1", host: "my_host-1", port: 7270, tls: false, format: "my_host-1:7270" },
];
for (const { text, format, ...address } of good) {
  Deno.test(`parseSourceAddress() and formatSourceAddress() understand ${text}`, () => {
    assertEquals(parseSourceAddress(text), address);
    assertEquals(formatSourceAddress(address), format);
  });
}

const bad = [
  "",
  " ",
  ":",
  ":80",
  "host:",
  "host:0",
  "host:65536",
  "host:99999",
  "host:123456",
  "host:-1",
  "host:+1",
  "host:8o",
  "host:1 ",
  " host",
  "host name",
  "host\n",
  "a:1:2",
  "::1",
  "[::1",
  "::1]",
  "[]",
  "[]:80",
  "[host]:80",
  "[zz]",
  "[::1]9000",
  "[::1]:",
  "[:: 1]",
  "host/",
  "host/file",
  "user@host",
  "p2p:host",
  "p2p:/host",
  "p2p://",
  "p2p:///",
  "p2p://host//",
  "p2p://host/file",
  "p2p://host?query",
  "p2p://host:/",
  "p2p://host:0/",
  "p2p://user@host/",
  "p2p://host/\n",
  "//host",
  "://host",
  "tls:host",
  "tls:/host",
  "tls://",
  "tls://:80",
  "tls://tls://host",
];
for (const text of bad) {
  Deno.test(`parseSourceAddress() throws UsageError when given ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => parseSourceAddress(text), UsageError, `"${text}"`);
    assertEquals(error.problem, "seed-address");
  });
}

for (const text of ["ftp://host", "tcp://host:7270", "file:///etc"]) {
  Deno.test(`parseSourceAddress() names the scheme as the problem of ${text}`, () => {
    const error = assertThrows(() => parseSourceAddress(text), UsageError, `"${text}"`);
    assertEquals(error.problem, "address-scheme");
  });
}

const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().filter((address) => address.includes(":")),
);
const address: fc.Arbitrary<SocketAddress> = fc.record({
  host: host.map((name) => name.toLowerCase()),
  port: fc.oneof(fc.constant(DEFAULT_PORT), fc.integer({ min: 1, max: 65_535 })),
  tls: fc.boolean(),
});
property("parseSourceAddress() parses what formatSourceAddress() wrote", address, (address) => {
  assertEquals(parseSourceAddress(formatSourceAddress(address)), address);
});

const anything = fc.oneof(
  anyText,
  nearly("tls://host:80", "p2p://host/", "[2001:db8::7%1]:9000", "a.b"),
);
property(
  "parseSourceAddress() returns one canonical form or throws UsageError",
  anything,
  (text) => {
    let address: SourceAddress;
    try {
      address = parseSourceAddress(text);
    } catch (error) {
      return assertInstanceOf(error, UsageError);
    }
    assertEquals(parseSourceAddress(encodeSourceAddress(address)), address);
    const shown = formatSourceAddress(address);
    assertEquals(formatSourceAddress(parseSourceAddress(shown)), shown);
  },
);

const web = [
  ["http://host", "http://host/", "http://host/"],
  ["HTTPS://Host:443/Files", "https://host/Files/", "https://host/Files/"],
  ["https://host:8443/a%20b/", "https://host:8443/a%20b/", "https://host:8443/a%20b/"],
  ["https://me:secret@host/a", "https://me:secret@host/a/", "https://host/a/"],
  ["https://host/a/?sig=secret", "https://host/a/?sig=secret", "https://host/a/"],
  ["http://[::1]:80/", "http://[::1]/", "http://[::1]/"],
  ["s3://bucket", "s3://bucket/", "s3://bucket/"],
  ["s3://bucket/some/prefix", "s3://bucket/some/prefix/", "s3://bucket/some/prefix/"],
] as const;
for (const [text, encoded, shown] of web) {
  Deno.test(`parseSourceAddress() takes ${text} for a folder, and it is shown without secrets`, () => {
    const address = parseSourceAddress(text);
    assert(isWebAddress(address));
    assertEquals(encodeSourceAddress(address), encoded);
    assertEquals(formatSourceAddress(address), shown);
    assertEquals(parseSourceAddress(encoded), address);
  });
}

const badWeb = [
  "http://",
  "https:///file",
  "http://host/#id=1",
  "https://ho st/",
  `http://h/${"a".repeat(9000)}`,
];
for (const text of badWeb) {
  Deno.test(`parseSourceAddress() rejects the URL ${text.slice(0, 40)}`, () => {
    const error = assertThrows(() => parseSourceAddress(text), UsageError);
    assertEquals(error.problem, "seed-address");
  });
}

Deno.test("parseSourceAddress() shows no password of an address that it rejects", () => {
  const texts = ["https://me:secret@host/#a", "https://me:secret@ho st/", "s3://me:secret@b/#a"];
  for (const text of texts) {
    const { message } = assertThrows(() => parseSourceAddress(text), UsageError);
    assert(!message.includes("secret"), message);
  }
});
