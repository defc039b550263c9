import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClientRateLimits } from "../../../core/serve/schedule/rate_limits.ts";
import { ManualClock } from "../../fakes/manual_clock.ts";
import { test } from "../support.ts";

const NEVER = new AbortController().signal;
const MOST = 262_144;

/** What was allowed by now, by client. */
class Sent {
  readonly bytes = new Map<string, number>();

  constructor(readonly rates: ClientRateLimits) {}

  /** Asks so often, one ask after the other. */
  async ask(client: string, times: number, most = MOST): Promise<void> {
    for (let i = 0; i < times; i++) {
      const bytes = await this.rates.wait(client, most, NEVER);
      this.bytes.set(client, this.of(client) + bytes);
    }
  }

  of(client: string): number {
    return this.bytes.get(client) ?? 0;
  }
}

const limits = [
  { limit: undefined, clientLimit: undefined, limited: false },
  { limit: 1000, clientLimit: undefined, limited: true },
  { limit: undefined, clientLimit: 1000, limited: true },
  { limit: 1000, clientLimit: 1000, limited: true },
];
for (const { limited, ...each } of limits) {
  test(`Rates says ${limited} to whether ${JSON.stringify(each)} is a limit`, () => {
    assertEquals(new ClientRateLimits(each, new ManualClock()).limited, limited);
  });
}

for (const { limit, clientLimit } of limits.slice(1)) {
  test(`Rates.wait() gives no more than was asked for, and at least a byte, under ${limit} and ${clientLimit}`, async () => {
    const clock = new ManualClock(5000);
    const rates = new ClientRateLimits({ limit, clientLimit }, clock);
    for (const most of [1, 7, MOST]) {
      const waiting = rates.wait("a", most, NEVER);
      await clock.advance(1000);
      const bytes = await waiting;
      assert(bytes >= 1 && bytes <= most, `${bytes} of ${most}`);
      // A step is short: nobody is silent for long.
      assert(bytes <= 100, `${bytes}`);
    }
    assertEquals(clock.pending, 0);
  });
}

test("Rates.wait() keeps nobody in the line of all who waits for its own rate", async () => {
  const clock = new ManualClock(5000);
  const sent = new Sent(new ClientRateLimits({ limit: 100_000, clientLimit: 10_000 }, clock));
  const greedy = Array.from({ length: 30 }, () => sent.ask("greedy", 4));
  const modest = sent.ask("modest", 9);
  await clock.advance(1000);
  assert(sent.of("greedy") <= 11_500, `${sent.of("greedy")}`);
  assert(sent.of("modest") >= 8500, `${sent.of("modest")}`);
  await clock.advance(600_000);
  await Promise.all([...greedy, modest]);
  assertEquals(clock.pending, 0);
});

test("Rates remembers a client that has had its share, however many others come", async () => {
  const clock = new ManualClock(5000);
  const sent = new Sent(new ClientRateLimits({ limit: undefined, clientLimit: 10_000 }, clock));
  await sent.ask("a", 1);
  const waiting = sent.ask("a", 1);
  await clock.advance(1);
  const before = sent.of("a");
  const others = Array.from({ length: 500 }, (_, i) => sent.ask(`other ${i}`, 1));
  await Promise.all(others);
  // A new ask of its own waits as the one before does.
  const again = sent.ask("a", 1);
  await clock.advance(1);
  assertEquals(sent.of("a"), before);
  await clock.advance(1000);
  await Promise.all([waiting, again]);
  assertEquals(clock.pending, 0);
});

test("Rates remembers a client that waits for nothing, as long as it is ahead of its rate", async () => {
  const clock = new ManualClock(5000);
  const sent = new Sent(new ClientRateLimits({ limit: undefined, clientLimit: 10_000 }, clock));
  await sent.ask("a", 1);
  await Promise.all(Array.from({ length: 500 }, (_, i) => sent.ask(`other ${i}`, 1)));
  const before = sent.of("a");
  const again = sent.ask("a", 1);
  await clock.advance(10);
  assertEquals(sent.of("a"), before);
  await clock.advance(1000);
  await again;
});

for (const limit of [undefined, 1000]) {
  const which = limit ? "all" : "its own rate";
  test(`Rates.wait() throws the signal's reason, and leaves no timer, when it aborts while it waits for ${which}`, async () => {
    const clock = new ManualClock(5000);
    const rates = new ClientRateLimits({ limit, clientLimit: limit ? undefined : 1000 }, clock);
    await rates.wait("a", MOST, NEVER);
    const stop = new AbortController();
    const waiting = assertRejects(() => rates.wait("a", MOST, stop.signal), Error, "enough");
    await clock.advance(1);
    stop.abort(new Error("enough"));
    await waiting;
    assertEquals(clock.pending, 0);
    await assertRejects(() => rates.wait("a", MOST, stop.signal), Error, "enough");
  });
}
