import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ProtocolError } from "../../core/base/errors.ts";
import {
  encodeIndices,
  encodePeers,
  encodePieceMap,
  MAX_INDICES_IN_LINE,
  MAX_PEERS_BYTES,
  MAX_PEERS_IN_REPLY,
  parseAddress,
  parseIndices,
  parsePeers,
  parsePieceMap,
} from "../../core/protocol/swarm.ts";
import { MAX_LINE_BYTES } from "../../core/protocol/syntax.ts";
import { property } from "../base/property.ts";
import { show } from "./support.ts";

Deno.test("encodePieceMap() sets the most significant bit first", () => {
  const has = new Set([0, 9, 10]);
  assertEquals(encodePieceMap((piece) => has.has(piece), 11), Uint8Array.of(0x80, 0x60));
  assertEquals(encodePieceMap(() => true, 0), new Uint8Array());
});

for (
  const { bytes, count } of [
    { bytes: [0], count: 9 },
    { bytes: [0, 0, 0], count: 16 },
    { bytes: [0x01], count: 7 },
    { bytes: [], count: 1 },
  ]
) {
  Deno.test(`parsePieceMap() rejects ${bytes.length} bytes ${bytes} for ${count} pieces`, () => {
    assertThrows(() => parsePieceMap(Uint8Array.from(bytes), count), ProtocolError);
  });
}

property(
  "parsePieceMap() takes back what was encoded",
  fc.record({ count: fc.nat({ max: 100 }), pieces: fc.array(fc.nat({ max: 99 })) }),
  ({ count, pieces }) => {
    const inside = new Set(pieces.filter((piece) => piece < count));
    const map = encodePieceMap((piece) => inside.has(piece), count);
    assertEquals(parsePieceMap(map, count), Array.from(inside).sort((a, b) => a - b));
  },
);

Deno.test("A full list of the largest pieces fits into a reply line", () => {
  const text = encodeIndices(new Array<number>(MAX_INDICES_IN_LINE).fill(32_767));
  assertEquals(`OK 0 count=32768 new=${text}`.length < MAX_LINE_BYTES, true);
});

for (const text of ["1,", ",1", "01", "1,-2", "1 2", "20", "x", "1e1"]) {
  Deno.test(`parseIndices() rejects ${show(text)} of 20 pieces`, () => {
    assertThrows(() => parseIndices(text, 20), ProtocolError);
  });
}

const addresses: { text: string; address: ReturnType<typeof parseAddress> }[] = [
  { text: "10.0.0.1:7270", address: { host: "10.0.0.1", port: 7270 } },
  { text: "[2001:DB8::1]:1", address: { host: "2001:db8::1", port: 1 } },
  { text: "example.org:80", address: undefined },
  { text: "localhost:80", address: undefined },
  { text: "tls://10.0.0.1:80", address: undefined },
  { text: "10.0.0.1", address: undefined },
  { text: "10.0.0.1:0", address: undefined },
  { text: "10.0.0.1:65536", address: undefined },
  { text: "10.0.0.1:07", address: undefined },
  { text: "[fe80::1%eth0]:80", address: undefined },
  { text: "[]:80", address: undefined },
  { text: "10.0.0.1:80/x", address: undefined },
];
for (const { text, address } of addresses) {
  Deno.test(`parseAddress(${show(text)}) is ${JSON.stringify(address)}`, () => {
    assertEquals(parseAddress(text), address);
  });
}

Deno.test("parsePeers() skips lines that are no peers, and stops after the most that a reply may have", () => {
  const line = "10.0.0.1:7270 3\n";
  assertEquals(parsePeers(`x\nnas:7270 1\n\n${line}10.0.0.1:7270\n10.0.0.1:7270 -1\n`), [
    { host: "10.0.0.1", port: 7270, pieces: 3 },
  ]);
  assertEquals(parsePeers(line.repeat(1000)).length, MAX_PEERS_IN_REPLY);
});

Deno.test("A full reply to JOIN fits into the body that a client takes", () => {
  const peer = { host: "1111:2222:3333:4444:5555:6666:7777:8888", port: 65_535, pieces: 32_768 };
  const body = encodePeers(new Array(MAX_PEERS_IN_REPLY).fill(peer));
  assertEquals(body.length <= MAX_PEERS_BYTES, true);
  assertEquals(parsePeers(body).length, MAX_PEERS_IN_REPLY);
});
