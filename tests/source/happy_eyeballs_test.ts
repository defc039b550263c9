import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  AllAttemptsFailed,
  alternateFamilies,
  ATTEMPT_DELAY_MS,
  connectToAny,
} from "../../core/source/happy_eyeballs.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { noAbort, watch } from "./support.ts";
import { test } from "../support/test.ts";

const orders = [
  { given: [], want: [] },
  { given: ["1.1.1.1"], want: ["1.1.1.1"] },
  { given: ["::1", "::2", "1.1.1.1", "2.2.2.2"], want: ["::1", "1.1.1.1", "::2", "2.2.2.2"] },
  {
    given: ["1.1.1.1", "2.2.2.2", "3.3.3.3", "::1"],
    want: ["1.1.1.1", "::1", "2.2.2.2", "3.3.3.3"],
  },
];
for (const { given, want } of orders) {
  test(`alternateFamilies() of ${given.join(", ") || "nothing"}`, () => {
    assertEquals(alternateFamilies(given), want);
  });
}

class FakeConnection {
  closed = false;
  close(): void {
    this.closed = true;
  }
}

/** Attempts that the test ends. */
class ConnectFixture {
  readonly clock = new ManualClock();
  readonly started: string[] = [];
  readonly #ends = new Map<string, PromiseWithResolvers<FakeConnection>>();

  connect = (address: string): Promise<FakeConnection> => {
    this.started.push(address);
    const end = Promise.withResolvers<FakeConnection>();
    this.#ends.set(address, end);
    return end.promise;
  };

  succeed(address: string): FakeConnection {
    const conn = new FakeConnection();
    this.#ends.get(address)!.resolve(conn);
    return conn;
  }

  fail(address: string): void {
    this.#ends.get(address)!.reject(new Error(`no ${address}`));
  }

  race(addresses: string[], signal = noAbort) {
    return watch(connectToAny(addresses, this.connect, this.clock, signal));
  }
}

test("connectToAny() starts the next attempt after 250 ms, and closes the later connection", async () => {
  const attempts = new ConnectFixture();
  const race = attempts.race(["a", "b", "c"]);
  assertEquals(attempts.started, ["a"]);
  await attempts.clock.advance(ATTEMPT_DELAY_MS - 1);
  assertEquals(attempts.started, ["a"]);
  await attempts.clock.advance(1);
  assertEquals(attempts.started, ["a", "b"]);
  const conn = attempts.succeed("b");
  await attempts.clock.advance(0);
  assertEquals(race.ending, { value: { conn, address: "b" } });
  const late = attempts.succeed("a");
  await attempts.clock.advance(1000);
  assertEquals([late.closed, conn.closed, attempts.started.length], [true, false, 2]);
  assertEquals(attempts.clock.pending, 0);
});

test("connectToAny() starts the next attempt at once when one fails", async () => {
  const attempts = new ConnectFixture();
  const race = attempts.race(["a", "b"]);
  attempts.fail("a");
  await attempts.clock.advance(0);
  assertEquals(attempts.started, ["a", "b"]);
  const conn = attempts.succeed("b");
  await attempts.clock.advance(0);
  assertEquals(race.ending, { value: { conn, address: "b" } });
});

test("connectToAny() takes the first address when it answers after the others have failed", async () => {
  const attempts = new ConnectFixture();
  const race = attempts.race(["a", "b"]);
  await attempts.clock.advance(ATTEMPT_DELAY_MS);
  attempts.fail("b");
  await attempts.clock.advance(ATTEMPT_DELAY_MS);
  assertEquals(race.ending, undefined);
  const conn = attempts.succeed("a");
  await attempts.clock.advance(0);
  assertEquals(race.ending, { value: { conn, address: "a" } });
});

test("connectToAny() throws the reason of each address when none answers", async () => {
  const attempts = new ConnectFixture();
  const race = attempts.race(["a", "b"]);
  attempts.fail("a");
  await attempts.clock.advance(0);
  attempts.fail("b");
  await attempts.clock.advance(0);
  assert(race.ending && "error" in race.ending);
  assert(race.ending.error instanceof AllAttemptsFailed);
  assertEquals(race.ending.error.attempts.map(({ address }) => address), ["a", "b"]);
  assertEquals(attempts.clock.pending, 0);
});

test("connectToAny() throws when there is no address", async () => {
  const { connect, clock } = new ConnectFixture();
  await assertRejects(() => connectToAny([], connect, clock, noAbort), AllAttemptsFailed);
});

test("connectToAny() throws the signal's reason when it aborts, and closes later connections", async () => {
  const attempts = new ConnectFixture();
  const stop = new AbortController();
  const race = attempts.race(["a", "b"], stop.signal);
  const reason = new Error("aborted by the test");
  stop.abort(reason);
  await attempts.clock.advance(1000);
  assert(race.ending && "error" in race.ending);
  assertStrictEquals(race.ending.error, reason);
  const late = attempts.succeed("a");
  await attempts.clock.advance(0);
  assertEquals([late.closed, attempts.started.length], [true, 1]);
});
