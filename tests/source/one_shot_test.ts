import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { P2pError, ProtocolError, TimeoutError, UnreachableError } from "../../core/base/errors.ts";
import { OneShotSource } from "../../core/source/one_shot.ts";
import { ManualClock } from "../support/manual_clock.ts";
import type { ByteStream } from "../../core/source/transport.ts";
import { SeedSide } from "../support/scripted_seed.ts";
import { ADDRESS, noAbort, RawSeed, thrownBy, watch } from "./support.ts";
import { bytesOf, patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const OPTIONS = { onBytes: () => {}, rateLimit: undefined };

/** Content of a seed without manifests. */
function contentOf(name: string, size: number) {
  return { name, id: null, size };
}

const STALL_MS = 5000;

/** A one-shot client of a seed whose connections are handled by `play`. */
class OneShotFixture implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly seed: RawSeed;
  readonly client: OneShotSource;
  readonly requests: string[] = [];

  constructor(play: (request: string, seed: SeedSide, connection: number) => Promise<void>) {
    this.seed = new RawSeed(async (seed, connection) => {
      const request = await seed.line() ?? "";
      this.requests.push(request);
      await play(request, seed, connection);
    });
    this.client = new OneShotSource("seed", {
      clock: this.clock,
      stallMs: STALL_MS,
      connect: (signal) => this.seed.dial(ADDRESS, signal),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    assertEquals(this.clock.pending, 0, "a timer is still set");
    assertEquals(this.seed.open, 0, "a connection is still open");
    await this.seed[Symbol.asyncDispose]();
  }
}

/** Answers each DOWNLOAD with at most `chunkBytes` bytes. */
function chunks(content: Uint8Array, chunkBytes: number) {
  return async (request: string, seed: SeedSide) => {
    const offset = Number(request.split("|").at(-1));
    await seed.send(content.subarray(offset, offset + chunkBytes));
  };
}

const FILE = patternOf(100);
for (const chunkBytes of [1, 7, 32, 60, 99, 100, 5000]) {
  test(`OneShotSource.read() fills the memory when the seed sends ${chunkBytes} bytes at a time`, async () => {
    await using fixture = new OneShotFixture(chunks(FILE, chunkBytes));
    const memory = new Uint8Array(60);
    let reported = 0;
    await fixture.client.read(contentOf("a|b", 100), { start: 20, end: 80 }, memory, {
      onBytes: (count: number) => reported += count,
      rateLimit: undefined,
    }, noAbort);
    assertEquals(memory, FILE.subarray(20, 80));
    assertEquals(reported, 60);
    assertEquals(fixture.requests.length, Math.ceil(60 / chunkBytes));
    assertEquals(fixture.requests[0], "DOWNLOAD a|b|20");
  });
}

test("OneShotSource.read() reads a chunk that comes in many parts", async () => {
  await using fixture = new OneShotFixture(async (_, seed) => {
    for (const byte of FILE) await seed.send(Uint8Array.of(byte));
  });
  const memory = new Uint8Array(100);
  await fixture.client.read(contentOf("a", 100), { start: 0, end: 100 }, memory, OPTIONS, noAbort);
  assertEquals(memory, FILE);
  assertEquals(fixture.seed.connections, 1);
});

test("OneShotSource.read() throws ProtocolError when the seed sends more than the file has", async () => {
  await using fixture = new OneShotFixture(async (_, seed) => await seed.send(patternOf(101)));
  const memory = new Uint8Array(50);
  const reading = fixture.client.read(
    contentOf("a", 100),
    { start: 50, end: 100 },
    memory,
    OPTIONS,
    noAbort,
  );
  await assertRejects(() => reading, ProtocolError);
});

test("OneShotSource.read() ignores NUL padding after the last byte", async () => {
  await using fixture = new OneShotFixture(async (_, seed) => {
    await seed.send(FILE);
    await seed.send(new Uint8Array(5000));
  });
  const memory = new Uint8Array(100);
  await fixture.client.read(contentOf("a", 100), { start: 0, end: 100 }, memory, OPTIONS, noAbort);
  assertEquals(memory, FILE);
});

test("OneShotSource.read() throws ProtocolError when NUL padding does not end", async () => {
  await using fixture = new OneShotFixture(async (_, seed) => {
    await seed.send(FILE);
    for (;;) await seed.send(new Uint8Array(5000));
  });
  const memory = new Uint8Array(100);
  const reading = fixture.client.read(
    contentOf("a", 100),
    { start: 0, end: 100 },
    memory,
    OPTIONS,
    noAbort,
  );
  await assertRejects(() => reading, ProtocolError);
});

/** A stream of `parts`, followed by a reset. */
function resetAfter(...parts: Uint8Array[]): ByteStream {
  return {
    peer: "seed",
    released: Promise.resolve(),
    read(into) {
      const part = parts.shift();
      if (!part) return Promise.reject(new Deno.errors.ConnectionReset("Connection reset by peer"));
      into.set(part);
      return Promise.resolve(part.length);
    },
    write: () => Promise.resolve(),
    // The other end has already closed.
    endWriting: () => Promise.reject(new Deno.errors.NotConnected("not connected")),
    close() {},
    [Symbol.dispose]() {},
  };
}

test("OneShotSource accepts a reply that ends with a reset", async () => {
  const streams = [
    resetAfter(bytesOf("SIZE:100\n")),
    resetAfter(FILE.subarray(0, 60)),
    resetAfter(FILE.subarray(60)),
  ];
  const client = new OneShotSource("seed", {
    clock: new ManualClock(),
    stallMs: STALL_MS,
    connect: () => Promise.resolve(streams.shift()!),
  });
  const size = await client.reply({ verb: "FILESIZE", name: "a" }, noAbort);
  assertEquals(size, bytesOf("SIZE:100\n"));
  const memory = new Uint8Array(100);
  await client.read(contentOf("a", 100), { start: 0, end: 100 }, memory, OPTIONS, noAbort);
  assertEquals(memory, FILE);
});

test("OneShotSource.read() throws UnreachableError when a reply is empty", async () => {
  await using fixture = new OneShotFixture(async (_, seed, connection) => {
    if (connection === 0) await seed.send(FILE.subarray(0, 10));
  });
  const memory = new Uint8Array(100);
  const reading = fixture.client.read(
    contentOf("a", 100),
    { start: 0, end: 100 },
    memory,
    OPTIONS,
    noAbort,
  );
  await assertRejects(() => reading, UnreachableError, "byte 10");
  assertEquals(fixture.seed.connections, 2);
});

test("OneShotSource.read() throws TimeoutError when a chunk stalls", async () => {
  const gate = Promise.withResolvers<void>();
  await using fixture = new OneShotFixture(async (_, seed) => {
    await seed.send(FILE.subarray(0, 10));
    await gate.promise;
  });
  const memory = new Uint8Array(100);
  const reading = watch(
    fixture.client.read(contentOf("a", 100), { start: 0, end: 100 }, memory, OPTIONS, noAbort),
  );
  await fixture.clock.advance(STALL_MS - 1);
  assertEquals(reading.ending, undefined);
  await fixture.clock.advance(1);
  await assertRejects(() => endingOf(reading), TimeoutError);
  gate.resolve();
});

test("OneShotSource.read() throws the signal's reason and writes no more when it aborts", async () => {
  const gate = Promise.withResolvers<void>();
  await using fixture = new OneShotFixture(async (_, seed) => {
    await seed.send(FILE.subarray(0, 10));
    await gate.promise;
    await seed.send(FILE.subarray(10));
  });
  const stop = new AbortController();
  const reason = new Error("aborted by the test");
  const memory = new Uint8Array(100);
  const reading = fixture.client.read(
    contentOf("a", 100),
    { start: 0, end: 100 },
    memory,
    OPTIONS,
    stop.signal,
  );
  await fixture.clock.advance(0);
  stop.abort(reason);
  assertStrictEquals(await thrownBy(reading), reason as P2pError);
  memory.fill(0xaa);
  gate.resolve();
  await fixture.clock.advance(0);
  assertEquals(memory, new Uint8Array(100).fill(0xaa));
});

test("OneShotSource.reply() returns the complete reply, wherever its characters are cut", async () => {
  const reply = bytesOf("naïve 😀\nSIZE\n");
  await using fixture = new OneShotFixture(async (_, seed) => {
    for (const byte of reply) {
      await seed.send(Uint8Array.of(byte));
      await fixture.clock.advance(0);
    }
  });
  assertEquals(await fixture.client.reply({ verb: "LIST" }, noAbort), reply);
});

test("OneShotSource.reply() throws ProtocolError when the reply does not end", async () => {
  const noise = new Uint8Array(1024 * 1024).fill(0x78);
  await using fixture = new OneShotFixture(async (_, seed) => {
    for (;;) await seed.send(noise);
  });
  await assertRejects(
    () => fixture.client.reply({ verb: "LIST" }, noAbort),
    ProtocolError,
    "endless",
  );
});

test("OneShotSource.reply() throws UnreachableError when the connection is reset", async () => {
  // Closing with the request unread resets the connection.
  const seed = new RawSeed(() => Promise.resolve());
  await using _stage = seed;
  const client = new OneShotSource("seed", {
    clock: new ManualClock(),
    stallMs: STALL_MS,
    connect: (signal) => seed.dial(ADDRESS, signal),
  });
  await assertRejects(() => client.reply({ verb: "LIST" }, noAbort), UnreachableError);
  assertEquals(seed.open, 0);
});

/** Replies only to requests that end with the end of stream, or only to those that do not. */
function hearing(ends: boolean) {
  return new RawSeed(async (seed) => {
    const request = await withinATurn(seed);
    if ((request.end === "ended") === ends) await seed.send(`SIZE:${request.text.length}\n`);
  });
}

/** The request, and whether the client ended its direction at once. */
async function withinATurn(seed: SeedSide): Promise<{ text: string; end: "ended" | "open" }> {
  const line = seed.line();
  const turn = new ManualClock().advance(0).then(() => "open" as const);
  const end = await Promise.race([line.then(() => "ended" as const), turn]);
  if (end === "ended") return { text: await line ?? "", end };
  // No line end and no end of stream: the request stays in the buffer.
  line.catch(() => {});
  return { text: "FILESIZE a", end };
}

for (const ends of [true, false]) {
  test(`OneShotSource.reply() finds out that the seed ${ends ? "answers" : "does not answer"} a request that ends with the end of stream`, async () => {
    const clock = new ManualClock();
    await using seed = hearing(ends);
    const client = new OneShotSource("seed", {
      clock,
      stallMs: STALL_MS,
      connect: (signal) => seed.dial(ADDRESS, signal),
    });
    const ask = () => client.reply({ verb: "FILESIZE", name: "a" }, noAbort);
    assertEquals(await ask(), bytesOf("SIZE:10\n"));
    assertEquals(seed.connections, ends ? 1 : 2);
    // The next request uses the result.
    assertEquals(await ask(), bytesOf("SIZE:10\n"));
    assertEquals(seed.connections, ends ? 2 : 3);
    assertEquals(seed.open, 0);
    assertEquals(clock.pending, 0);
  });
}

test("OneShotSource.reply() returns an empty reply when both attempts do", async () => {
  await using seed = new RawSeed(async (seed) => void await withinATurn(seed));
  const client = new OneShotSource("seed", {
    clock: new ManualClock(),
    stallMs: STALL_MS,
    connect: (signal) => seed.dial(ADDRESS, signal),
  });
  assertEquals(await client.reply({ verb: "LIST" }, noAbort), new Uint8Array());
  assertEquals(seed.connections, 2);
});

async function endingOf<T>(seen: ReturnType<typeof watch<T>>): Promise<T> {
  await Promise.resolve();
  if (seen.ending === undefined) throw new Error("It is still under way");
  if ("error" in seen.ending) throw seen.ending.error;
  return seen.ending.value;
}

test("OneShotSource.read() waits for the rate limit before every chunk", async () => {
  const USUAL_CHUNK_BYTES = 32 * 1024;
  const file = patternOf(3 * USUAL_CHUNK_BYTES);
  const story: string[] = [];
  const answer = chunks(file, 20_000);
  await using fixture = new OneShotFixture((request, seed) => {
    story.push("asks");
    return answer(request, seed);
  });
  const pace = {
    maxBytes: 1024,
    wait: (bytes: number) => Promise.resolve(void story.push(String(bytes))),
  };
  const memory = new Uint8Array(50_000);
  const range = { start: 0, end: memory.length };
  const options = { onBytes: () => {}, rateLimit: pace };
  await fixture.client.read(contentOf("a", file.length), range, memory, options, noAbort);
  assertEquals(memory, file.subarray(0, memory.length));
  // The first chunk has the default size; each later one that of the chunk before.
  assertEquals(story, [`${USUAL_CHUNK_BYTES}`, "asks", "20000", "asks", "10000", "asks"]);
});

test("OneShotSource.read() requests nothing when the signal aborts during the wait for the rate limit", async () => {
  await using fixture = new OneShotFixture(chunks(FILE, 10));
  const stop = new AbortController();
  const pace = {
    maxBytes: 1024,
    wait: (_: number, signal: AbortSignal) => fixture.clock.sleep(1000, signal),
  };
  const options = { onBytes: () => {}, rateLimit: pace };
  const memory = new Uint8Array(100);
  const range = { start: 0, end: 100 };
  const thrown = thrownBy(
    fixture.client.read(contentOf("a", 100), range, memory, options, stop.signal),
  );
  await fixture.clock.advance(1500);
  assertEquals(fixture.requests.length, 1);
  stop.abort(new Error("enough"));
  assertEquals((await thrown).message, "enough");
  assertEquals(fixture.requests.length, 1);
});

for (const verb of ["FILESIZE", "LIST"] as const) {
  test(`OneShotSource.reply() reads no more of a reply to ${verb} than the limit`, async () => {
    let sent = 0;
    const part = "x".repeat(1000);
    await using fixture = new OneShotFixture(async (_, seed) => {
      for (; sent < 1_000_000; sent += part.length) await seed.send(part);
      if (verb === "LIST") await seed.send("\n");
    });
    const request = verb === "LIST" ? { verb } : { verb, name: "a" };
    const text = fixture.client.reply(request, noAbort);
    if (verb === "LIST") return assertEquals((await text).length, 1_000_001);
    await assertRejects(() => text, ProtocolError, "endless");
    // The buffers of a connection were filled, but not more.
    assert(sent < 200_000, `${sent} bytes were sent`);
  });
}

test("OneShotSource.reply() accepts a reply to FILESIZE of the maximum length of a line", async () => {
  const longest = `SIZE:${"0".repeat(4096 - 5)}\n`;
  await using fixture = new OneShotFixture(async (_, seed) => await seed.send(longest));
  assertEquals(
    await fixture.client.reply({ verb: "FILESIZE", name: "a" }, noAbort),
    bytesOf(longest),
  );
});

test("OneShotSource.reply() throws TimeoutError when the seed does not read the request", async () => {
  const clock = new ManualClock();
  let closed = false;
  const gone = Promise.withResolvers<never>();
  const client = new OneShotSource("seed", {
    clock,
    stallMs: STALL_MS,
    connect: () =>
      Promise.resolve({
        peer: "seed",
        released: Promise.resolve(),
        read: () => gone.promise,
        write: () => gone.promise,
        endWriting: () => Promise.resolve(),
        close: () => {
          closed = true;
          gone.reject(new Deno.errors.Interrupted("The stream was closed"));
        },
        [Symbol.dispose]() {},
      }),
  });
  const asked = assertRejects(() => client.reply({ verb: "LIST" }, noAbort), TimeoutError);
  await clock.advance(STALL_MS);
  await asked;
  assertEquals([closed, clock.pending], [true, 0]);
});
