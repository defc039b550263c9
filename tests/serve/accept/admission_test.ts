import { assert, assertEquals } from "@std/assert";
import {
  Admission,
  BUSY_TENURE_MS,
  IDLE_BYTES,
  IDLE_TENURE_MS,
  type Occupant,
} from "../../../core/serve/accept/admission.ts";
import { type Behaviour, Crowd } from "../crowds.ts";
import { test } from "../../support/test.ts";

const LATE = 1_000_000;

/** Places for `limit` connections; times and bytes are given by the test. */
function contextOf(maxConnections: number, clientConnections = 16) {
  const admission = new Admission({ maxConnections, clientConnections });
  const enter = (client: string, bytes = 0, admittedAt = 0): Occupant => {
    const occupant = { client, admittedAt, recentBytes: () => bytes };
    admission.enter(occupant);
    return occupant;
  };
  const decide = (client: string, nowMs = LATE) => {
    const decision = admission.decide(client, nowMs);
    return decision.kind === "refuse" ? decision.reason : decision.instead ?? "admit";
  };
  return { admission, enter, decide };
}

test("Admission admits up to its limits, for one client and in total", () => {
  const { enter, decide } = contextOf(3, 2);
  enter("a", 0, LATE);
  assertEquals(decide("a"), "admit");
  enter("a", 0, LATE);
  assertEquals(decide("a"), "too many connections from your address");
  enter("b", 0, LATE);
  assertEquals(decide("b"), "too many connections");
});

test("Admission counts a connection that left its place until its descriptor is free", () => {
  const { admission, enter, decide } = contextOf(10, 1);
  const only = enter("a");
  admission.leave(only);
  admission.leave(only);
  assertEquals(admission.size, 0);
  assertEquals(decide("a"), "too many connections from your address");
  admission.release(only);
  assertEquals(decide("a"), "admit");
});

test("Admission evicts the connection with the fewest recent bytes of the client with the most places", () => {
  const { enter, decide } = contextOf(5);
  for (const bytes of [900_000, 800_000]) enter("pair", bytes);
  enter("crowd", 500_000);
  const slowest = enter("crowd", 400_000);
  enter("crowd", 600_000);
  assertEquals(decide("new"), slowest);
});

test("Admission evicts an idle connection first, so that a client that uses many keeps them", () => {
  const { enter, decide } = contextOf(4);
  for (let i = 0; i < 3; i++) enter("office", 5_000_000);
  const idle = enter("idle", IDLE_BYTES - 1);
  assertEquals(decide("new"), idle);
});

test("Admission evicts the only connection of an idle client after a second, of a busy one after ten", () => {
  const idle = contextOf(1);
  const idler = idle.enter("idle", 0, LATE);
  assertEquals(idle.decide("new", LATE + IDLE_TENURE_MS - 1), "too many connections");
  assertEquals(idle.decide("new", LATE + IDLE_TENURE_MS + 20), idler);
  const busy = contextOf(1);
  const worker = busy.enter("busy", 1_000_000, LATE);
  assertEquals(busy.decide("new", LATE + BUSY_TENURE_MS - 1), "too many connections");
  assertEquals(busy.decide("new", LATE + BUSY_TENURE_MS + 20), worker);
});

test("Admission moves places towards equal shares, and never back", () => {
  const { enter, decide } = contextOf(4);
  const first = enter("a");
  for (let i = 0; i < 2; i++) enter("a");
  enter("b");
  assertEquals(decide("b"), first);
  const even = contextOf(4);
  for (const client of ["a", "a", "b", "b"]) even.enter(client);
  assertEquals(even.decide("a"), "too many connections");
  assertEquals(even.decide("b"), "too many connections");
});

test("Admission refuses newcomers rather than run out of descriptors when evicted connections do not end", () => {
  const { admission, enter, decide } = contextOf(200);
  const occupants = Array.from({ length: 600 }, (_, i) => enter(`${i}`));
  for (const occupant of occupants) admission.leave(occupant);
  // 88 of the 600 count as places.
  for (let i = 0; i < 112; i++) enter(`new ${i}`);
  assertEquals(decide("one more"), "too many connections");
  admission.release(occupants[0]!);
  assertEquals(decide("one more"), "admit");
});

test("Admission serves waiting clients in the order of their arrival", () => {
  const { admission, enter, decide } = contextOf(1);
  const only = enter("first", 0, LATE);
  for (const client of ["second", "third"]) assertEquals(decide(client), "too many connections");
  admission.leave(only);
  admission.release(only);
  assertEquals(decide("third", LATE + 500), "too many connections");
  assertEquals(decide("second", LATE + 500), "admit");
  assertEquals(decide("third", LATE + 2500), "admit", "second did not come back");
});

/** A generator that repeats itself from `seed`. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const GOOD: Behaviour = { client: "good", rate: 2_000_000, stayMs: Infinity, comesAt: 3000 };

/** What a crowd does with its connections: bytes a second, and how long it keeps them. */
const HABITS: readonly ((random: () => number) => Pick<Behaviour, "rate" | "stayMs">)[] = [
  () => ({ rate: 0, stayMs: Infinity }), // silent
  () => ({ rate: 2, stayMs: Infinity }), // asks for a size now and then
  () => ({ rate: 1500, stayMs: Infinity }), // reads as slowly as it can
  () => ({ rate: 3_000_000, stayMs: Infinity }), // greedy
  (random) => ({ rate: 0, stayMs: 50 + 3000 * random() }), // comes and goes
  (random) => ({ rate: 500_000, stayMs: 50 + 3000 * random() }), // small downloads
];

function madeUpCrowd(random: () => number): Crowd {
  const maxConnections = 4 + Math.floor(28 * random());
  const clientConnections = 1 + Math.floor(15 * random());
  const each = 1 + Math.floor(clientConnections * random());
  const clients = 1 + Math.floor(4 * maxConnections * random() / each);
  const habits = [HABITS, HABITS].map((all) => all[Math.floor(all.length * random())]!);
  const behaviours: Behaviour[] = [];
  for (let i = 0; i < clients; i++) {
    for (let j = 0; j < each; j++) {
      const habit = habits[i % habits.length]!(random);
      behaviours.push({ client: `client ${i}`, comesAt: 2000 * random(), ...habit });
    }
  }
  return new Crowd({ maxConnections, clientConnections }, [...behaviours, GOOD], random);
}

const CROWDS = 2000;
/** Mean pause between two connects of a client that is refused. */
const RETRY_MS = 750;

/** How often a client may be refused while all who came before it have their turn. */
function mostRefused({ clients: all, maxConnections }: Crowd): number {
  const clients = new Set(all.map(({ behaviour }) => behaviour.client)).size;
  const busy = all.slice(0, -1).some(({ behaviour }) => behaviour.rate > IDLE_BYTES / 8);
  const turnMs = busy ? BUSY_TENURE_MS : IDLE_TENURE_MS;
  return 5 + 2 * clients / maxConnections * turnMs / RETRY_MS;
}

test(`Admission gives a place to a good client in ${CROWDS} simulated crowds`, () => {
  for (let number = 0; number < CROWDS; number++) {
    const crowd = madeUpCrowd(dice(number)).run(40_000);
    const good = crowd.clients.at(-1)!;
    assert(good.placedMs > 0, `crowd ${number}: the good client had no place at all`);
    assert(
      good.mostRefused < mostRefused(crowd),
      `crowd ${number}: refused ${good.mostRefused} times`,
    );
    // Beside others that are as busy, the clients take turns of ten seconds.
    assert(good.evictions <= 5, `crowd ${number}: evicted ${good.evictions} times in 37 s`);
  }
});

/** Default limits, and a crowd of clients with so many connections each. */
function polite(clients: number, each: number): Crowd {
  const behaviours = Array.from({ length: clients * each }, (_, i) => ({
    client: `client ${i % clients}`,
    rate: 2,
    stayMs: Infinity,
    comesAt: 2000 * i / (clients * each),
  }));
  return new Crowd({ maxConnections: 256, clientConnections: 16 }, [...behaviours, GOOD], dice(1));
}

test("Admission does not lock a good client out when 16 addresses hold all places and make requests", () => {
  const good = polite(16, 16).run(20_000).clients.at(-1)!;
  assertEquals([good.tries, good.evictions], [1, 0], "admitted at once, for good");
});

test("Admission does not lock a good client out when 1,000 addresses come and make requests", () => {
  const good = polite(1000, 1).run(30_000).clients.at(-1)!;
  assert(good.tries <= 10, `admitted after ${good.tries} tries`);
  assertEquals(good.evictions, 0, "clients that do not use their place are evicted first");
});
