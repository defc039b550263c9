import { assert, assertEquals } from "@std/assert";
import { FairQueue, type FairQueueOptions, Flow } from "../../../core/serve/schedule/fair_queue.ts";
import { assertNear, jainOf } from "../support.ts";
import { test } from "../../support/test.ts";

const KIB = 1024;
const STEP = 256 * KIB;
const UNLIMITED = { slots: 32, limit: undefined, clientLimit: undefined };

/** A fair queue and the flows of some clients, in a time that the test moves. */
class QueueFixture {
  readonly queue: FairQueue;
  /** Bytes granted, by client. */
  readonly granted = new Map<string, number>();
  /** The clients of all grants, in order. */
  order = "";
  now = 1000;

  constructor(options: Partial<FairQueueOptions> = {}) {
    this.queue = new FairQueue({ ...UNLIMITED, ...options });
  }

  request(flow: Flow, maxBytes = STEP): void {
    this.#note(this.queue.request(flow, maxBytes, this.now));
  }

  /** New flows of a client that all want to send. */
  flows(client: string, count = 1, maxBytes = STEP): Flow[] {
    const flows = Array.from({ length: count }, () => new Flow(client));
    for (const flow of flows) this.request(flow, maxBytes);
    return flows;
  }

  release(flow: Flow): void {
    this.#note(this.queue.release(flow, this.now));
  }

  /** Flows that hold a slot request their next step, which takes no time; then time passes. */
  run(flows: readonly Flow[], ms: number, maxBytes = STEP): void {
    for (const until = this.now + ms; this.now < until; this.now++) {
      for (const flow of flows) if (flow.holdsSlot) this.request(flow, maxBytes);
      this.#note(this.queue.advance(this.now));
    }
  }

  bytesOf(client: string): number {
    return this.granted.get(client) ?? 0;
  }

  #note(grants: readonly { flow: Flow; bytes: number }[]): void {
    for (const { flow: { client }, bytes } of grants) {
      this.order += client;
      this.granted.set(client, this.bytesOf(client) + bytes);
    }
  }
}

function holdersOf(flows: readonly Flow[]): number {
  return flows.filter(({ holdsSlot }) => holdsSlot).length;
}

const orders = [
  { name: "one client alone", slots: 1, asks: "aaa", want: "aaa" },
  { name: "two clients", slots: 1, asks: "aaaabb", want: "ababaa" },
  { name: "three clients", slots: 1, asks: "aaabbbccc", want: "abcabcabc" },
];
for (const { name, slots, asks, want } of orders) {
  test(`FairQueue serves clients in turn: ${name}`, () => {
    const fixture = new QueueFixture({ slots });
    const flows = Array.from(asks, (client) => new Flow(client));
    for (const flow of flows) fixture.request(flow);
    while (fixture.queue.taken > 0) fixture.release(flows.find(({ holdsSlot }) => holdsSlot)!);
    assertEquals(fixture.order, want);
  });
}

test("FairQueue shares a slot by bytes, not by steps", () => {
  const fixture = new QueueFixture({ slots: 1 });
  const [small] = fixture.flows("s", 1, 16 * KIB);
  const [large] = fixture.flows("l");
  for (let i = 0; i < 2000; i++) {
    if (small!.holdsSlot) fixture.request(small!, 16 * KIB);
    else fixture.request(large!);
  }
  assertNear(fixture.bytesOf("s") / fixture.bytesOf("l"), 1, 0.02);
});

test("FairQueue gives a client alone as many slots as it wants", () => {
  assertEquals(holdersOf(new QueueFixture().flows("a", 16)), 16);
});

test("FairQueue gives a client no more slots than the one that wants the fewest, though slots are free", () => {
  const fixture = new QueueFixture();
  const [modest] = fixture.flows("a");
  const greedy = fixture.flows("b", 16);
  assertEquals(holdersOf(greedy), 1);
  for (let i = 0; i < 100; i++) {
    fixture.request(modest!);
    fixture.request(greedy.find(({ holdsSlot }) => holdsSlot)!);
    assertEquals(holdersOf(greedy), 1);
  }
  assertNear(fixture.bytesOf("a") / fixture.bytesOf("b"), 1, 0.02);
});

test("FairQueue takes slots back from a client as soon as another one becomes active", () => {
  const fixture = new QueueFixture();
  const greedy = fixture.flows("a", 16);
  const [other] = fixture.flows("b");
  assert(other!.holdsSlot);
  for (const flow of greedy) fixture.request(flow);
  assertEquals(holdersOf(greedy), 1);
});

test("FairQueue keeps a client's share between two of its bodies, and no longer", () => {
  const fixture = new QueueFixture();
  const [flow] = fixture.flows("a");
  fixture.release(flow!);
  const greedy = fixture.flows("b", 16);
  assertEquals(holdersOf(greedy), 1);
  fixture.run([], 51);
  assertEquals(holdersOf(greedy), 16);
});

test("FairQueue lends the slot of a stalled flow to one that waits", () => {
  const fixture = new QueueFixture({ slots: 1 });
  const [stalled] = fixture.flows("a");
  const [waiting] = fixture.flows("b");
  fixture.run([], 250);
  assertEquals([stalled!.holdsSlot, waiting!.holdsSlot], [true, false]);
  fixture.run([], 1);
  assertEquals([stalled!.holdsSlot, waiting!.holdsSlot], [false, true]);
  fixture.request(stalled!);
  assertEquals([stalled!.holdsSlot, fixture.queue.taken], [false, 1]);
  fixture.release(waiting!);
  assertEquals(stalled!.holdsSlot, true);
});

test("FairQueue lets a flow that makes steps keep its slot for a turn, while only others of its client wait", () => {
  const fixture = new QueueFixture({ slots: 1 });
  const flows = fixture.flows("a", 4);
  for (let ms = 0; ms < 199; ms++) {
    fixture.run(flows, 1);
    assert(flows[0]!.holdsSlot, `after ${ms} ms`);
  }
  fixture.run(flows, 2);
  assert(flows[1]!.holdsSlot);
});

test("FairQueue makes turns shorter, so that each of a hundred connections has one in 2.5 s", () => {
  const fixture = new QueueFixture({ slots: 1 });
  const flows = fixture.flows("a", 100);
  const served = new Set<Flow>();
  for (let ms = 0; ms < 2600; ms++) {
    fixture.run(flows, 1);
    for (const flow of flows) if (flow.holdsSlot) served.add(flow);
  }
  assertEquals(served.size, 100);
});

test("FairQueue forgets a flow that gives up, and its slot goes on", () => {
  const fixture = new QueueFixture({ slots: 1 });
  const [first, second, third] = ["a", "b", "c"].map((client) => fixture.flows(client)[0]!);
  fixture.release(second!);
  assertEquals(fixture.queue.waiting, 1);
  fixture.release(first!);
  fixture.release(first!);
  assertEquals([third!.holdsSlot, fixture.queue.taken, fixture.queue.waiting], [true, 1, 0]);
});

for (const limit of [100, 10_240, 1_048_576, 1_073_741_824]) {
  for (const connections of [1, 16]) {
    test(`FairQueue keeps ${limit} bytes a second on ${connections} connections from the first second on`, () => {
      const fixture = new QueueFixture({ limit });
      const flows = fixture.flows("a", connections);
      fixture.run(flows, 200);
      assert(fixture.bytesOf("a") <= 0.35 * limit + 1, `${fixture.bytesOf("a")} in 200 ms`);
      fixture.run(flows, 800);
      assert(fixture.bytesOf("a") <= 1.15 * limit + 1, `${fixture.bytesOf("a")} in 1 s`);
      fixture.run(flows, 1000);
      // The test grants at most one step in a millisecond.
      const most = Math.min(limit, connections * STEP * 1000);
      assertNear(fixture.bytesOf("a") / 2 / most, 1, 0.08);
    });
  }
}

test("FairQueue saves nothing up while no flow waits", () => {
  const fixture = new QueueFixture({ limit: 1000 });
  const flows = fixture.flows("a");
  fixture.run([], 60_000);
  const before = fixture.bytesOf("a");
  fixture.run(flows, 1000);
  assert(fixture.bytesOf("a") - before <= 1150, `${fixture.bytesOf("a") - before}`);
});

test("FairQueue gives a client with sixteen connections no more of a limit than those with one", () => {
  const fixture = new QueueFixture({ limit: 1_000_000 });
  const flows = fixture.flows("a", 16);
  for (const client of "bcdefgh") flows.push(...fixture.flows(client));
  fixture.run(flows, 10_000);
  assert(jainOf(fixture.granted.values()) >= 0.99, JSON.stringify([...fixture.granted]));
});

test("FairQueue serves a newcomer at once, and owes it nothing for the time before", () => {
  const fixture = new QueueFixture({ limit: 1_000_000 });
  const flows = fixture.flows("a", 4);
  fixture.run(flows, 60_000);
  const before = fixture.bytesOf("a");
  flows.push(...fixture.flows("b"));
  fixture.run(flows, 100);
  assert(fixture.bytesOf("b") > 0);
  fixture.run(flows, 1900);
  assertNear((fixture.bytesOf("a") - before) / fixture.bytesOf("b"), 1, 0.15);
});

test("FairQueue makes shorter steps under a limit when many wait, so that each client sends soon", () => {
  const fixture = new QueueFixture({ limit: 10_240 });
  const flows = Array.from({ length: 64 }, (_, i) => fixture.flows(`client ${i}`)[0]!);
  fixture.run(flows, 2000);
  for (let i = 0; i < 64; i++) assert(fixture.bytesOf(`client ${i}`) > 0, `client ${i}`);
});

test("FairQueue keeps a limit for each client, and one for all", () => {
  const fixture = new QueueFixture({ limit: 25_000, clientLimit: 10_000 });
  const flows = [...fixture.flows("a", 16), ...fixture.flows("b")];
  fixture.run(flows, 10_000);
  for (const client of "ab") assertNear(fixture.bytesOf(client) / 100_000, 1, 0.05);
  const before = fixture.bytesOf("a") + fixture.bytesOf("b");
  for (const client of "cde") flows.push(...fixture.flows(client));
  fixture.run(flows, 10_000);
  const total = [...fixture.granted.values()].reduce((sum, bytes) => sum + bytes, 0);
  assertNear((total - before) / 250_000, 1, 0.05);
  assertNear(fixture.bytesOf("c") / fixture.bytesOf("d"), 1, 0.05);
});

test("FairQueue does not let a client that waits for its own limit hold up others", () => {
  const fixture = new QueueFixture({ slots: 1, limit: 100_000, clientLimit: 10_000 });
  const flows = [...fixture.flows("a", 30), ...fixture.flows("b")];
  fixture.run(flows, 1000);
  assert(fixture.bytesOf("a") <= 11_500, `${fixture.bytesOf("a")}`);
  assert(fixture.bytesOf("b") >= 8500, `${fixture.bytesOf("b")}`);
});

test("FairQueue remembers what a client has sent under its limit, however many others come", () => {
  const fixture = new QueueFixture({ clientLimit: 10_000 });
  fixture.release(fixture.flows("a")[0]!);
  for (let i = 0; i < 500; i++) fixture.release(fixture.flows(`other ${i}`)[0]!);
  const before = fixture.bytesOf("a");
  fixture.flows("a");
  assertEquals(fixture.bytesOf("a"), before);
});

test("FairQueue counts requests without a body: a client that floods them sends less", () => {
  const fixture = new QueueFixture({ slots: 1 });
  const flows = [...fixture.flows("f"), ...fixture.flows("g")];
  for (let i = 0; i < 200; i++) {
    for (let requests = 0; requests < 32; requests++) {
      fixture.queue.startRequest("f", false, () => {}, fixture.now);
      fixture.queue.nextRound();
    }
    fixture.request(flows.find(({ holdsSlot }) => holdsSlot)!);
  }
  const [flood, good] = [fixture.bytesOf("f"), fixture.bytesOf("g")];
  assert(good > 1.4 * flood && flood > 0, JSON.stringify([...fixture.granted]));
});
