import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import {
  AuthError,
  BusyError,
  ChangedError,
  NotFoundError,
  P2pError,
  ProtocolError,
  TimeoutError,
  UnreachableError,
} from "../../core/base/errors.ts";
import { equalBytes } from "../../core/base/digest.ts";
import { Semaphore } from "../../core/base/semaphore.ts";
import { PendingError } from "../../core/source/errors.ts";
import { SeedSource, type SeedSourceOptions } from "../../core/source/seed_source.ts";
import type { ReadOptions } from "../../core/source/source.ts";
import type { Dial } from "../../core/source/dial.ts";
import type { ByteStream } from "../../core/source/transport.ts";
import { authResponse, encodeGreeting } from "../../core/protocol/greeting.ts";
import { encodeListing, MAX_LISTED_FILES } from "../../core/protocol/listing.ts";
import { encodeManifest, makeManifest } from "../../core/protocol/manifest.ts";
import { ManualClock } from "../support/manual_clock.ts";
import {
  holding,
  refusing,
  ScriptedSeed,
  type SeedSide,
  sendBody,
} from "../support/scripted_seed.ts";
import { ADDRESS, noAbort, RawSeed, watch } from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const CONNECT_MS = 5000;
const STALL_MS = 5000;
const FILE = patternOf(10_000);

/** A source that connects with `dial`. */
class SourceFixture implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly source: SeedSource;

  constructor(dial: Dial, options: Partial<SeedSourceOptions> = {}) {
    this.source = new SeedSource(ADDRESS, {
      clock: this.clock,
      dial,
      connections: 4,
      slots: new Semaphore(100),
      connectMs: CONNECT_MS,
      stallMs: STALL_MS,
      token: undefined,
      ...options,
    });
  }

  size(signal = noAbort): Promise<number> {
    return this.source.size("a", signal);
  }

  read(start: number, into: Uint8Array, signal = noAbort, rateLimit?: RateLimit): Promise<void> {
    const range = { start, end: start + into.length };
    const options = { onBytes: () => {}, rateLimit: rateLimit };
    const content = { name: "a", id: null, size: FILE.length };
    return this.source.read(content, range, into, options, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
    assertEquals(this.clock.pending, 0, "a timer is still set");
  }
}

type RateLimit = ReadOptions["rateLimit"];

/** Runs everything that does not wait for time or bytes. */
async function oneTurn(): Promise<void> {
  await new ManualClock().advance(0);
}

/** Greets, and answers every line with `answer`. */
function session(
  answer: (line: string, seed: SeedSide) => Promise<void>,
  greeting: Partial<ScriptedSeed["greeting"]> = {},
) {
  return async (seed: SeedSide) => {
    await seed.line();
    await seed.send(encodeGreeting({
      agent: "x",
      nonce: "0".repeat(32),
      auth: "none",
      maxLength: 1_048_576,
      maxInflight: 16,
      features: [],
      ...greeting,
    }));
    for (let line; (line = await seed.line()) !== undefined;) await answer(line, seed);
  };
}

test("SeedSource.protocol() detects the protocol once for concurrent callers", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  await using fixture = new SourceFixture(seed.dial);
  const asked = Array.from({ length: 5 }, () => fixture.source.protocol(noAbort));
  assertEquals(await Promise.all(asked), Array(5).fill("session"));
  assertEquals(seed.connections, 1);
});

test("SeedSource.protocol() continues for other callers when the first one aborts", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  await using fixture = new SourceFixture(seed.dial);
  const stop = new AbortController();
  const first = assertRejects(() => fixture.source.protocol(stop.signal));
  const second = fixture.source.protocol(noAbort);
  stop.abort();
  await first;
  assertEquals(await second, "session");
  assertEquals(seed.connections, 1);
});

test("SeedSource.protocol() throws the reason and connects to nothing when the signal has already aborted", async () => {
  const dial: Dial = () => Promise.reject(new UnreachableError("refused"));
  await using fixture = new SourceFixture(dial);
  const reason = new Error("aborted by the test");
  await assertRejects(
    () => fixture.source.protocol(AbortSignal.abort(reason)),
    Error,
    "aborted by",
  );
  await fixture.clock.advance(0);
});

test("SeedSource uses one connection for consecutive requests", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  await using fixture = new SourceFixture(seed.dial);
  for (let i = 0; i < 20; i++) assertEquals(await fixture.size(), FILE.length);
  assertEquals(seed.connections, 1);
  assertEquals(fixture.source.connections, 1);
});

for (const connections of [1, 2, 4]) {
  test(`SeedSource opens at most ${connections} connections for any number of concurrent requests`, async () => {
    await using seed = new ScriptedSeed({ a: FILE }, async () => {
      await oneTurn();
      return undefined;
    });
    // Each connect takes one turn of the event loop, in which all others send requests.
    const dial: Dial = async (address, signal) => {
      await oneTurn();
      return await seed.dial(address, signal);
    };
    await using fixture = new SourceFixture(dial, { connections });
    const memories = Array.from({ length: 100 }, () => new Uint8Array(100));
    await Promise.all(memories.map((memory, i) => fixture.read(i * 100, memory)));
    memories.forEach((memory, i) => assertEquals(memory, FILE.subarray(i * 100, i * 100 + 100)));
    assertEquals(seed.mostOpen, connections);
  });
}

test("SeedSource opens a second connection as soon as one request waits for another", async () => {
  const gate = Promise.withResolvers<void>();
  await using seed = new ScriptedSeed({ a: FILE }, holding("FILESIZE", gate.promise));
  await using fixture = new SourceFixture(seed.dial);
  await fixture.source.protocol(noAbort);
  const first = fixture.size();
  await fixture.clock.advance(0);
  assertEquals(seed.connections, 1);
  const second = fixture.size();
  await fixture.clock.advance(0);
  assertEquals(seed.connections, 2);
  gate.resolve();
  assertEquals(await Promise.all([first, second]), [FILE.length, FILE.length]);
});

const ROUND_TRIP_MS = 100;

/** A path on which everything arrives after a round trip. */
function withDelayedReads(stream: ByteStream, clock: ManualClock): ByteStream {
  return {
    peer: stream.peer,
    async read(into) {
      const count = await stream.read(into);
      await clock.sleep(ROUND_TRIP_MS, noAbort);
      return count;
    },
    write: (bytes) => stream.write(bytes),
    endWriting: () => stream.endWriting(),
    close: () => stream.close(),
    released: stream.released,
    [Symbol.dispose]: () => stream.close(),
  };
}

test("SeedSource.read() divides a few ranges among all connections on a long path", async () => {
  const file = patternOf(4 * 1024 * 1024);
  const gate = Promise.withResolvers<void>();
  await using seed = new ScriptedSeed({ a: file }, holding("DOWNLOAD", gate.promise));
  const clock = new ManualClock();
  const dial: Dial = async (address, signal) =>
    withDelayedReads(await seed.dial(address, signal), clock);
  await using fixture = new SourceFixture(dial, { connections: 16, clock });
  const protocol = fixture.source.protocol(noAbort);
  await clock.advance(ROUND_TRIP_MS);
  await protocol;
  const memories = Array.from({ length: 4 }, () => new Uint8Array(1024 * 1024));
  const reads = memories.map((memory, i) => fixture.read(i * memory.length, memory));
  await clock.advance(ROUND_TRIP_MS);
  gate.resolve();
  for (const read of reads) {
    const done = watch(read);
    while (done.ending === undefined) await clock.advance(ROUND_TRIP_MS);
    await read;
  }
  memories.forEach((memory, i) =>
    assert(equalBytes(memory, file.subarray(i * memory.length, (i + 1) * memory.length)))
  );
  assertEquals(seed.mostOpen, 16);
});

test("SeedSource.read() goes on over a new connection with ranges that waited when the only one is lost", async () => {
  const gate = Promise.withResolvers<void>();
  await using seed = new ScriptedSeed({ a: FILE }, holding("DOWNLOAD", gate.promise));
  seed.greeting = { ...seed.greeting, maxInflight: 1 };
  await using fixture = new SourceFixture(seed.dial, { connections: 1 });
  const [sent, waiting] = [new Uint8Array(100), new Uint8Array(100)];
  const first = watch(fixture.read(0, sent));
  const second = watch(fixture.read(100, waiting));
  await fixture.clock.advance(0);
  assertEquals(seed.asked("DOWNLOAD").length, 1);
  seed.hangUp();
  await fixture.clock.advance(0);
  assert(first.ending && "error" in first.ending);
  assertEquals(second.ending, undefined);
  gate.resolve();
  await fixture.clock.advance(0);
  assertEquals(second.ending, { value: undefined });
  assertEquals([waiting, seed.connections], [FILE.subarray(100, 200), 2]);
});

test("SeedSource.read() fails ranges that waited when no new connection can be made", async () => {
  const gate = Promise.withResolvers<void>();
  await using seed = new ScriptedSeed({ a: FILE }, holding("DOWNLOAD", gate.promise));
  seed.greeting = { ...seed.greeting, maxInflight: 1 };
  let isUp = true;
  const dial: Dial = (address, signal) =>
    isUp ? seed.dial(address, signal) : Promise.reject(new UnreachableError("refused"));
  await using fixture = new SourceFixture(dial, { connections: 1 });
  const reads = [0, 100].map((start) => watch(fixture.read(start, new Uint8Array(100))));
  await fixture.clock.advance(0);
  isUp = false;
  seed.hangUp();
  await fixture.clock.advance(0);
  gate.resolve();
  for (const { ending } of reads) {
    assert(ending && "error" in ending && ending.error instanceof UnreachableError);
  }
});

test("SeedSource.line has the round trip of the greeting, and the open connections", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  const clock = new ManualClock();
  const dial: Dial = async (address, signal) =>
    withDelayedReads(await seed.dial(address, signal), clock);
  await using fixture = new SourceFixture(dial, { clock });
  assertEquals(fixture.source.line, { connections: 0 });
  const protocol = fixture.source.protocol(noAbort);
  await clock.advance(ROUND_TRIP_MS);
  await protocol;
  assertEquals(fixture.source.line, { connections: 1, roundTripMs: ROUND_TRIP_MS });
});

test("SeedSource opens at most as many connections as there are shared slots", async () => {
  await using seed = new ScriptedSeed({ a: FILE }, async () => {
    await oneTurn();
    return undefined;
  });
  await using fixture = new SourceFixture(seed.dial, { slots: new Semaphore(2) });
  await Promise.all(Array.from({ length: 50 }, () => fixture.size()));
  assertEquals(seed.mostOpen, 2);
});

test("SeedSource continues when another seed frees the only slot", async () => {
  await using one = new ScriptedSeed({ a: FILE });
  await using other = new ScriptedSeed({ a: FILE });
  const slots = new Semaphore(1);
  await using first = new SourceFixture(one.dial, { slots });
  await using second = new SourceFixture(other.dial, { slots });
  await first.size();
  one.hangUp();
  await oneTurn();
  await second.size();
  // Its protocol is known already, so it only waits for the slot of the other one.
  const waiting = watch(first.size());
  await oneTurn();
  assertEquals(waiting.ending, undefined);
  other.hangUp();
  await oneTurn();
  assertEquals(waiting.ending, { value: FILE.length });
});

for (const connections of [1, 3]) {
  test(`SeedSource sends one request at a time over each of ${connections} connections when the seed allows no more`, async () => {
    let most = 0;
    await using stage = new RawSeed((seed) => {
      let inFlight = 0;
      let answering: Promise<unknown> = Promise.resolve();
      return session((_, side) => {
        most = Math.max(most, ++inFlight);
        answering = answering.then(async () => {
          await oneTurn();
          inFlight--;
          await side.send("SIZE:5\n").catch(() => {});
        });
        return Promise.resolve();
      }, { maxInflight: 1 })(seed);
    });
    await using fixture = new SourceFixture(stage.dial, { connections });
    await Promise.all(Array.from({ length: 10 }, () => fixture.size()));
    assertEquals(most, 1);
  });
}

test("SeedSource continues with waiting requests when the one before was aborted", async () => {
  const gate = Promise.withResolvers<void>();
  await using seed = new ScriptedSeed({ a: FILE }, holding("FILESIZE", gate.promise));
  seed.greeting = { ...seed.greeting, maxInflight: 1 };
  await using fixture = new SourceFixture(seed.dial, { connections: 1 });
  const stop = new AbortController();
  const left = assertRejects(() => fixture.size(stop.signal));
  await fixture.clock.advance(0);
  const waiting = watch(fixture.size());
  await fixture.clock.advance(0);
  stop.abort();
  await left;
  gate.resolve();
  await fixture.clock.advance(100);
  assertEquals(waiting.ending, { value: FILE.length });
});

for (const maxLength of [1, 7, 99, 100]) {
  test(`SeedSource.read() requests at most ${maxLength} bytes at a time when that is the limit of the seed`, async () => {
    await using seed = new ScriptedSeed({ a: FILE });
    seed.greeting = { ...seed.greeting, maxLength };
    await using fixture = new SourceFixture(seed.dial);
    const memory = new Uint8Array(100);
    await fixture.read(50, memory);
    assertEquals(memory, FILE.subarray(50, 150));
    const lengths = seed.asked("DOWNLOAD").map(({ range }) => range.end - range.start);
    assertEquals(Math.max(...lengths), maxLength);
    assertEquals(lengths.length, Math.ceil(100 / maxLength));
  });
}

test("SeedSource.read() prepares few requests when the limit of the seed is one byte", async () => {
  const gate = Promise.withResolvers<void>();
  await using seed = new ScriptedSeed({ a: FILE }, holding("DOWNLOAD", gate.promise));
  seed.greeting = { ...seed.greeting, maxLength: 1 };
  await using fixture = new SourceFixture(seed.dial);
  let waits = 0;
  const rateLimit = { maxBytes: 1000, wait: () => Promise.resolve(void waits++) };
  const stop = new AbortController();
  const reading = assertRejects(() =>
    fixture.read(0, new Uint8Array(10_000), stop.signal, rateLimit)
  );
  await fixture.clock.advance(0);
  assertLessOrEqual(waits, 64);
  stop.abort();
  await reading;
  gate.resolve();
});

/** A seed that answers READ. */
function readingSeed(): ScriptedSeed {
  const seed = new ScriptedSeed({ a: FILE });
  seed.greeting = { ...seed.greeting, features: ["read"] };
  return seed;
}

function readContent(fixture: SourceFixture, id: string | null, into: Uint8Array): Promise<void> {
  const options = { onBytes: () => {}, rateLimit: undefined };
  const content = { name: "a", id, size: FILE.length };
  return fixture.source.read(content, { start: 10, end: 10 + into.length }, into, options, noAbort);
}

test("SeedSource.read() names the content by its id when the seed knows READ and the id is known", async () => {
  await using seed = readingSeed();
  await using fixture = new SourceFixture(seed.dial);
  const { id } = seed.manifestOf("a");
  const into = new Uint8Array(100);
  await readContent(fixture, id, into);
  assertEquals(into, FILE.subarray(10, 110));
  assertEquals(seed.asked("READ").map((request) => request.id), [id]);
  await readContent(fixture, null, into);
  assertEquals(seed.asked("DOWNLOAD").length, 1);
});

test("SeedSource.read() names the file when the seed does not know READ", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  await using fixture = new SourceFixture(seed.dial);
  await readContent(fixture, seed.manifestOf("a").id, new Uint8Array(100));
  assertEquals([seed.asked("READ").length, seed.asked("DOWNLOAD").length], [0, 1]);
});

test("SeedSource.read() throws ChangedError when the seed does not have that content any more", async () => {
  await using seed = readingSeed();
  await using fixture = new SourceFixture(seed.dial);
  await assertRejects(() => readContent(fixture, "0".repeat(64), new Uint8Array(10)), ChangedError);
});

test("SeedSource.read() waits for the rate limit before each part", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  await using fixture = new SourceFixture(seed.dial);
  const gates: { bytes: number; open: () => void }[] = [];
  const wait = (bytes: number) =>
    new Promise<void>((resolve) => gates.push({ bytes, open: resolve }));
  const memory = new Uint8Array(100);
  const reading = fixture.read(0, memory, noAbort, { maxBytes: 40, wait });
  await fixture.clock.advance(0);
  assertEquals(gates.map(({ bytes }) => bytes), [40, 40, 20]);
  assertEquals(seed.asked("DOWNLOAD").length, 0);
  gates[0]!.open();
  await fixture.clock.advance(0);
  assertEquals(seed.asked("DOWNLOAD").length, 1);
  gates.forEach(({ open }) => open());
  await reading;
  assertEquals(memory, FILE.subarray(0, 100));
});

test("SeedSource.read() settles only when all of its parts have ended", async () => {
  const gate = Promise.withResolvers<void>();
  let downloads = 0;
  await using seed = new ScriptedSeed({ a: FILE }, async (request, client) => {
    if (request.verb !== "DOWNLOAD") return undefined;
    if (downloads++ === 0) {
      await client.send("ERROR:CHANGED\n");
      return "answered";
    }
    await gate.promise;
    return undefined;
  });
  seed.greeting = { ...seed.greeting, maxLength: 50 };
  await using fixture = new SourceFixture(seed.dial);
  const reading = watch(fixture.read(0, new Uint8Array(100)));
  await fixture.clock.advance(0);
  assertEquals(reading.ending, undefined);
  gate.resolve();
  await fixture.clock.advance(0);
  assert(reading.ending && "error" in reading.ending);
  assert(reading.ending.error instanceof ChangedError);
});

const errorReplies: [string, abstract new (...args: never[]) => P2pError][] = [
  ["ERROR:NOT_FOUND", NotFoundError],
  ["ERROR:BUSY retry-after-ms=5", BusyError],
  ["ERROR:PENDING 50", PendingError],
  ["ERROR:CHANGED", ChangedError],
  ["ERROR:RANGE", ChangedError],
  ["ERROR:AUTH", AuthError],
  ["ERROR:SHUTDOWN", UnreachableError],
  ["ERROR:INTERNAL", UnreachableError],
  ["ERROR:NEVER_HEARD_OF", UnreachableError],
  ["ERROR:BAD_REQUEST", ProtocolError],
  ["ERROR:TOO_LONG", ProtocolError],
];

for (const [line, error] of errorReplies) {
  test(`SeedSource.manifest() throws ${error.name} when the seed answers ${line}`, async () => {
    await using seed = new ScriptedSeed({ a: FILE }, refusing("MANIFEST", line, 1));
    await using fixture = new SourceFixture(seed.dial);
    const asked = () => fixture.source.manifest("a", noAbort);
    await assertRejects(asked, error as typeof P2pError);
    // The connection stays usable.
    assertEquals((await asked())?.layout.size, FILE.length);
    assertEquals(seed.connections, 1);
  });
}

test("SeedSource.manifest() throws ProtocolError for a malformed manifest", async () => {
  await using seed = new ScriptedSeed({ a: FILE }, async (_, client) => {
    await sendBody(client, "{}");
    return "answered";
  });
  await using fixture = new SourceFixture(seed.dial);
  await assertRejects(() => fixture.source.manifest("a", noAbort), ProtocolError);
});

test("SeedSource.size() throws ProtocolError when the seed answers without a size", async () => {
  await using seed = new ScriptedSeed({ a: FILE }, refusing("FILESIZE", "OK 0"));
  await using fixture = new SourceFixture(seed.dial);
  await assertRejects(() => fixture.size(), ProtocolError);
});

test("SeedSource proves the token to a seed that requires it", async () => {
  await using stage = new RawSeed(session(async (line, seed) => {
    await seed.send(line.startsWith("AUTH") ? "OK 0\n" : "SIZE:1\n");
    if (line.startsWith("AUTH")) {
      assertEquals(line, `AUTH ${authResponse("0".repeat(32), "secret")}`);
    }
  }, { auth: "token" }));
  await using fixture = new SourceFixture(stage.dial, { token: "secret" });
  assertEquals(await fixture.size(), 1);
});

test("SeedSource throws TimeoutError, and is troubled, when the connect is not answered", async () => {
  const dial: Dial = (_, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  await using fixture = new SourceFixture(dial);
  const asked = watch(fixture.size());
  await fixture.clock.advance(1000);
  assert(fixture.source.troubled);
  await fixture.clock.advance(CONNECT_MS);
  assert(asked.ending && "error" in asked.ending && asked.ending.error instanceof TimeoutError);
});

test("SeedSource is troubled from a failed connect until a successful one", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  let isUp = false;
  const dial: Dial = (address, signal) =>
    isUp ? seed.dial(address, signal) : Promise.reject(new UnreachableError("refused"));
  await using fixture = new SourceFixture(dial);
  assertEquals(fixture.source.troubled, false);
  await assertRejects(() => fixture.size(), UnreachableError);
  assertEquals(fixture.source.troubled, true);
  isUp = true;
  await fixture.size();
  assertEquals(fixture.source.troubled, false);
});

/** An old seed that has the file "a". */
async function oldSeed(seed: SeedSide): Promise<void> {
  const line = await seed.line() ?? "";
  const [, offset] = line.match(/^DOWNLOAD a\|(\d+)$/) ?? [];
  if (line === "FILESIZE a") await seed.send(`SIZE:${FILE.length}\n`);
  else if (offset !== undefined) await seed.send(FILE.subarray(Number(offset)).subarray(0, 3000));
  else if (line === "LIST") await seed.send("a\n");
}

test("SeedSource sends one-shot requests to an old seed, and greets it only once", async () => {
  const requests: string[] = [];
  await using stage = new RawSeed(async (seed) => {
    const side = { ...seed } as SeedSide;
    side.send = (what) => seed.send(what);
    side.line = async () => {
      const line = await seed.line() ?? "";
      requests.push(line);
      return line;
    };
    await oldSeed(side);
  });
  await using fixture = new SourceFixture(stage.dial);
  assertEquals(await fixture.source.protocol(noAbort), "one-shot");
  assertEquals(await fixture.source.manifest("a", noAbort), undefined);
  assertEquals(await fixture.size(), FILE.length);
  const memory = new Uint8Array(FILE.length);
  await fixture.read(0, memory);
  assertEquals(memory, FILE);
  assertEquals(await fixture.source.list(noAbort), [{ name: "a", size: FILE.length, modified: 0 }]);
  assertEquals(requests.filter((line) => line === "HELLO 2").length, 1);
  assertEquals(stage.open, 0);
});

test("SeedSource limits the connections to an old seed", async () => {
  await using stage = new RawSeed(async (seed) => {
    await oneTurn();
    await oldSeed(seed);
  });
  await using fixture = new SourceFixture(stage.dial, { connections: 2 });
  await Promise.all(Array.from({ length: 20 }, () => fixture.size()));
  assertEquals(stage.mostOpen, 2);
});

test("SeedSource.list() omits what an old seed lists but does not have", async () => {
  await using stage = new RawSeed(async (seed) => {
    const line = await seed.line() ?? "";
    if (line === "LIST") await seed.send("gone\na\n../evil\n");
    else if (line === "FILESIZE a") await seed.send("SIZE:5\n");
    else if (line !== "HELLO 2") await seed.send("ERROR:NOT_FOUND no\n");
  });
  await using fixture = new SourceFixture(stage.dial);
  assertEquals(await fixture.source.list(noAbort), [{ name: "a", size: 5, modified: 0 }]);
});

test("SeedSource.list() omits folders that an old seed lists with a malformed size", async () => {
  await using stage = new RawSeed(async (seed) => {
    const line = await seed.line() ?? "";
    if (line === "LIST") await seed.send("a\ndir\n");
    else if (line === "FILESIZE a") await seed.send("SIZE:5\n");
    else if (line === "FILESIZE dir") await seed.send("SIZE:9223372036854775807\n");
  });
  await using fixture = new SourceFixture(stage.dial);
  assertEquals(await fixture.source.list(noAbort), [{ name: "a", size: 5, modified: 0 }]);
});

test("SeedSource.list() has ended all requests when an old seed fails in the middle", async () => {
  let asked = 0;
  await using stage = new RawSeed(async (seed) => {
    const line = await seed.line() ?? "";
    if (line === "LIST") {
      await seed.send(Array.from({ length: 100 }, (_, i) => `file ${i}\n`).join(""));
    } else if (line !== "HELLO 2") {
      asked++;
      await seed.send("SIZE:not a number\n");
    }
  });
  await using fixture = new SourceFixture(stage.dial, { connections: 4 });
  await assertRejects(() => fixture.source.list(noAbort), ProtocolError);
  assertEquals(stage.open, 0);
  assertLessOrEqual(asked, 40);
});

/** An address at which another seed can take over. */
class SwitchableAddress {
  current: Dial;
  constructor(first: Dial) {
    this.current = first;
  }
  readonly dial: Dial = (address, signal) => this.current(address, signal);
}

/** A seed with both protocols. Greetings for which `answers` is false are not answered until `over`. */
function bothDialects(
  answers: () => boolean,
  greetings: string[] = [],
  over: Promise<void> = Promise.resolve(),
) {
  const manifest = encodeManifest(
    "a",
    makeManifest(6, "07".repeat(32), new Uint8Array(32).fill(7)),
  );
  const greeted = session(async (line, seed) => {
    if (line === "MANIFEST a") await sendBody(seed, manifest);
    else if (line === "LIST") await sendBody(seed, entry("a"));
    else await seed.send("SIZE:6\n");
  });
  return async (seed: SeedSide) => {
    const line = await seed.line();
    if (line === "FILESIZE a") await seed.send("SIZE:6\n");
    else if (line === "LIST") await seed.send("a\n");
    else {
      greetings.push(line ?? "");
      if (!answers()) {
        await seed.untilGone();
        return await over;
      }
      const rest = { line: () => seed.line(), send: (what: string) => seed.send(what) };
      await greeted({ ...rest, line: lineBefore(line, seed) } as SeedSide);
    }
  };
}

/** A stream that begins with `first`. */
function lineBefore(first: string | undefined, seed: SeedSide): () => Promise<string | undefined> {
  let given = false;
  return async () => {
    if (given) return await seed.line();
    given = true;
    return first;
  };
}

test("SeedSource greets a seed that was silent at the greeting again before its file counts as unverified", async () => {
  let stopped = true;
  await using stage = new RawSeed(bothDialects(() => !stopped));
  await using fixture = new SourceFixture(stage.dial);
  const asked = watch(fixture.source.manifest("a", noAbort));
  await fixture.clock.advance(CONNECT_MS - 1);
  stopped = false;
  await fixture.clock.advance(1);
  assert(asked.ending && "value" in asked.ending, "it is not answered");
  assertEquals(asked.ending.value?.layout.size, 6);
  assertEquals(await fixture.source.protocol(noAbort), "session");
});

test("SeedSource lists in a session the files of a seed that was silent at the greeting", async () => {
  let stopped = true;
  await using stage = new RawSeed(bothDialects(() => !stopped));
  await using fixture = new SourceFixture(stage.dial);
  const protocol = watch(fixture.source.protocol(noAbort));
  await fixture.clock.advance(CONNECT_MS);
  assertEquals(protocol.ending, { value: "one-shot" });
  stopped = false;
  assertEquals(await fixture.source.list(noAbort), [{ name: "a", size: 1, modified: 1 }]);
});

test("SeedSource sends one-shot requests to a seed that never answers the greeting, and greets it again at intervals", async () => {
  let silent = true;
  const greetings: string[] = [];
  const over = Promise.withResolvers<void>();
  await using stage = new RawSeed(bothDialects(() => !silent, greetings, over.promise));
  using _over = { [Symbol.dispose]: () => over.resolve() };
  await using fixture = new SourceFixture(stage.dial);
  const asked = watch(fixture.source.manifest("a", noAbort));
  await fixture.clock.advance(CONNECT_MS + 1000);
  assertEquals(asked.ending, { value: undefined });
  assertEquals(greetings.length, 2);
  assertEquals(await fixture.size(), 6);
  assertEquals(greetings.length, 2);
  await fixture.clock.advance(10_000);
  // No request waits for the greeting.
  assertEquals(await fixture.size(), 6);
  await fixture.clock.advance(CONNECT_MS);
  assertEquals(greetings.length, 3);
  silent = false;
  await fixture.clock.advance(10_000);
  assertEquals(await fixture.size(), 6);
  await fixture.clock.advance(0);
  assertEquals(await fixture.source.protocol(noAbort), "session");
  assertEquals((await fixture.source.manifest("a", noAbort))?.layout.size, 6);
});

test("SeedSource does not send one-shot requests to a seed that greeted before and is silent now", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  await using stopped = new RawSeed((side) => side.untilGone());
  const address = new SwitchableAddress(seed.dial);
  await using fixture = new SourceFixture(address.dial);
  await fixture.size();
  seed.hangUp();
  await fixture.clock.advance(0);
  address.current = stopped.dial;
  const asked = assertRejects(() => fixture.source.manifest("a", noAbort), TimeoutError);
  await fixture.clock.advance(CONNECT_MS);
  await asked;
  address.current = seed.dial;
  assertEquals((await fixture.source.manifest("a", noAbort))?.layout.size, FILE.length);
});

test("SeedSource detects the protocol again when a session seed has gone", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  await using old = new RawSeed(oldSeed);
  const address = new SwitchableAddress(seed.dial);
  await using fixture = new SourceFixture(address.dial);
  assertEquals(await fixture.source.protocol(noAbort), "session");
  seed.hangUp();
  await fixture.clock.advance(0);
  address.current = () => Promise.reject(new UnreachableError("refused"));
  await assertRejects(() => fixture.size(), UnreachableError);
  address.current = old.dial;
  assertEquals(await fixture.source.protocol(noAbort), "one-shot");
  assertEquals(await fixture.size(), FILE.length);
});

test("SeedSource sends one-shot requests when a session seed returns as an old one", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  await using old = new RawSeed(oldSeed);
  const address = new SwitchableAddress(seed.dial);
  await using fixture = new SourceFixture(address.dial);
  await fixture.size();
  seed.hangUp();
  await fixture.clock.advance(0);
  address.current = old.dial;
  assertEquals(await fixture.size(), FILE.length);
  assertEquals(await fixture.source.protocol(noAbort), "one-shot");
});

test("SeedSource detects the protocol again when an old seed has gone", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  await using old = new RawSeed(oldSeed);
  const address = new SwitchableAddress(old.dial);
  await using fixture = new SourceFixture(address.dial);
  assertEquals(await fixture.source.protocol(noAbort), "one-shot");
  address.current = () => Promise.reject(new UnreachableError("refused"));
  await assertRejects(() => fixture.size(), UnreachableError);
  address.current = seed.dial;
  assertEquals(await fixture.source.protocol(noAbort), "session");
});

test("SeedSource throws BusyError when the seed is busy, and greets again for the next request", async () => {
  await using seed = new ScriptedSeed({ a: FILE });
  seed.turnsAwayWith = "ERROR:BUSY retry-after-ms=300 full\n";
  await using fixture = new SourceFixture(seed.dial);
  const error = await assertRejects(() => fixture.size(), BusyError);
  assertEquals(error.retryAfterMs, 300);
  seed.turnsAwayWith = undefined;
  assertEquals(await fixture.size(), FILE.length);
});

const noRoom: { name: string; play: (seed: SeedSide) => Promise<void> }[] = [
  {
    name: "is answered with BUSY",
    play: async (seed) => {
      await seed.line();
      await seed.send("ERROR:BUSY retry-after-ms=1000 full house\n");
    },
  },
  { name: "is closed at once", play: () => Promise.resolve() },
  { name: "is not greeted", play: (seed) => seed.untilGone() },
];

for (const { name, play } of noRoom) {
  test(`SeedSource uses the connection that it has when a second one ${name}`, async () => {
    const gate = Promise.withResolvers<void>();
    const slow = session(async (_, seed) => {
      await gate.promise;
      await seed.send("SIZE:5\n");
    });
    await using stage = new RawSeed((seed, connection) =>
      connection === 0 ? slow(seed) : play(seed)
    );
    await using fixture = new SourceFixture(stage.dial, { stallMs: 60_000 });
    const asked = Array.from({ length: 10 }, () => watch(fixture.size()));
    await fixture.clock.advance(CONNECT_MS);
    gate.resolve();
    await fixture.clock.advance(0);
    assertEquals(asked.map(({ ending }) => ending), Array(10).fill({ value: 5 }));
    assertEquals(await fixture.source.protocol(noAbort), "session");
    // It does not connect again and again.
    assertLessOrEqual(stage.connections, 8);
  });
}

test("SeedSource opens more connections again after the delay that the seed asked for", async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let round = 0;
  const slow = session(async (_, seed) => {
    await gates[round]!.promise;
    await seed.send("SIZE:5\n");
  });
  await using stage = new RawSeed(async (seed, connection) => {
    if (connection === 0 || round === 1) return await slow(seed);
    await seed.line();
    await seed.send("ERROR:BUSY retry-after-ms=1000 full house\n");
  });
  await using fixture = new SourceFixture(stage.dial, { connections: 2 });
  for (; round < 2; round++) {
    const asked = Array.from({ length: 10 }, () => fixture.size());
    await fixture.clock.advance(500);
    assertEquals(fixture.source.connections, round + 1);
    gates[round]!.resolve();
    await Promise.all(asked);
    await fixture.clock.advance(1000);
  }
});

test("SeedSource throws when a seed greets and then ends every session at once", async () => {
  await using stage = new RawSeed(async (seed) => {
    await seed.line();
    await seed.send(
      encodeGreeting(new ScriptedSeed().greeting) + "ERROR:SHUTDOWN that was all\n",
    );
  });
  await using fixture = new SourceFixture(stage.dial);
  await assertRejects(() => fixture.size(), UnreachableError);
  assertEquals(stage.connections, 1);
});

test("SeedSource.list() requests all pages", async () => {
  const names = ["a", "b", "c/d", "e"];
  const afters: string[] = [];
  await using seed = new ScriptedSeed({}, async (request, client) => {
    if (request.verb !== "LIST") return undefined;
    afters.push(request.after);
    const left = names.filter((name) => name > request.after);
    const page = encodeListing(left.slice(0, 3).map((name) => ({ name, size: 1, modified: 2 })));
    await client.send(`OK ${page.length}${left.length > 3 ? " more=1" : ""}\n${page}`);
    return "answered";
  });
  await using fixture = new SourceFixture(seed.dial);
  assertEquals((await fixture.source.list(noAbort)).map(({ name }) => name), names);
  assertEquals(afters, ["", "c/d"]);
});

const hostilePages: { name: string; page: (after: string) => string; error: string | undefined }[] =
  [
    { name: "the same page again and again", page: () => entry("a"), error: "sorted" },
    { name: "empty pages", page: () => "", error: undefined },
    { name: "names that are not valid", page: () => entry("../x"), error: undefined },
    {
      name: "one new name after the other",
      page: (after) => entry(String(Number(after || "1000000000") + 1)),
      error: "more than",
    },
    {
      name: "full pages for ever",
      page: (after) => pageBehind(after, MAX_LISTED_FILES),
      error: "more than",
    },
    {
      name: "a page of a line too much",
      page: (after) => pageBehind(after, MAX_LISTED_FILES + 1),
      error: "at most 10000 lines",
    },
  ];

function pageBehind(after: string, lines: number): string {
  const from = Number(after || "1000000000") + 1;
  const line = (_: unknown, i: number) => `{"name":"${from + i}","size":1,"modified":1}\n`;
  return Array.from({ length: lines }, line).join("");
}

function entry(name: string): string {
  return encodeListing([{ name, size: 1, modified: 1 }]);
}

for (const { name, page, error } of hostilePages) {
  test(`SeedSource.list() ends when the seed sends ${name}`, async () => {
    await using seed = new ScriptedSeed({}, async (request, client) => {
      if (request.verb !== "LIST") return undefined;
      const body = page(request.after);
      await client.send(`OK ${body.length} more=1\n${body}`);
      return "answered";
    });
    await using fixture = new SourceFixture(seed.dial);
    const listing = fixture.source.list(noAbort);
    if (error === undefined) assertEquals(await listing, []);
    else await assertRejects(() => listing, ProtocolError, error);
  });
}

test("SeedSource.list() returns nothing when the seed offers nothing", async () => {
  await using seed = new ScriptedSeed();
  await using fixture = new SourceFixture(seed.dial);
  assertEquals(await fixture.source.list(noAbort), []);
});

test("SeedSource[Symbol.asyncDispose]() fails all requests and opens no further connection", async () => {
  await using stage = new RawSeed(session(() => Promise.resolve()));
  const fixture = new SourceFixture(stage.dial, { connections: 1 });
  const asked = Array.from({ length: 20 }, () => watch(fixture.size()));
  await fixture.clock.advance(0);
  await fixture[Symbol.asyncDispose]();
  await fixture.clock.advance(0);
  for (const { ending } of asked) {
    assert(ending && "error" in ending && ending.error instanceof UnreachableError);
  }
  assertEquals([stage.connections, stage.open], [1, 0]);
});

test("SeedSource[Symbol.asyncDispose]() waits until a pending second connection is aborted", async () => {
  const play = session(() => Promise.resolve());
  await using stage = new RawSeed(play);
  let connects = 0;
  let givenUp = false;
  const dial: Dial = async (address, signal) => {
    if (connects++ === 0) return await stage.dial(address, signal);
    await new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true })
    );
    await oneTurn();
    givenUp = true;
    throw signal.reason;
  };
  const fixture = new SourceFixture(dial);
  const asked = Array.from({ length: 5 }, () => assertRejects(() => fixture.size()));
  await fixture.clock.advance(0);
  assertEquals([connects > 1, givenUp], [true, false]);
  await fixture[Symbol.asyncDispose]();
  assertEquals(givenUp, true);
  await Promise.all(asked);
});

test("SeedSource[Symbol.asyncDispose]() ends the first greeting", async () => {
  await using stage = new RawSeed((seed) => seed.untilGone());
  const fixture = new SourceFixture(stage.dial);
  const asked = watch(fixture.size());
  await fixture.clock.advance(0);
  await fixture[Symbol.asyncDispose]();
  await oneTurn();
  assert(asked.ending && "error" in asked.ending);
  assertEquals(stage.open, 0);
});

test("SeedSource throws the signal's reason when it aborts while all connections are taken", async () => {
  await using stage = new RawSeed(session(() => Promise.resolve(), { maxInflight: 1 }));
  await using fixture = new SourceFixture(stage.dial, { connections: 1 });
  const first = assertRejects(() => fixture.size(), UnreachableError);
  await fixture.clock.advance(0);
  const stop = new AbortController();
  const waiting = assertRejects(() => fixture.size(stop.signal), Error, "aborted by the test");
  await fixture.clock.advance(0);
  stop.abort(new Error("aborted by the test"));
  await waiting;
  await fixture.source[Symbol.asyncDispose]();
  await first;
});
