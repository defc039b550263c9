import { assert, assertEquals } from "@std/assert";
import {
  type Announcement,
  MEMBER_TIMEOUT_MS,
  SwarmTable,
} from "../../../core/serve/swarm/swarm_table.ts";
import { MAX_PEERS_IN_REPLY } from "../../../core/protocol/swarm.ts";
import { diceOf } from "../../sim/dice.ts";

const ID = "a1".repeat(32);

function tableOf(): SwarmTable {
  return new SwarmTable(diceOf(7));
}

function announcement(host: string, more: Partial<Announcement> = {}): Announcement {
  return { id: ID, count: 8, client: host, host, port: 7000, pieces: 0, ...more };
}

function hostsOf(table: SwarmTable, host: string, nowMs = 0, id = ID): string[] {
  return table.peersFor(id, host, 7000, nowMs).map((peer) => `${peer.host}:${peer.port}`).sort();
}

Deno.test("SwarmTable hands out the others of the same content, and not the one that asks", () => {
  const table = tableOf();
  table.join(announcement("10.0.0.1", { pieces: 3 }), 0);
  table.join(announcement("10.0.0.2"), 0);
  table.join(announcement("10.0.0.3", { id: "b2".repeat(32) }), 0);
  assertEquals(table.peersFor(ID, "10.0.0.2", 7000, 0), [
    { host: "10.0.0.1", port: 7000, pieces: 3 },
  ]);
  assertEquals(hostsOf(table, "10.0.0.9"), ["10.0.0.1:7000", "10.0.0.2:7000"]);
  assertEquals(hostsOf(table, "10.0.0.9", 0, "c3".repeat(32)), []);
});

Deno.test("SwarmTable forgets receivers that do not announce themselves again", () => {
  const table = tableOf();
  table.join(announcement("10.0.0.1"), 0);
  table.join(announcement("10.0.0.2"), 0);
  table.join(announcement("10.0.0.1"), MEMBER_TIMEOUT_MS - 1);
  assertEquals(hostsOf(table, "10.0.0.9", MEMBER_TIMEOUT_MS + 1000), ["10.0.0.1:7000"]);
  assertEquals(hostsOf(table, "10.0.0.9", 3 * MEMBER_TIMEOUT_MS), []);
  assertEquals(table.size, 0);
});

Deno.test("SwarmTable does not hand out a receiver that left or that serves on no port", () => {
  const table = tableOf();
  table.join(announcement("10.0.0.1"), 0);
  table.join(announcement("10.0.0.1", { port: 0 }), 0);
  assertEquals(table.join(announcement("10.0.0.2", { port: 0 }), 0), false);
  assertEquals(hostsOf(table, "10.0.0.9"), []);
});

Deno.test("SwarmTable hands out loopback addresses to loopback clients alone, and no address with a zone", () => {
  const table = tableOf();
  for (const host of ["127.0.0.1", "::1", "10.0.0.1"]) table.join(announcement(host), 0);
  assertEquals(table.join(announcement("fe80::1%eth0"), 0), false);
  assertEquals(hostsOf(table, "10.0.0.9"), ["10.0.0.1:7000"]);
  assertEquals(hostsOf(table, "127.0.0.9"), ["10.0.0.1:7000", "127.0.0.1:7000", "::1:7000"]);
});

Deno.test("SwarmTable takes few receivers of one client, also if they leave at once", () => {
  const table = tableOf();
  for (let port = 1; port <= 1000; port++) {
    table.join(announcement("10.0.0.1", { port }), 0);
    table.join(announcement("10.0.0.1", { port: 0 }), 0);
  }
  assertEquals(table.size, 64);
  assert(table.join(announcement("10.0.0.2"), 0), "others are not shut out");
  assert(table.join(announcement("10.0.0.1", { port: 1001 }), 2 * MEMBER_TIMEOUT_MS));
});

Deno.test("SwarmTable is bounded over all clients and contents", () => {
  const table = tableOf();
  for (let client = 0; client < 20_000; client++) {
    const host = `10.${client >> 16}.${(client >> 8) & 255}.${client & 255}`;
    const id = (client % 1000).toString(16).padStart(64, "0");
    table.join(announcement(host, { id, count: 32_768 }), 0);
  }
  assert(table.size <= 8192, String(table.size));
});

Deno.test("SwarmTable hands out as many as a reply may have, others each time", () => {
  const table = tableOf();
  for (let host = 1; host <= 200; host++) table.join(announcement(`10.0.0.${host}`), 0);
  const seen = new Set<string>();
  for (let time = 0; time < 40; time++) {
    const peers = hostsOf(table, "10.0.0.201");
    assertEquals(new Set(peers).size, MAX_PEERS_IN_REPLY);
    for (const peer of peers) seen.add(peer);
  }
  assert(seen.size > 180, String(seen.size));
});

const ALL = [0, 1, 2, 3, 4, 5, 6, 7];

function suggest(
  table: SwarmTable,
  host: string,
  count: number,
  nowMs = 0,
  pieces = ALL,
): number[] {
  return [...table.suggest({ id: ID, host, port: 7000, count, pieces }, nowMs).pieces];
}

Deno.test("SwarmTable suggests each piece once before it suggests any twice", () => {
  const table = tableOf();
  for (const host of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) table.join(announcement(host), 0);
  const first = suggest(table, "10.0.0.1", 3);
  const second = suggest(table, "10.0.0.2", 3);
  const third = suggest(table, "10.0.0.3", 2);
  assertEquals(new Set([...first, ...second, ...third]).size, 8);
});

Deno.test("SwarmTable suggests only pieces that the receiver names, in its order", () => {
  const table = tableOf();
  table.join(announcement("10.0.0.1"), 0);
  assertEquals(suggest(table, "10.0.0.1", 4, 0, [6, 2, 9999, 2]), [6, 2]);
});

Deno.test("SwarmTable counts what was requested, and not what was only suggested", () => {
  const table = tableOf();
  for (const host of ["10.0.0.1", "10.0.0.2"]) table.join(announcement(host), 0);
  const [taken, other] = suggest(table, "10.0.0.1", 2) as [number, number];
  table.requested(ID, "10.0.0.1", taken);
  // New suggestions replace the old ones: `other` may be suggested to anyone again.
  const again = suggest(table, "10.0.0.1", 7);
  assertEquals(again.includes(taken), false);
  assertEquals(again.includes(other), true);
});

Deno.test("SwarmTable takes back suggestions of a receiver that does not follow them", () => {
  const table = tableOf();
  for (const host of ["10.0.0.1", "10.0.0.2"]) table.join(announcement(host), 0);
  suggest(table, "10.0.0.1", 8);
  table.requested(ID, "10.0.0.2", 0);
  assertEquals(suggest(table, "10.0.0.2", 1, 1000), []);
  for (const host of ["10.0.0.1", "10.0.0.2"]) table.join(announcement(host), 6000);
  const later = suggest(table, "10.0.0.2", 8, 6000);
  assertEquals(later.at(-1), 0, "all others were not given");
});

Deno.test("SwarmTable suggests no more than a few pieces beside those that it sends", () => {
  const table = tableOf();
  const pieces = Array.from({ length: 100 }, (_, piece) => piece);
  for (let host = 0; host < 10; host++) {
    table.join(announcement(`10.0.0.${host}`, { count: 100 }), 0);
  }
  const suggested = Array.from(
    { length: 10 },
    (_, host) => suggest(table, `10.0.0.${host}`, 4, 0, pieces),
  );
  assertEquals(suggested.map((each) => each.length), [4, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
  const ended = suggested[0]!.map((piece) => table.requested(ID, "10.0.0.0", piece));
  assertEquals(suggest(table, "10.0.0.9", 4, 0, pieces).length, 0, "they are being sent");
  for (const end of ended) {
    end();
    end();
  }
  assertEquals(suggest(table, "10.0.0.9", 4, 0, pieces).length, 4);
  assertEquals(suggest(table, "10.0.0.8", 4, 0, pieces).length, 0);
});

Deno.test("SwarmTable lets receivers ask more rarely the more there are", () => {
  const table = tableOf();
  const retryOf = () =>
    table.suggest({ id: ID, host: "10.0.0.1", port: 7000, count: 4, pieces: ALL }, 0).retryAfterMs;
  assertEquals(retryOf(), 5000, "a stranger");
  table.join(announcement("10.0.0.1"), 0);
  assertEquals(retryOf(), 100);
  for (let host = 0; host < 256; host++) table.join(announcement(`10.0.1.${host}`), 0);
  assertEquals(retryOf(), 257 * 5);
});

Deno.test("SwarmTable suggests nothing to a stranger, and counts nothing that is sent to one that does not share", () => {
  const table = tableOf();
  table.join(announcement("10.0.0.1"), 0);
  const stranger = { id: ID, count: 4, pieces: ALL };
  assertEquals(table.suggest({ ...stranger, host: "10.0.0.1", port: 7001 }, 0).pieces, []);
  assertEquals(table.suggest({ ...stranger, host: "10.0.0.2", port: 7000 }, 0).pieces, []);
  table.join(announcement("10.0.0.2", { port: 0 }), 0);
  for (let piece = 0; piece < 8; piece++) table.requested(ID, "10.0.0.2", piece);
  table.requested(ID, "10.0.0.1", 0);
  table.requested(ID, "10.0.0.1", 99);
  assertEquals(suggest(table, "10.0.0.1", 8).at(-1), 0);
});
