import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { ConnectionCount } from "../../core/source/connection_count.ts";
import { lineCapacity, type LinePlan } from "../sim/line.ts";
import { runLine } from "../sim/line_world.ts";

const MBIT = 125_000;
const LOSSY: LinePlan[] = [20, 100, 200].flatMap((roundTripMs) =>
  [0.001, 0.01].map((loss) => ({ roundTripMs, loss, rate: 200 * MBIT }))
);

/** Until sixteen flows are found. */
const SEARCH_ROUND_TRIPS = 15;
/** On a short line, trials last longer than their round trips. */
const MIN_SEARCH_MS = 1000;

for (const line of LOSSY) {
  const { roundTripMs, loss } = line;
  Deno.test(`ConnectionCount uses 0.9 of what sixteen flows carry, within ${SEARCH_ROUND_TRIPS} round trips of ${roundTripMs} ms with ${loss * 100} % loss`, () => {
    for (let dice = 1; dice <= 50; dice++) {
      const searchMs = Math.max(MIN_SEARCH_MS, SEARCH_ROUND_TRIPS * roundTripMs);
      const spanMs = 100 * roundTripMs;
      const before = runLine({ ...line, forMs: searchMs, dice });
      const after = runLine({ ...line, forMs: searchMs + spanMs, dice });
      const used = (after.bytes - before.bytes) / (lineCapacity(line, 16) * spanMs / 1000);
      assertGreater(used, 0.9, `dice ${dice}: ${used} with ${after.connections} connections`);
      assertLessOrEqual(after.most, 16);
    }
  });
}

for (const roundTripMs of [0.2, 1, 5]) {
  Deno.test(`ConnectionCount has at most four connections on a LAN with a round trip of ${roundTripMs} ms`, () => {
    for (const loss of [0, 0.0001]) {
      const end = runLine({ roundTripMs, loss, rate: 1000 * MBIT, forMs: 20_000 });
      assertLessOrEqual(end.most, 4);
      // One flow fills it at once, so the trial of a second one is given back.
      if (loss === 0 && roundTripMs <= 1) assertEquals(end.connections, 1);
    }
  });
}

Deno.test("ConnectionCount gives connections back that do not make a long line faster", () => {
  const end = runLine({ roundTripMs: 30, loss: 0, rate: 8 * MBIT, forMs: 20_000 });
  assertEquals(end.connections, 6);
  // Trials that failed.
  assertLessOrEqual(end.most, 12);
});

Deno.test("ConnectionCount tries again at growing intervals on a line that few connections fill", () => {
  const line = { roundTripMs: 50, loss: 0, rate: 8 * MBIT };
  const [minute, hour] = [60_000, 3_600_000].map((forMs) => runLine({ ...line, forMs }).closed);
  // Three doublings fail, and then one or two more each time, at intervals of up to ten minutes.
  assertLessOrEqual(minute!, 30);
  assertLessOrEqual(hour!, 50);
});

Deno.test("ConnectionCount opens more when a line begins to lose packets", () => {
  const clean = { roundTripMs: 50, loss: 0, rate: 100 * MBIT };
  const to = { ...clean, loss: 0.01 };
  const end = runLine({ ...clean, forMs: 300_000, changes: { atMs: 10_000, to } });
  assertGreater(end.connections, 12);
});

Deno.test("ConnectionCount ends its trials when the seed is busy, and keeps what it has", () => {
  const line = { ...LOSSY[3]!, maxConnections: 6 };
  const end = runLine({ ...line, forMs: 5000 });
  assertEquals(end.connections, 6);
  // Twice as many were tried once, and rejected.
  assertEquals(end.opened, 12);
});

for (const max of [1, 2, 3, 16]) {
  Deno.test(`ConnectionCount never has more than ${max} connections when that is the limit`, () => {
    for (const adapts of [true, false]) {
      for (const line of LOSSY) {
        const end = runLine({ ...line, max, adapts, forMs: 10_000 });
        assertLessOrEqual(end.most, max);
        if (!adapts) assertEquals(end.connections, max);
      }
    }
  });
}

Deno.test("ConnectionCount opens the number that it learned at once when connections were idle", () => {
  const count = new ConnectionCount({ max: 16, adapts: true });
  let now = 0;
  const send = (...events: Parameters<ConnectionCount["handle"]>[0][]) => {
    now += 10;
    return events.flatMap((event) => count.handle(event, now));
  };
  send({ kind: "opening" }, { kind: "opened" }, { kind: "roundTrip", ms: 100 });
  assertEquals(send({ kind: "waiting" }).length, 5);
  for (let i = 0; i < 5; i++) send({ kind: "opened" });
  for (let i = 0; i < 6; i++) send({ kind: "closed", commanded: false });
  assertEquals(count.total, 0);
  assertEquals(send({ kind: "waiting" }), Array(6).fill({ kind: "open" }));
});

Deno.test("ConnectionCount opens nothing while no request waits", () => {
  const count = new ConnectionCount({ max: 16, adapts: true });
  let commands = 0;
  for (const kind of ["opening", "opened"] as const) commands += count.handle({ kind }, 0).length;
  commands += count.handle({ kind: "roundTrip", ms: 100 }, 0).length;
  for (let now = 0; now < 60_000; now += 100) {
    commands += count.handle({ kind: "received", bytes: 10_000 }, now).length;
  }
  assert(commands === 0);
});
