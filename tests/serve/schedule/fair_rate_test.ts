import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Clock } from "../../../core/base/clock.ts";
import { FairRate } from "../../../core/serve/schedule/fair_rate.ts";
import { ClientRateLimits } from "../../../core/serve/schedule/rate_limits.ts";
import { ManualClock } from "../../fakes/manual_clock.ts";
import { assertNear, jainOf, test } from "../support.ts";

const NEVER = new AbortController().signal;

/** Connections that send without a pause as soon as they may, and what their clients got. */
class Senders {
  readonly got = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[] = [];

  constructor(readonly wait: (client: string, signal: AbortSignal) => Promise<number>) {}

  start(client: string, connections = 1): void {
    this.got.set(client, 0);
    for (let i = 0; i < connections; i++) this.#loops.push(this.#send(client));
  }

  total(): number {
    return [...this.got.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#loops);
  }

  async #send(client: string): Promise<void> {
    for (;;) {
      const bytes = await this.wait(client, this.#stop.signal);
      this.got.set(client, this.got.get(client)! + bytes);
    }
  }
}

function sendersAt(rate: FairRate, most = Infinity): Senders {
  return new Senders(async (client, signal) => {
    const bytes = Math.min(rate.stepBytes, most);
    await rate.wait(client, bytes, signal);
    return bytes;
  });
}

for (const bytesPerSecond of [100, 10_240, 1_048_576, 1_073_741_824]) {
  for (const connections of [1, 16]) {
    test(`FairRate keeps ${bytesPerSecond} bytes a second on ${connections} connections, from the first second on`, async () => {
      const clock = new ManualClock(5000);
      const senders = sendersAt(new FairRate(clock, bytesPerSecond), 262_144);
      senders.start("a", connections);
      await clock.advance(200);
      assert(senders.total() <= 0.35 * bytesPerSecond + 1, `${senders.total()} in 200 ms`);
      await clock.advance(800);
      assert(senders.total() <= 1.15 * bytesPerSecond + 1, `${senders.total()} in 1 s`);
      await clock.advance(1000);
      const two = senders.total();
      assertNear(two / 2 / bytesPerSecond, 1, 0.08);
      await senders.stop();
      assertEquals(clock.pending, 0);
    });
  }
}

test("FairRate keeps its rate when timers are late", async () => {
  const clock = new ManualClock(5000);
  const late: Clock = {
    now: () => clock.now(),
    wallTime: () => clock.now(),
    sleep: (ms, signal) => clock.sleep(ms + 5, signal),
    after: (ms, run) => clock.after(ms + 5, run),
  };
  const senders = sendersAt(new FairRate(late, 10_000_000), 65_536);
  senders.start("a");
  await clock.advance(10_000);
  assertNear(senders.total() / 100_000_000, 1, 0.05);
  await senders.stop();
});

test("FairRate saves nothing up while nobody asks", async () => {
  const clock = new ManualClock(5000);
  const rate = new FairRate(clock, 1000);
  await rate.wait("a", 100, NEVER);
  await clock.advance(60_000);
  const senders = sendersAt(rate);
  senders.start("a");
  await clock.advance(1000);
  assert(senders.total() <= 1150, `${senders.total()}`);
  await senders.stop();
});

test("FairRate gives a client with sixteen connections no more than those with one", async () => {
  const clock = new ManualClock(5000);
  const senders = sendersAt(new FairRate(clock, 1_000_000));
  senders.start("greedy", 16);
  for (const client of ["b", "c", "d", "e", "f", "g", "h"]) senders.start(client);
  await clock.advance(10_000);
  assert(jainOf(senders.got.values()) >= 0.99, JSON.stringify([...senders.got]));
  await senders.stop();
});

test("FairRate counts bytes, not turns", async () => {
  const clock = new ManualClock(5000);
  const rate = new FairRate(clock, 1_000_000);
  const sizes: Record<string, number> = { small: 500, large: 20_000 };
  const senders = new Senders(async (client, signal) => {
    await rate.wait(client, sizes[client]!, signal);
    return sizes[client]!;
  });
  senders.start("small");
  senders.start("large");
  await clock.advance(10_000);
  assertNear(senders.got.get("small")! / senders.got.get("large")!, 1, 0.05);
  await senders.stop();
});

test("FairRate lets a newcomer in at once, and owes it nothing for the time before", async () => {
  const clock = new ManualClock(5000);
  const senders = sendersAt(new FairRate(clock, 1_000_000));
  senders.start("old", 4);
  await clock.advance(60_000);
  const before = senders.got.get("old")!;
  senders.start("new");
  await clock.advance(2000);
  const [old, young] = [senders.got.get("old")! - before, senders.got.get("new")!];
  assertNear(old / young, 1, 0.15);
  await senders.stop();
});

test("FairRate asks for shorter steps when many wait, so that nobody is silent for long", async () => {
  const clock = new ManualClock(5000);
  const rate = new FairRate(clock, 10_240);
  const senders = sendersAt(rate);
  const before = rate.stepBytes;
  for (let i = 0; i < 64; i++) senders.start(`client ${i}`);
  await clock.advance(2000);
  assert(rate.stepBytes < before / 32);
  for (const [client, bytes] of senders.got) assert(bytes > 0, client);
  await senders.stop();
});

test("FairRate.wait() throws the reason when the signal aborts, takes nothing and leaves no timer", async () => {
  const clock = new ManualClock(5000);
  const rate = new FairRate(clock, 1000);
  const leave = new AbortController();
  await rate.wait("a", 100, NEVER);
  const waiting = assertRejects(() => rate.wait("a", 50_000, leave.signal), Error, "enough");
  leave.abort(new Error("enough"));
  await waiting;
  assertEquals(clock.pending, 0);
  let turn = 0;
  rate.wait("a", 100, NEVER).then(() => turn = clock.now());
  await clock.advance(1000);
  assert(turn > 5000 && turn <= 5100, `${turn}`);
});

test("Rates keeps a rate for each client address, and one over all", async () => {
  const clock = new ManualClock(5000);
  const rates = new ClientRateLimits({ limit: 25_000, clientLimit: 10_000 }, clock);
  const senders = new Senders((client, signal) => rates.wait(client, 262_144, signal));
  senders.start("a", 16);
  senders.start("b");
  await clock.advance(10_000);
  assertNear(senders.got.get("a")! / 100_000, 1, 0.05);
  assertNear(senders.got.get("b")! / 100_000, 1, 0.05);
  for (const client of ["c", "d", "e"]) senders.start(client);
  const before = senders.total();
  await clock.advance(10_000);
  assertNear((senders.total() - before) / 250_000, 1, 0.05);
  assertNear(senders.got.get("c")! / senders.got.get("d")!, 1, 0.05);
  await senders.stop();
  assertEquals(clock.pending, 0);
});

test("Rates waits for nothing when there is no limit", async () => {
  const rates = new ClientRateLimits(
    { limit: undefined, clientLimit: undefined },
    new ManualClock(),
  );
  assertEquals(rates.limited, false);
  assertEquals(await rates.wait("a", 262_144, NEVER), 262_144);
});
