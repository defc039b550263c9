import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  AuthError,
  BusyError,
  P2pError,
  TimeoutError,
  UnreachableError,
} from "../../core/base/errors.ts";
import { type NoGreeting, openSession, probe } from "../../core/source/detect.ts";
import type { Greeting } from "../../core/protocol/greeting.ts";
import type { ByteStream } from "../../core/source/transport.ts";
import { ReadBuffer } from "../../core/protocol/read_buffer.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { SeedSide } from "../support/scripted_seed.ts";
import { noAbort, thrownBy, watch } from "./support.ts";
import { bytesOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const WAIT_MS = 5000;
const GREETING = "HELLO 2 agent=x/1 nonce=000102030405060708090a0b0c0d0e0f auth=none " +
  "max-length=1048576 max-inflight=16 later=thing";
const ASKS_FOR_TOKEN = GREETING.replace("auth=none", "auth=token");
/** Of the protocol's vectors. */
const TOKEN = "correct horse";
const RIGHT_ANSWER = "AUTH a3adbd58b0d2bc0c14558c16ac2db914e0a069130238a6f67a4d395220429cd5";

/** Both sides of a connection before its greeting. */
class DetectFixture implements Disposable {
  readonly clock = new ManualClock();
  readonly seed: SeedSide;
  readonly client: ByteStream;
  readonly buffer = new ReadBuffer();
  readonly #seedStream: ByteStream;

  constructor() {
    const [client, seed] = memoryPair();
    this.client = client;
    this.#seedStream = seed;
    this.seed = new SeedSide(seed);
  }

  greet(token: string | undefined = undefined, signal = noAbort) {
    const terms = { clock: this.clock, waitMs: WAIT_MS, token };
    return openSession("seed", this.client, this.buffer, terms, signal);
  }

  [Symbol.dispose](): void {
    this.client.close();
    this.#seedStream.close();
    assertEquals(this.clock.pending, 0, "a timer was left behind");
  }
}

test("greet() gives the greeting of a seed that knows sessions", async () => {
  using fixture = new DetectFixture();
  const greeted = fixture.greet();
  assertEquals(await fixture.seed.line(), "HELLO 2");
  await fixture.seed.send(`${GREETING}\n`);
  assertEquals(await greeted, {
    agent: "x/1",
    nonce: "000102030405060708090a0b0c0d0e0f",
    auth: "none",
    maxLength: 1_048_576,
    maxInflight: 16,
    features: [],
  });
});

test("greet() gives the greeting when it comes byte by byte", async () => {
  using fixture = new DetectFixture();
  const greeted = fixture.greet();
  for (const byte of bytesOf(`${GREETING}\r\n`)) {
    await fixture.seed.send(Uint8Array.of(byte));
    await fixture.clock.advance(1);
  }
  assertEquals(greetingOf(await greeted).agent, "x/1");
});

function greetingOf(greeted: Greeting | NoGreeting): Greeting {
  assert(typeof greeted === "object", `there is no greeting: ${greeted}`);
  return greeted;
}

const oldSeeds: { name: string; says: string }[] = [
  { name: "closes", says: "" },
  { name: "says that it does not know the request", says: "ERROR:BAD_REQUEST what?\n" },
  { name: "has an error code of its own", says: "ERROR:UNKNOWN_COMMAND\n" },
  { name: "does not find a file of that name", says: "ERROR:NOT_FOUND\n" },
  { name: "answers without a line end", says: "what?" },
  { name: "answers with other words", says: "SIZE:5\n" },
  { name: "speaks of another version", says: GREETING.replace("HELLO 2", "HELLO 3") + "\n" },
  { name: "leaves a number out", says: GREETING.replace("max-inflight", "most") + "\n" },
  { name: "allows no request at all", says: GREETING.replace("=16", "=0") + "\n" },
  { name: "has no nonce", says: GREETING.replace("nonce=", "n=") + "\n" },
  { name: "sends an endless line", says: "x".repeat(6000) },
];

for (const { name, says } of oldSeeds) {
  test(`greet() takes a seed for an old one when the seed ${name}`, async () => {
    using fixture = new DetectFixture();
    const greeted = fixture.greet();
    await fixture.seed.line();
    await fixture.seed.send(says);
    fixture.seed.close();
    assertEquals(await greeted, "old");
  });
}

test("greet() takes a seed for an old one when the seed answers with bytes that are no text", async () => {
  using fixture = new DetectFixture();
  const greeted = fixture.greet();
  await fixture.seed.send(Uint8Array.of(0xff, 0xfe, 0x0a));
  assertEquals(await greeted, "old");
});

test("greet() takes a seed for an old one when the seed resets the connection", async () => {
  using fixture = new DetectFixture();
  const greeted = fixture.greet();
  await fixture.clock.advance(0);
  fixture.seed.close();
  assertEquals(await greeted, "old");
});

test("greet() knows nothing of a seed that keeps silent for as long as we wait", async () => {
  using fixture = new DetectFixture();
  const greeted = watch(fixture.greet());
  await fixture.clock.advance(WAIT_MS - 1);
  assertEquals(greeted.ending, undefined);
  await fixture.clock.advance(1);
  assertEquals(greeted.ending, { value: "silent" });
});

const busySeeds: { says: string; error: abstract new (...args: never[]) => P2pError }[] = [
  { says: "ERROR:BUSY\n", error: BusyError },
  { says: "ERROR:AUTH\n", error: AuthError },
  { says: "ERROR:SHUTDOWN\n", error: UnreachableError },
];
for (const { says, error } of busySeeds) {
  test(`greet() does not take a seed for an old one that answers ${says.trim()}`, async () => {
    using fixture = new DetectFixture();
    const thrown = assertRejects<P2pError>(() => fixture.greet(), error as typeof P2pError);
    await fixture.seed.send(says);
    await thrown;
  });
}

const probes: { says: string | undefined; seen: "session" | NoGreeting }[] = [
  { says: `${GREETING}\n`, seen: "session" },
  { says: "ERROR:BUSY\n", seen: "session" },
  { says: "ERROR: BUSY\n", seen: "old" },
  { says: "SIZE:5\n", seen: "old" },
  { says: "", seen: "old" },
  { says: undefined, seen: "silent" },
];
for (const { says, seen } of probes) {
  const what = says === undefined ? "nothing" : JSON.stringify(says.trim());
  test(`probe() ends its side at once and sees "${seen}" when the seed says ${what}`, async () => {
    using fixture = new DetectFixture();
    const probing = probe(
      fixture.client,
      fixture.buffer,
      { clock: fixture.clock, waitMs: WAIT_MS },
      noAbort,
    );
    assertEquals(await fixture.seed.line(), "HELLO 2");
    assertEquals(await fixture.seed.line(), undefined);
    if (says === undefined) await fixture.clock.advance(WAIT_MS);
    else {
      await fixture.seed.send(says);
      fixture.seed.close();
    }
    assertEquals(await probing, seen);
  });
}

test("greet() throws BusyError with the seed's pause when it has no room", async () => {
  using fixture = new DetectFixture();
  const thrown = thrownBy(fixture.greet());
  await fixture.seed.send("ERROR:BUSY retry-after-ms=700 full house\n");
  const error = await thrown;
  assert(error instanceof BusyError);
  assertEquals(error.retryAfterMs, 700);
});

test("greet() throws AuthError when the seed refuses with AUTH", async () => {
  using fixture = new DetectFixture();
  const thrown = assertRejects(() => fixture.greet(), AuthError);
  await fixture.seed.send("ERROR:AUTH\n");
  await thrown;
});

test("greet() throws UnreachableError when the seed is going away", async () => {
  using fixture = new DetectFixture();
  const thrown = assertRejects(() => fixture.greet(), UnreachableError);
  await fixture.seed.send("ERROR:SHUTDOWN bye\n");
  await thrown;
});

test("greet() throws UnreachableError when the seed says more than its greeting", async () => {
  using fixture = new DetectFixture();
  const thrown = assertRejects(() => fixture.greet(), UnreachableError);
  await fixture.seed.send(`${GREETING}\nOK 0\n`);
  await thrown;
});

test("greet() throws the signal's reason when it aborts during the silence", async () => {
  using fixture = new DetectFixture();
  const stop = new AbortController();
  const reason = new Error("no longer wanted");
  const thrown = thrownBy(fixture.greet(undefined, stop.signal));
  await fixture.clock.advance(10);
  stop.abort(reason);
  assertStrictEquals(await thrown, reason as P2pError);
});

test("greet() proves that it knows the token without sending it", async () => {
  using fixture = new DetectFixture();
  const greeted = fixture.greet(TOKEN);
  await fixture.seed.line();
  await fixture.seed.send(`${ASKS_FOR_TOKEN}\n`);
  assertEquals(await fixture.seed.line(), RIGHT_ANSWER);
  await fixture.seed.send("OK 0\n");
  assertEquals(greetingOf(await greeted).auth, "token");
});

test("greet() sends no proof when the seed asks for none", async () => {
  using fixture = new DetectFixture();
  const greeted = fixture.greet(TOKEN);
  await fixture.seed.line();
  await fixture.seed.send(`${GREETING}\n`);
  await greeted;
  await fixture.client.endWriting();
  assertEquals(await fixture.seed.line(), undefined);
});

test("greet() throws AuthError with a way out when there is no token to give", async () => {
  using fixture = new DetectFixture();
  const thrown = thrownBy(fixture.greet());
  await fixture.seed.send(`${ASKS_FOR_TOKEN}\n`);
  const error = await thrown;
  assert(error instanceof AuthError);
  assertEquals(error.problem, undefined);
});

const answers: {
  name: string;
  end: (fixture: DetectFixture) => Promise<void>;
  error: abstract new (...args: never[]) => P2pError;
}[] = [
  { name: "refuses it", end: says("ERROR:AUTH\n"), error: AuthError },
  { name: "answers with other words", end: says("OK 1\n"), error: AuthError },
  {
    name: "has no room meanwhile",
    end: says("ERROR:BUSY retry-after-ms=5 x\n"),
    error: BusyError,
  },
  { name: "is going away", end: says("ERROR:SHUTDOWN\n"), error: UnreachableError },
  { name: "closes without a word", end: says(""), error: UnreachableError },
  { name: "keeps silent", end: ({ clock }) => clock.advance(WAIT_MS), error: TimeoutError },
];

function says(words: string) {
  return async ({ seed }: DetectFixture) => {
    await seed.send(words);
    seed.close();
  };
}

for (const { name, end, error } of answers) {
  test(`greet() throws ${error.name} when the seed is given a token and ${name}`, async () => {
    using fixture = new DetectFixture();
    const thrown = assertRejects<P2pError>(() => fixture.greet(TOKEN), error as typeof P2pError);
    await fixture.seed.line();
    await fixture.seed.send(`${ASKS_FOR_TOKEN}\n`);
    await fixture.seed.line();
    await end(fixture);
    await thrown;
  });
}

test("greet() throws UnreachableError when the seed resets the connection instead of looking at the token", async () => {
  using fixture = new DetectFixture();
  const thrown = assertRejects(() => fixture.greet(TOKEN), UnreachableError);
  await fixture.seed.line();
  await fixture.seed.send(`${ASKS_FOR_TOKEN}\n`);
  await fixture.clock.advance(0);
  fixture.seed.close();
  await thrown;
});
