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
const TOKEN_GREETING = GREETING.replace("auth=none", "auth=token");
/** A vector of the specification. */
const TOKEN = "correct horse";
const VALID_AUTH = "AUTH a3adbd58b0d2bc0c14558c16ac2db914e0a069130238a6f67a4d395220429cd5";

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

  open(token: string | undefined = undefined, signal = noAbort) {
    const options = { clock: this.clock, waitMs: WAIT_MS, token };
    return openSession("seed", this.client, this.buffer, options, signal);
  }

  [Symbol.dispose](): void {
    this.client.close();
    this.#seedStream.close();
    assertEquals(this.clock.pending, 0, "a timer is still set");
  }
}

test("openSession() returns the greeting of a seed that knows sessions", async () => {
  using fixture = new DetectFixture();
  const opened = fixture.open();
  assertEquals(await fixture.seed.line(), "HELLO 2");
  await fixture.seed.send(`${GREETING}\n`);
  assertEquals(await opened, {
    agent: "x/1",
    nonce: "000102030405060708090a0b0c0d0e0f",
    auth: "none",
    maxLength: 1_048_576,
    maxInflight: 16,
    features: [],
  });
});

test("openSession() returns the greeting when it comes byte by byte", async () => {
  using fixture = new DetectFixture();
  const opened = fixture.open();
  for (const byte of bytesOf(`${GREETING}\r\n`)) {
    await fixture.seed.send(Uint8Array.of(byte));
    await fixture.clock.advance(1);
  }
  assertEquals(greetingOf(await opened).agent, "x/1");
});

function greetingOf(opened: Greeting | NoGreeting): Greeting {
  assert(typeof opened === "object", `there is no greeting: ${opened}`);
  return opened;
}

const oldSeeds: { name: string; sends: string }[] = [
  { name: "closes", sends: "" },
  { name: "answers that it does not know the request", sends: "ERROR:BAD_REQUEST what?\n" },
  { name: "has an error code of its own", sends: "ERROR:UNKNOWN_COMMAND\n" },
  { name: "does not find a file of that name", sends: "ERROR:NOT_FOUND\n" },
  { name: "answers without a line end", sends: "what?" },
  { name: "answers otherwise", sends: "SIZE:5\n" },
  { name: "answers with another version", sends: GREETING.replace("HELLO 2", "HELLO 3") + "\n" },
  { name: "omits a number", sends: GREETING.replace("max-inflight", "most") + "\n" },
  { name: "allows no request at all", sends: GREETING.replace("=16", "=0") + "\n" },
  { name: "has no nonce", sends: GREETING.replace("nonce=", "n=") + "\n" },
  { name: "sends an endless line", sends: "x".repeat(6000) },
];

for (const { name, sends } of oldSeeds) {
  test(`openSession() returns "old" when the seed ${name}`, async () => {
    using fixture = new DetectFixture();
    const opened = fixture.open();
    await fixture.seed.line();
    await fixture.seed.send(sends);
    fixture.seed.close();
    assertEquals(await opened, "old");
  });
}

test('openSession() returns "old" when the answer is not UTF-8', async () => {
  using fixture = new DetectFixture();
  const opened = fixture.open();
  await fixture.seed.send(Uint8Array.of(0xff, 0xfe, 0x0a));
  assertEquals(await opened, "old");
});

test('openSession() returns "old" when the seed resets the connection', async () => {
  using fixture = new DetectFixture();
  const opened = fixture.open();
  await fixture.clock.advance(0);
  fixture.seed.close();
  assertEquals(await opened, "old");
});

test('openSession() returns "silent" when the seed does not answer in time', async () => {
  using fixture = new DetectFixture();
  const opened = watch(fixture.open());
  await fixture.clock.advance(WAIT_MS - 1);
  assertEquals(opened.ending, undefined);
  await fixture.clock.advance(1);
  assertEquals(opened.ending, { value: "silent" });
});

const busySeeds: { sends: string; error: abstract new (...args: never[]) => P2pError }[] = [
  { sends: "ERROR:BUSY\n", error: BusyError },
  { sends: "ERROR:AUTH\n", error: AuthError },
  { sends: "ERROR:SHUTDOWN\n", error: UnreachableError },
];
for (const { sends, error } of busySeeds) {
  test(`openSession() throws P2pError when the seed answers ${sends.trim()}`, async () => {
    using fixture = new DetectFixture();
    const thrown = assertRejects<P2pError>(() => fixture.open(), error as typeof P2pError);
    await fixture.seed.send(sends);
    await thrown;
  });
}

const probes: { sends: string | undefined; seen: "session" | NoGreeting }[] = [
  { sends: `${GREETING}\n`, seen: "session" },
  { sends: "ERROR:BUSY\n", seen: "session" },
  { sends: "ERROR: BUSY\n", seen: "old" },
  { sends: "SIZE:5\n", seen: "old" },
  { sends: "", seen: "old" },
  { sends: undefined, seen: "silent" },
];
for (const { sends, seen } of probes) {
  const what = sends === undefined ? "nothing" : JSON.stringify(sends.trim());
  test(`probe() ends its direction at once and returns "${seen}" when the seed sends ${what}`, async () => {
    using fixture = new DetectFixture();
    const probing = probe(
      fixture.client,
      fixture.buffer,
      { clock: fixture.clock, waitMs: WAIT_MS },
      noAbort,
    );
    assertEquals(await fixture.seed.line(), "HELLO 2");
    assertEquals(await fixture.seed.line(), undefined);
    if (sends === undefined) await fixture.clock.advance(WAIT_MS);
    else {
      await fixture.seed.send(sends);
      fixture.seed.close();
    }
    assertEquals(await probing, seen);
  });
}

test("openSession() throws BusyError with the delay that the seed asks for", async () => {
  using fixture = new DetectFixture();
  const thrown = thrownBy(fixture.open());
  await fixture.seed.send("ERROR:BUSY retry-after-ms=700 full house\n");
  const error = await thrown;
  assert(error instanceof BusyError);
  assertEquals(error.retryAfterMs, 700);
});

test("openSession() throws AuthError when the seed answers ERROR:AUTH", async () => {
  using fixture = new DetectFixture();
  const thrown = assertRejects(() => fixture.open(), AuthError);
  await fixture.seed.send("ERROR:AUTH\n");
  await thrown;
});

test("openSession() throws UnreachableError when the seed shuts down", async () => {
  using fixture = new DetectFixture();
  const thrown = assertRejects(() => fixture.open(), UnreachableError);
  await fixture.seed.send("ERROR:SHUTDOWN bye\n");
  await thrown;
});

test("openSession() throws UnreachableError when the seed sends more than its greeting", async () => {
  using fixture = new DetectFixture();
  const thrown = assertRejects(() => fixture.open(), UnreachableError);
  await fixture.seed.send(`${GREETING}\nOK 0\n`);
  await thrown;
});

test("openSession() throws the signal's reason when it aborts before the answer", async () => {
  using fixture = new DetectFixture();
  const stop = new AbortController();
  const reason = new Error("no longer wanted");
  const thrown = thrownBy(fixture.open(undefined, stop.signal));
  await fixture.clock.advance(10);
  stop.abort(reason);
  assertStrictEquals(await thrown, reason as P2pError);
});

test("openSession() proves the token without sending it", async () => {
  using fixture = new DetectFixture();
  const opened = fixture.open(TOKEN);
  await fixture.seed.line();
  await fixture.seed.send(`${TOKEN_GREETING}\n`);
  assertEquals(await fixture.seed.line(), VALID_AUTH);
  await fixture.seed.send("OK 0\n");
  assertEquals(greetingOf(await opened).auth, "token");
});

test("openSession() sends no proof when the seed requires none", async () => {
  using fixture = new DetectFixture();
  const opened = fixture.open(TOKEN);
  await fixture.seed.line();
  await fixture.seed.send(`${GREETING}\n`);
  await opened;
  await fixture.client.endWriting();
  assertEquals(await fixture.seed.line(), undefined);
});

test("openSession() throws AuthError when there is no token", async () => {
  using fixture = new DetectFixture();
  const thrown = thrownBy(fixture.open());
  await fixture.seed.send(`${TOKEN_GREETING}\n`);
  const error = await thrown;
  assert(error instanceof AuthError);
  assertEquals(error.problem, undefined);
});

const answers: {
  name: string;
  end: (fixture: DetectFixture) => Promise<void>;
  error: abstract new (...args: never[]) => P2pError;
}[] = [
  { name: "rejects it", end: sends("ERROR:AUTH\n"), error: AuthError },
  { name: "answers otherwise", end: sends("OK 1\n"), error: AuthError },
  {
    name: "is busy",
    end: sends("ERROR:BUSY retry-after-ms=5 x\n"),
    error: BusyError,
  },
  { name: "shuts down", end: sends("ERROR:SHUTDOWN\n"), error: UnreachableError },
  { name: "closes without an answer", end: sends(""), error: UnreachableError },
  { name: "does not answer", end: ({ clock }) => clock.advance(WAIT_MS), error: TimeoutError },
];

function sends(words: string) {
  return async ({ seed }: DetectFixture) => {
    await seed.send(words);
    seed.close();
  };
}

for (const { name, end, error } of answers) {
  test(`openSession() throws ${error.name} when the seed receives the proof and ${name}`, async () => {
    using fixture = new DetectFixture();
    const thrown = assertRejects<P2pError>(() => fixture.open(TOKEN), error as typeof P2pError);
    await fixture.seed.line();
    await fixture.seed.send(`${TOKEN_GREETING}\n`);
    await fixture.seed.line();
    await end(fixture);
    await thrown;
  });
}

test("openSession() throws UnreachableError when the seed resets the connection instead of reading the proof", async () => {
  using fixture = new DetectFixture();
  const thrown = assertRejects(() => fixture.open(TOKEN), UnreachableError);
  await fixture.seed.line();
  await fixture.seed.send(`${TOKEN_GREETING}\n`);
  await fixture.clock.advance(0);
  fixture.seed.close();
  await thrown;
});
