import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "@std/assert";
import { runWorld } from "../sim/world.ts";
import type { Habits } from "../sim/sim_seed.ts";
import { DownloadMachine } from "../../core/plan/download_machine.ts";
import type { DownloadCommand, DownloadEvent } from "../../core/plan/messages.ts";
import { faultsOfWorld } from "../sim/random_world.ts";
import type { DownloadPlan } from "../sim/sim_download.ts";

const MIB = 1024 * 1024;
const SIZE = 200 * MIB;

function seed(name: string, mibPerSecond: number, more: Partial<Habits> = {}): Habits {
  return { name, rate: mibPerSecond * MIB, latencyMs: 5, ...more };
}

/** One download in a world of its own. */
function run(plan: DownloadPlan, ...seeds: Habits[]) {
  const { downloads: [end], sent } = runWorld({ downloads: [plan], seeds });
  return { ...end!, sent };
}

function msOf(...seeds: Habits[]): number {
  const end = run({ size: SIZE }, ...seeds);
  assertEquals(end.how, "complete");
  assertEquals(end.faults, []);
  return end.ms;
}

/** 1 when all have the same, 1/n when one has all (Jain, Chiu and Hawe, 1984). */
function jain(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return sum * sum / (shares.length * squares);
}

Deno.test("DownloadMachine shares seeds within Jain 0.95 when four equal tasks run", () => {
  const downloads = Array.from({ length: 4 }, () => ({ size: SIZE }));
  const { downloads: ends } = runWorld({
    downloads,
    seeds: [seed("a", 20), seed("b", 20), seed("c", 5)],
  });
  assert(jain(ends.map(({ ms }) => SIZE / ms)) >= 0.95);
});

Deno.test("DownloadMachine goes on unharmed when another task on the same seeds is cancelled", () => {
  const downloads = [{ size: SIZE }, { size: SIZE, cancelMs: 3000 }];
  const { downloads: [kept, cancelled] } = runWorld({ downloads, seeds: [seed("a", 20)] });
  assertEquals([kept!.how, cancelled!.how], ["complete", "cancelled"]);
  assertLess(kept!.ms, msOf(seed("a", 20)) + 3000);
});

Deno.test("DownloadMachine needs at most 0.37 of the time when there are three equal seeds instead of one", () => {
  const one = msOf(seed("a", 20));
  const three = msOf(seed("a", 20), seed("b", 20), seed("c", 20));
  assertLessOrEqual(three / one, 0.37);
});

for (const slow of [0.001, 0.02, 0.5, 2]) {
  Deno.test(`DownloadMachine loses at most 5 % when a seed of ${slow} MiB/s joins two fast ones`, () => {
    const without = msOf(seed("a", 20), seed("b", 20));
    const together = msOf(seed("a", 20), seed("b", 20), seed("slow", slow));
    assertLessOrEqual(together / without, 1.05);
  });
}

const MBIT = 125_000;
const LINES = [20, 100, 200, 600].flatMap((roundTripMs) =>
  [100, 1000].map((mbits) => ({ roundTripMs, mbits }))
);
for (const { roundTripMs, mbits } of LINES) {
  Deno.test(`DownloadMachine uses 0.9 of a line of ${mbits} Mbit/s with a round trip of ${roundTripMs} ms within 16 round trips`, () => {
    const rate = mbits * MBIT;
    const long = { name: "a", rate, roundTripMs, connections: 4 };
    // Three round trips of data and a piece for each connection fit into it.
    const maxInFlight = Math.ceil(3 * Math.max(0.5, roundTripMs / 1000) * rate / MIB) + 8;
    const size = 20 * Math.ceil(rate / MIB) * MIB;
    const end = run({ size, maxInFlight }, long);
    assertEquals([end.how, end.faults, end.twice], ["complete", [], 0]);
    assertLess(end.ms, size / rate / 0.9 * 1000 + 16 * roundTripMs);
  });
}

for (const pieceMib of [8, 16, 32]) {
  Deno.test(`DownloadMachine keeps a long line full with pieces of ${pieceMib} MiB`, () => {
    const rate = 200 * MBIT;
    const long = { name: "a", rate, roundTripMs: 200, connections: 8 };
    const maxInFlight = Math.max(2, Math.floor(48 / pieceMib));
    const size = 64 * pieceMib * MIB;
    const end = run({ size, pieceSize: pieceMib * MIB, maxInFlight }, long);
    assertEquals([end.how, end.faults], ["complete", []]);
    assertLess(end.ms, size / rate / 0.9 * 1000);
  });
}

Deno.test("DownloadMachine reports that memory is the limit, and only then", () => {
  for (
    const { maxInFlight, bound } of [{ maxInFlight: 4, bound: true }, {
      maxInFlight: 40,
      bound: false,
    }]
  ) {
    const fixture = new TransferFixture(["a"], { pieces: 100, maxInFlight, connections: 8 });
    fixture.brings(0, 400);
    const lines = fixture.machine.lines(fixture.now);
    assertEquals(lines.map(({ source, memoryBound }) => [source, memoryBound]), [["a", bound]]);
  }
});

Deno.test("DownloadMachine requests more when other tasks leave memory to it, and less when they need it", () => {
  const fixture = new TransferFixture(["a"], { pieces: 100, maxInFlight: 4, connections: 8 });
  const requests = () => fixture.kinds.filter((kind) => kind === "request").length;
  assertEquals(requests(), 4);
  fixture.send(10, { kind: "budget", maxInFlight: 9 });
  assertEquals(requests(), 5);
  fixture.send(10, { kind: "budget", maxInFlight: 8 });
  fixture.brings(0, 10);
  assertEquals(requests(), 0);
});

Deno.test("DownloadMachine divides a line within Jain 0.95 among four tasks that share its memory", () => {
  const downloads = Array.from({ length: 4 }, () => ({ size: SIZE, maxInFlight: 12 }));
  const long = { name: "a", rate: 20 * MIB, roundTripMs: 100, connections: 16 };
  const { downloads: ends } = runWorld({ downloads, seeds: [long] });
  assert(jain(ends.map(({ ms }) => SIZE / ms)) >= 0.95);
});

const survivable: { name: string; seeds: Habits[]; withinMs: number }[] = [
  {
    name: "a seed dies half way",
    seeds: [seed("a", 20), seed("b", 20, { away: [{ fromMs: 2500, toMs: Infinity }] })],
    withinMs: 8500,
  },
  {
    name: "a seed goes silent",
    seeds: [seed("a", 20), seed("b", 20, { silentFromMs: 2500 })],
    withinMs: 13_000,
  },
  {
    name: "a seed always lies",
    seeds: [seed("a", 20), seed("b", 20, { lies: 1 })],
    withinMs: 10_500,
  },
  {
    name: "the only seed is away for a while",
    seeds: [seed("a", 20, { away: [{ fromMs: 3000, toMs: 6000 }] })],
    withinMs: 24_000,
  },
  {
    name: "every seed is busy half of the time",
    seeds: [seed("a", 20, { busy: 0.5 }), seed("b", 20, { busy: 0.5 })],
    withinMs: 200_000,
  },
];
for (const { name, seeds, withinMs } of survivable) {
  Deno.test(`DownloadMachine completes when ${name}`, () => assertLess(msOf(...seeds), withinMs));
}

const crowded: { name: string; seeds: Habits[] }[] = [
  {
    name: "they were there before it",
    seeds: [seed("a", 1e-5), seed("b", 4e-5), seed("good", 20, { late: true })],
  },
  {
    name: "they were fast at first",
    seeds: [
      seed("a", 20, { turns: [{ atMs: 1000, factor: 1e-6 }] }),
      seed("b", 20, { turns: [{ atMs: 1000, factor: 1e-6 }] }),
      seed("good", 20, { away: [{ fromMs: 500, toMs: 2000 }] }),
    ],
  },
];
for (const { name, seeds } of crowded) {
  for (const maxInFlight of [2, 4]) {
    Deno.test(`DownloadMachine does not let seeds that dribble hold all of ${maxInFlight} pieces in flight when ${name}`, () => {
      const end = run({ size: SIZE, maxInFlight }, ...seeds);
      assertEquals([end.how, end.faults], ["complete", []]);
      // 10 s of the good one's time, and what it takes to see that the others crawl.
      assertLess(end.ms, 25_000);
    });
  }
}

Deno.test("DownloadMachine stops asking a seed after its third wrong piece", () => {
  const end = run({ size: SIZE }, seed("a", 20), seed("liar", 20, { lies: 1 }));
  // Two more may be under way when the third one is found out.
  assertLessOrEqual(end.sent["liar"]!, 5 * MIB);
});

Deno.test("DownloadMachine gives up when the only seed always lies", () => {
  assertEquals(run({ size: SIZE }, seed("liar", 20, { lies: 1 })).how, "give-up");
});

Deno.test("DownloadMachine gives up after giveUpMs when the only seed is gone for good", () => {
  const gone = seed("a", 20, { away: [{ fromMs: 1000, toMs: Infinity }] });
  const end = run({ size: SIZE, giveUpMs: 30_000 }, gone);
  assertEquals(end.how, "give-up");
  assert(end.ms >= 30_000 && end.ms < 32_000, `gave up after ${end.ms} ms`);
});

Deno.test("DownloadMachine completes, and fetches nothing twice, when every connection breaks after 100,000 bytes", () => {
  const end = run({ size: 6 * MIB }, seed("a", 20, { breaksAfter: 100_000 }));
  assertEquals([end.how, end.faults, end.twice], ["complete", [], 0]);
  // 62 new connections, each after a pause of at most half a second.
  assertLess(end.ms, 62 * 500 + 2000);
});

Deno.test("DownloadMachine completes when a seed that lies and breaks off shares every piece with an honest one", () => {
  const liar = seed("liar", 20, { lies: 1, breaksAfter: 100_000 });
  const end = run({ size: 20 * MIB }, liar, seed("a", 20, { breaksAfter: 600_000 }));
  assertEquals([end.how, end.faults], ["complete", []]);
  // The third wrong piece is its last one.
  assertLess(end.sent["liar"]!, 3 * MIB);
});

Deno.test("DownloadMachine gives up when its only seed sends a byte each 3 s", () => {
  const end = run({ size: MIB, giveUpMs: 6000 }, { name: "a", rate: 1 / 3 });
  assertEquals(end.how, "give-up");
  assertLess(end.ms, 7000);
});

Deno.test("DownloadMachine does not give up on a third of a line of 1 KiB a second", () => {
  assertEquals(run({ size: 200_000 }, { name: "a", rate: 1024 / 3 }).how, "complete");
});

Deno.test("DownloadMachine gives up when a seed sends the same bytes again and again", () => {
  const fixture = new TransferFixture(["a"], { pieces: 1 });
  for (let request = 0; fixture.kinds.at(-1) !== "fail" && fixture.now < HOUR_MS;) {
    for (const action of fixture.commands) if (action.kind === "request") request = action.request;
    fixture.send(1000, { kind: "received", request, bytes: 500_000 });
    // Nothing of it is kept.
    fixture.send(0, { kind: "failed", request, failure: lost, kept: 0 });
    while (!fixture.kinds.includes("request") && fixture.kinds.at(-1) !== "fail") {
      if (fixture.kinds.includes("probe")) {
        fixture.send(1, { kind: "answered", source: "a", answer: HOLDS });
      } else fixture.wakes();
    }
  }
  assertEquals(fixture.kinds.at(-1), "fail");
  assertLess(fixture.now, 70_000);
});

Deno.test("DownloadMachine asks less than 2 % twice when seeds differ tenfold", () => {
  const end = run({ size: SIZE }, seed("a", 20), seed("b", 2), seed("c", 0.2));
  assertLess(end.twice, 0.02 * SIZE + MIB);
});

Deno.test("DownloadMachine completes at once when nothing is missing", () => {
  assertEquals(run({ size: 0 }, seed("a", 20)).how, "complete");
});

/** Every source's answer to a probe: the size does not matter once the content is chosen. */
const HOLDS = { kind: "manifest", id: "a", size: MIB, sha256: "a" } as const;

/** A machine in the transfer of some pieces, driven event by event. */
class TransferFixture {
  readonly machine: DownloadMachine;
  now = 0;
  commands: DownloadCommand[];

  constructor(
    sources: string[],
    { pieces = 12, maxInFlight = 16, connections = 1, giveUpMs = 60_000 } = {},
  ) {
    this.machine = new DownloadMachine({
      sources: sources.map((id) => ({ id, troubled: false, known: true })),
      wanted: { id: undefined, sha256: undefined },
      requireVerified: false,
      giveUpMs,
      stallMs: 5000,
      minBytesPerSecond: 128,
      random: () => 0.5,
    }, 0);
    this.machine.start(0);
    const size = pieces * MIB;
    const answer = { kind: "manifest", id: "a", size, sha256: "a" } as const;
    for (const source of sources) this.machine.handle({ kind: "answered", source, answer }, 0);
    for (const source of sources) {
      this.machine.handle({ kind: "measured", source, roundTripMs: 100, connections }, 0);
    }
    this.commands = this.machine.handle({
      kind: "opened",
      layout: { size, pieceSize: MIB, count: pieces },
      missing: Array.from({ length: pieces }, (_, piece) => piece),
      maxInFlight,
    }, 0);
  }

  get kinds(): string[] {
    return this.commands.map(({ kind }) => kind);
  }

  get wakeAtMs(): number {
    return this.commands.flatMap((action) => action.kind === "setTimer" ? [action.atMs] : [])[0]!;
  }

  /** So long after the last time. */
  send(afterMs: number, event: DownloadEvent): this {
    this.now += afterMs;
    this.commands = this.machine.handle(event, this.now);
    return this;
  }

  /** The piece of an request comes evenly, and is stored. */
  brings(request: number, ms: number): this {
    for (let part = 0; part < 16; part++) {
      this.send(ms / 16, { kind: "received", request, bytes: MIB / 16 });
    }
    return this.send(0, { kind: "stored", request });
  }

  /** So long after it was to be. */
  wakes(lateMs = 0): this {
    return this.send(this.wakeAtMs + lateMs - this.now, { kind: "timer" });
  }
}

const lost = { kind: "lost", reason: "the connection is gone" } as const;
const HOUR_MS = 3_600_000;

Deno.test("DownloadMachine gives up after giveUpMs when a seed that holds the content stays silent", () => {
  const fixture = new TransferFixture(["a"]);
  assertEquals([fixture.kinds.at(-1), fixture.wakeAtMs], ["setTimer", 60_000]);
  assertEquals(fixture.wakes().kinds, ["setAside", "fail"]);
});

Deno.test("DownloadMachine does not give up while the task rests, however long", () => {
  const fixture = new TransferFixture(["a"]);
  fixture.send(50_000, { kind: "resting" });
  for (let turn = 0; turn < 20; turn++) {
    fixture.send(10_000, { kind: "timer" });
    assertEquals(fixture.kinds, ["setTimer"]);
  }
});

Deno.test("DownloadMachine counts the silence on when a seed holds the content after a rest", () => {
  const fixture = new TransferFixture(["a"]);
  fixture.send(50_000, { kind: "resting" });
  fixture.send(1000, { kind: "resting" });
  fixture.send(HOUR_MS, { kind: "answered", source: "a", answer: HOLDS });
  assertEquals(fixture.wakeAtMs - fixture.now, 10_000);
  assertEquals(fixture.wakes().kinds, ["setAside", "fail"]);
});

Deno.test("DownloadMachine counts no silence after a rest when bytes come", () => {
  const fixture = new TransferFixture(["a"]);
  fixture.send(50_000, { kind: "resting" });
  fixture.send(1000, { kind: "answered", source: "a", answer: HOLDS });
  fixture.send(5000, { kind: "received", request: 0, bytes: 64 * 1024 });
  fixture.send(0, { kind: "timer" });
  assertEquals(fixture.wakeAtMs - fixture.now, 60_000);
});

Deno.test("DownloadMachine goes on when the machine slept for longer than giveUpMs", () => {
  const fixture = new TransferFixture(["a"]).wakes(HOUR_MS);
  assertEquals([fixture.kinds, fixture.wakeAtMs - fixture.now], [["setTimer"], 60_000]);
  assertEquals(fixture.wakes().kinds, ["setAside", "fail"]);
});

Deno.test("DownloadMachine goes on when what it hears first after a long sleep is that a connection was lost", () => {
  const fixture = new TransferFixture(["a"]).send(HOUR_MS, {
    kind: "failed",
    request: 0,
    failure: lost,
  });
  assertEquals(fixture.kinds, ["report", "setTimer"]);
  assertEquals(fixture.wakes().kinds, ["probe", "setTimer"]);
});

Deno.test("DownloadMachine counts a long sleep once when bytes come behind it", () => {
  const fixture = new TransferFixture(["a"]).send(HOUR_MS, {
    kind: "received",
    request: 0,
    bytes: 1,
  });
  fixture.send(1000, { kind: "failed", request: 0, failure: lost });
  // The last byte came a second ago.
  const giveUpAt = fixture.now - 1000 + 60_000;
  while (fixture.kinds.at(-1) === "setTimer" && fixture.now < 2 * HOUR_MS) fixture.wakes();
  assertEquals([fixture.kinds.at(-1), fixture.now], ["fail", giveUpAt]);
});

for (
  const { connections, inFlight } of [{ connections: 1, inFlight: 4 }, {
    connections: 12,
    inFlight: 15,
  }]
) {
  Deno.test(`DownloadMachine never has fewer than ${inFlight} pieces in flight to a slow seed that is alone and has ${connections} connections`, () => {
    const fixture = new TransferFixture(["a"], { pieces: 60, maxInFlight: 40, connections });
    const requested = () => fixture.kinds.filter((kind) => kind === "request").length;
    let flying = requested();
    assertEquals(flying, inFlight);
    for (let request = 0; request < 8; request++) {
      fixture.brings(request, 3000);
      flying += requested() - 1;
      assertGreaterOrEqual(flying, inFlight);
      // 4 MiB, doubled with the first bytes, and a piece for each further connection.
      assertLessOrEqual(flying, 8 + connections - 1);
    }
  });
}

Deno.test("DownloadMachine asks a slow seed for a short window when a fast one would have to wait for it", () => {
  const fixture = new TransferFixture(["slow", "fast"], { pieces: 8, maxInFlight: 32 });
  const [slow, fast] = ["slow", "fast"].map((seed) => {
    return fixture.commands.find((action) => action.kind === "request" && action.source === seed);
  });
  assert(slow?.kind === "request" && fast?.kind === "request");
  fixture.brings(fast.request, 100).brings(slow.request, 3000);
  const asked = fixture.commands.filter((action) =>
    action.kind === "request" && action.source === "slow"
  );
  assertLessOrEqual(asked.length, 1);
});

Deno.test("DownloadMachine asks a second seed for a small file only when the first one has had the time to answer", () => {
  const fixture = new TransferFixture(["a", "b"], { pieces: 1 });
  assertEquals(fixture.kinds, ["request", "setTimer"]);
  assertEquals(fixture.wakes().kinds, ["request", "setTimer"]);
});

Deno.test("DownloadMachine takes nothing back from who was only just asked when no more may be in flight", () => {
  const fixture = new TransferFixture(["a", "b", "c"], { maxInFlight: 3 });
  assertEquals(fixture.kinds, ["request", "request", "request", "setTimer"]);
  while (fixture.wakeAtMs < 5000) assertEquals(fixture.wakes().kinds, ["setTimer"]);
});

const worlds = Number(Deno.env.get("P2P_WORLDS") ?? 1000);
Deno.test(`DownloadMachine keeps its rules in ${worlds} simulated worlds`, () => {
  for (let world = 0; world < worlds; world++) {
    assertEquals(faultsOfWorld(world), [], `world ${world}: deno task simulate 1 ${world}`);
  }
});

Deno.test("DownloadMachine requests no piece again when a source is blamed just before that piece is stored", () => {
  const fixture = new TransferFixture(["a", "b"], { pieces: 1 });
  const [first] = fixture.commands;
  assert(first?.kind === "request");
  const other = first.source === "a" ? "b" : "a";
  const { request } = first;
  const doubtful = { kind: "doubtful", reason: "wrong digest" } as const;
  fixture.send(10, { kind: "failed", request, failure: doubtful });
  const again = fixture.commands.find((command) => command.kind === "request");
  assert(again?.kind === "request");
  // Another source may be asked for it: not between these two events.
  fixture.send(10, { kind: "blamed", source: other, reason: "wrong bytes" });
  assertEquals(fixture.kinds, ["report"]);
  fixture.send(0, { kind: "stored", request: again.request });
  assertEquals(fixture.kinds, ["finish"]);
});
