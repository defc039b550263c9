import { assert, assertEquals } from "@std/assert";
import * as dns from "dns-packet";
import {
  type Announcement,
  decodeAnnouncement,
  encodeAnnouncement,
  encodeQuery,
  isQuery,
  SERVICE,
} from "../../core/discovery/dns_sd.ts";

const SEED: Announcement = { id: "00112233aabbccdd", port: 7270, tls: false, token: true };
const INSTANCE = `p2p-${SEED.id}.${SERVICE}`;

Deno.test("encodeQuery() asks for all seeds as RFC 6763 says", () => {
  const { type, questions } = dns.decode(encodeQuery());
  assertEquals(type, "query");
  assertEquals(questions.map(({ name, type }: { name: string; type: string }) => [name, type]), [
    ["_p2p._tcp.local", "PTR"],
  ]);
});

const queries = [
  { name: "that of encodeQuery()", packet: encodeQuery(), want: true },
  { name: "one in capitals", packet: queryFor("_P2P._TCP.local", "PTR"), want: true },
  { name: "one for any record", packet: queryFor(SERVICE, "ANY"), want: true },
  { name: "one for another service", packet: queryFor("_http._tcp.local", "PTR"), want: false },
  { name: "one for another record", packet: queryFor(SERVICE, "A"), want: false },
  { name: "an announcement", packet: encodeAnnouncement(SEED, []), want: false },
  { name: "no DNS message", packet: new Uint8Array([1, 2, 3]), want: false },
  { name: "an empty packet", packet: new Uint8Array(), want: false },
  { name: "a packet that is too long", packet: new Uint8Array(9001), want: false },
];
for (const { name, packet, want } of queries) {
  Deno.test(`isQuery() is ${want} for ${name}`, () => assertEquals(isQuery(packet), want));
}

function queryFor(name: string, type: string): Uint8Array {
  return dns.encode({ type: "query", id: 0, questions: [{ name, type }] });
}

for (const tls of [false, true]) {
  for (const token of [false, true]) {
    Deno.test(`decodeAnnouncement() returns what was announced (tls ${tls}, token ${token})`, () => {
      const seed = { ...SEED, tls, token };
      const addresses = ["192.168.1.10", "fe80::1"];
      assertEquals(decodeAnnouncement(encodeAnnouncement(seed, addresses)), seed);
    });
  }
}

Deno.test("encodeAnnouncement() has the addresses for other programs", () => {
  const { additionals } = dns.decode(encodeAnnouncement(SEED, ["192.168.1.10", "fe80::1"]));
  const addresses = additionals.filter(({ type }: { type: string }) => /^A/.test(type));
  assertEquals(addresses.map(({ data }: { data: string }) => data), ["192.168.1.10", "fe80::1"]);
});

Deno.test("decodeAnnouncement() ignores a seed that leaves", () => {
  assertEquals(decodeAnnouncement(encodeAnnouncement(SEED, [], true)), undefined);
});

interface Parts {
  readonly ptr?: string;
  readonly srv?: unknown;
  readonly txt?: unknown;
  readonly name?: string;
}

function response({ ptr = INSTANCE, srv, txt, name = INSTANCE }: Parts): Uint8Array {
  const port = srv ?? { port: 7270, target: "a.local" };
  return dns.encode({
    type: "response",
    answers: [{ name: SERVICE, type: "PTR", data: ptr }],
    additionals: [
      { name, type: "SRV", ttl: 120, data: port },
      { name, type: "TXT", ttl: 120, data: txt ?? [`id=${SEED.id}`] },
    ],
  });
}

const hostile = [
  { name: "port 0", packet: response({ srv: { port: 0, target: "a.local" } }) },
  { name: "records of another instance", packet: response({ name: `other.${SERVICE}` }) },
  { name: "no id", packet: response({ txt: ["v=2"] }) },
  { name: "an id that is no hexadecimal number", packet: response({ txt: ["id=\u001b[31mred!"] }) },
  { name: "an id that is too long", packet: response({ txt: [`id=${"a".repeat(33)}`] }) },
  { name: "the question", packet: encodeQuery() },
  { name: "no DNS message", packet: new TextEncoder().encode("GET / HTTP/1.1") },
];
for (const { name, packet } of hostile) {
  Deno.test(`decodeAnnouncement() ignores an answer with ${name}`, () => {
    assertEquals(decodeAnnouncement(packet), undefined);
  });
}

Deno.test("decodeAnnouncement() takes the first of equal attributes", () => {
  const packet = response({ txt: [`id=${SEED.id}`, "tls=1", "tls=0"] });
  assertEquals(decodeAnnouncement(packet)?.tls, true);
});

Deno.test("decodeAnnouncement() and isQuery() never throw, whatever bytes are changed", () => {
  const packet = encodeAnnouncement(SEED, ["192.168.1.10"]);
  for (let at = 0; at < packet.length; at++) {
    for (const value of [0, 0x0c, 0xc0, 0xff]) {
      const changed = Uint8Array.from(packet);
      changed[at] = value;
      isQuery(changed);
      const found = decodeAnnouncement(changed);
      assert(found === undefined || /^[0-9a-f]{8,32}$/.test(found.id));
    }
    decodeAnnouncement(packet.slice(0, at));
  }
});
