import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { ProtocolError, TimeoutError, UnreachableError } from "../../core/base/errors.ts";
import { type BodyTarget, SessionConnection } from "../../core/source/session_connection.ts";
import type { ByteStream } from "../../core/source/transport.ts";
import { ReadBuffer } from "../../core/protocol/read_buffer.ts";
import type { SessionRequest } from "../../core/protocol/requests.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { SeedSide } from "../support/scripted_seed.ts";
import { noAbort, thrownBy, watch } from "./support.ts";
import { bytesOf, patternOf } from "../support/bytes.ts";
import { test } from "../support/test.ts";

const GREETING = {
  agent: "test",
  nonce: "0".repeat(32),
  auth: "none",
  maxLength: 1_048_576,
  maxInflight: 16,
  features: [],
} as const;
const STALL_MS = 5000;
const IDLE_MS = 20_000;
const PING: SessionRequest = { verb: "PING" };
const NONE: BodyTarget = { kind: "none" };

/** A connection after its greeting; the test plays the seed. */
class ConnectionFixture implements AsyncDisposable {
  readonly clock = new ManualClock(1_000_000);
  readonly seed: SeedSide;
  readonly connection: SessionConnection;
  readonly stream: ByteStream;
  closes = 0;
  readonly #seedStream: ByteStream;

  constructor() {
    const [client, seed] = memoryPair();
    this.stream = client;
    this.#seedStream = seed;
    this.seed = new SeedSide(seed);
    const limits = { clock: this.clock, stallMs: STALL_MS, idleMs: IDLE_MS };
    const buffer = new ReadBuffer();
    const onChange = () => {
      if (this.connection.closed) this.closes++;
    };
    this.connection = new SessionConnection("seed", client, buffer, GREETING, limits, onChange);
  }

  request(request: SessionRequest, target: BodyTarget, signal = noAbort) {
    return this.connection.request(request, target, signal);
  }

  /** Requests a range as long as `bytes`. */
  download(bytes: Uint8Array, signal = noAbort) {
    const range = { start: 0, end: bytes.length };
    return this.request({ verb: "DOWNLOAD", name: "a", range }, { kind: "into", bytes }, signal);
  }

  /** Runs everything that does not wait for time or bytes. */
  async settle(): Promise<void> {
    await this.clock.advance(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection[Symbol.asyncDispose]();
    this.#seedStream.close();
    assertEquals(this.clock.pending, 0, "a timer is still set");
    assertEquals(this.closes, 1, "the end must be reported once");
  }
}

test("SessionConnection.request() returns the reply of each of several pipelined requests", async () => {
  await using fixture = new ConnectionFixture();
  const replies = [
    fixture.request({ verb: "FILESIZE", name: "a" }, NONE),
    fixture.request({ verb: "FILESIZE", name: "b" }, NONE),
    fixture.request({ verb: "MANIFEST", name: "c" }, { kind: "upTo", bytes: 100 }),
    fixture.request(PING, NONE),
  ];
  assertEquals(fixture.connection.depth, 4);
  assertEquals(await fixture.seed.line(), "FILESIZE a");
  assertEquals(await fixture.seed.line(), "FILESIZE b");
  assertEquals(await fixture.seed.line(), "MANIFEST c");
  assertEquals(await fixture.seed.line(), "PING");
  await fixture.seed.send("SIZE:7\nERROR:NOT_FOUND no\nOK 3 more=1\nxyzOK 0\n");
  const [size, error, body, pong] = await Promise.all(replies);
  assertEquals(size!.reply, { kind: "size", size: 7 });
  assert(error!.reply.kind === "error" && error!.reply.error.code === "NOT_FOUND");
  assertEquals(body!.body, bytesOf("xyz"));
  assert(body!.reply.kind === "ok" && body!.reply.fields.get("more") === "1");
  assertEquals(pong!.body.length, 0);
  assertEquals(fixture.connection.depth, 0);
});

test("SessionConnection.request() writes a body into the given memory only", async () => {
  await using fixture = new ConnectionFixture();
  const memory = new Uint8Array(300_004).fill(0xee);
  const content = patternOf(300_000);
  const asked = fixture.download(memory.subarray(2, 300_002));
  await fixture.seed.send("OK 300000\n");
  await fixture.seed.send(content);
  const { body } = await asked;
  assertStrictEquals(body.buffer, memory.buffer);
  assertEquals(body, content);
  assertEquals([memory[0], memory[1], memory[300_002], memory[300_003]], [0xee, 0xee, 0xee, 0xee]);
});

test("SessionConnection.request() reports all bytes of a body as they come", async () => {
  await using fixture = new ConnectionFixture();
  const counts: number[] = [];
  const range = { start: 0, end: 10 };
  const bytes = new Uint8Array(10);
  const target = { kind: "into", bytes, onBytes: (count: number) => counts.push(count) } as const;
  const asked = fixture.request({ verb: "DOWNLOAD", name: "a", range }, target, noAbort);
  await fixture.seed.send("OK 10\nabcd");
  await fixture.settle();
  assertEquals(counts, [4]);
  await fixture.seed.send("efghij");
  await asked;
  assertEquals(counts, [4, 6]);
});

const STREAM = bytesOf("OK 5\nhelloSIZE:12\r\nERROR:BUSY retry-after-ms=5 x\nOK 3 a=b\nabcOK 0\n");

async function expectWholeStream(pieces: readonly Uint8Array[]): Promise<void> {
  await using fixture = new ConnectionFixture();
  const memory = new Uint8Array(5);
  const asked = Promise.all([
    fixture.download(memory),
    fixture.request({ verb: "FILESIZE", name: "a" }, NONE),
    fixture.request(PING, NONE),
    fixture.request({ verb: "LIST", after: "" }, { kind: "upTo", bytes: 3 }),
    fixture.request(PING, NONE),
  ]);
  for (const piece of pieces) {
    await fixture.seed.send(piece);
    await fixture.settle();
  }
  const answers = await asked;
  assertEquals(memory, bytesOf("hello"));
  assertEquals(answers[1].reply, { kind: "size", size: 12 });
  assert(answers[2].reply.kind === "error" && answers[2].reply.error.code === "BUSY");
  assertEquals(answers[3].body, bytesOf("abc"));
  assertEquals(answers[4].reply.kind, "ok");
}

test("SessionConnection.request() parses replies wherever the stream is cut", async () => {
  for (let cut = 1; cut < STREAM.length; cut++) {
    await expectWholeStream([STREAM.subarray(0, cut), STREAM.subarray(cut)]);
  }
});

test("SessionConnection.request() parses replies when the stream comes byte by byte", async () => {
  await expectWholeStream(Array.from(STREAM, (byte) => Uint8Array.of(byte)));
});

const wrongReplies: { name: string; request: SessionRequest; target: BodyTarget; reply: string }[] =
  [
    { name: "a body that is too short", ...into(5), reply: "OK 4\n" },
    { name: "a body that is too long", ...into(5), reply: "OK 6\n" },
    { name: "no body", ...into(5), reply: "OK 0\n" },
    { name: "a size instead of a body", ...into(5), reply: "SIZE:5\n" },
    { name: "a body that was not requested", request: PING, target: NONE, reply: "OK 1\n" },
    {
      name: "a body beyond the limit",
      request: { verb: "LIST", after: "" },
      target: { kind: "upTo", bytes: 9 },
      reply: "OK 10\n",
    },
    { name: "no reply of this protocol", request: PING, target: NONE, reply: "hello\n" },
    { name: "a length with a sign", request: PING, target: NONE, reply: "OK +0\n" },
    { name: "an endless line", request: PING, target: NONE, reply: "x".repeat(5000) },
    {
      name: "a size beyond all files",
      request: PING,
      target: NONE,
      reply: "SIZE:99999999999999999\n",
    },
  ];

function into(length: number) {
  const request: SessionRequest = { verb: "DOWNLOAD", name: "a", range: { start: 0, end: length } };
  const target: BodyTarget = { kind: "into", bytes: new Uint8Array(length) };
  return { request, target };
}

for (const { name, request, target, reply } of wrongReplies) {
  test(`SessionConnection.request() throws ProtocolError only for the request that is answered, and closes, when the seed sends ${name}`, async () => {
    await using fixture = new ConnectionFixture();
    const asked = assertRejects(() => fixture.request(request, target), ProtocolError);
    const others = [fixture.request(PING, NONE), fixture.download(new Uint8Array(9))];
    // The reply was not theirs, so they may be sent to the seed again.
    const lost = others.map((other) => assertRejects(() => other, UnreachableError, "seed"));
    await fixture.seed.send(reply);
    await Promise.all([asked, ...lost]);
    assert(fixture.connection.closed);
  });
}

test("SessionConnection.request() throws ProtocolError when a line is not UTF-8", async () => {
  await using fixture = new ConnectionFixture();
  const asked = assertRejects(() => fixture.request(PING, NONE), ProtocolError);
  await fixture.seed.send(Uint8Array.of(0x4f, 0x4b, 0xff, 0x0a));
  await asked;
});

const ends: { name: string; end: (fixture: ConnectionFixture) => void | Promise<void> }[] = [
  { name: "closes", end: (fixture) => fixture.seed.close() },
  {
    name: "closes in the middle of a body",
    end: (fixture) => closeAfter(fixture, "OK 100\nhalf of it"),
  },
  { name: "closes in the middle of a line", end: (fixture) => closeAfter(fixture, "OK 10") },
];

async function closeAfter({ seed }: ConnectionFixture, said: string): Promise<void> {
  // After the requests are read, the close is no reset.
  for (let line = 0; line < 3; line++) await seed.line();
  await seed.send(said);
  seed.close();
}

for (const { name, end } of ends) {
  test(`SessionConnection.request() throws UnreachableError for all pending requests when the seed ${name}`, async () => {
    await using fixture = new ConnectionFixture();
    const memory = new Uint8Array(100);
    const asked = [
      fixture.download(memory),
      fixture.request(PING, NONE),
      fixture.request(PING, NONE),
    ];
    const thrown = asked.map((one) => assertRejects(() => one, UnreachableError));
    await fixture.settle();
    await end(fixture);
    await Promise.all(thrown);
    assert(fixture.connection.closed);
    assertEquals(fixture.connection.depth, 0);
  });
}

test("SessionConnection.request() throws UnreachableError when the connection has already ended", async () => {
  await using fixture = new ConnectionFixture();
  fixture.seed.close();
  await fixture.settle();
  assert(fixture.connection.closed);
  await assertRejects(() => fixture.request(PING, NONE), UnreachableError);
});

test("SessionConnection closes when the seed sends a line without a request", async () => {
  await using fixture = new ConnectionFixture();
  await fixture.seed.send("ERROR:SHUTDOWN bye\n");
  await fixture.settle();
  assert(fixture.connection.closed);
});

test("SessionConnection.request() does not count the time in which the process was suspended", async () => {
  await using fixture = new ConnectionFixture();
  const asked = watch(fixture.request(PING, NONE));
  await fixture.clock.oversleep(185_000);
  assertEquals(asked.ending, undefined);
  // Nor does another request right after it.
  const other = watch(fixture.request(PING, NONE));
  await fixture.clock.advance(STALL_MS - 1);
  assertEquals([asked.ending, other.ending], [undefined, undefined]);
  await fixture.clock.advance(1);
  assert(asked.ending && "error" in asked.ending && asked.ending.error instanceof TimeoutError);
  assertEquals(asked.ending.error.message, "seed stalled: nothing came for 5.0 s");
});

test("SessionConnection.request() throws TimeoutError when nothing comes for the stall time", async () => {
  await using fixture = new ConnectionFixture();
  const first = watch(fixture.request(PING, NONE));
  const second = watch(fixture.download(new Uint8Array(10)));
  await fixture.clock.advance(STALL_MS - 1);
  assertEquals([first.ending, second.ending], [undefined, undefined]);
  await fixture.clock.advance(1);
  assert(first.ending && "error" in first.ending && first.ending.error instanceof TimeoutError);
  assert(second.ending && "error" in second.ending && second.ending.error instanceof TimeoutError);
  assert(fixture.connection.closed);
});

test("SessionConnection.request() waits as long as bytes come, however slowly", async () => {
  await using fixture = new ConnectionFixture();
  const memory = new Uint8Array(4);
  const asked = fixture.download(memory);
  await fixture.seed.send("OK 4\n");
  for (const byte of [1, 2, 3, 4]) {
    await fixture.clock.advance(STALL_MS - 1);
    await fixture.seed.send(Uint8Array.of(byte));
  }
  await asked;
  assertEquals(memory, Uint8Array.of(1, 2, 3, 4));
});

test("SessionConnection.request() measures silence from the request, not from the last reply", async () => {
  await using fixture = new ConnectionFixture();
  await fixture.clock.advance(STALL_MS * 3);
  const asked = fixture.request(PING, NONE);
  await fixture.clock.advance(STALL_MS - 1);
  await fixture.seed.send("OK 0\n");
  await asked;
});

test("SessionConnection closes when it has been idle for the idle time", async () => {
  await using fixture = new ConnectionFixture();
  await fixture.clock.advance(IDLE_MS - 1);
  const asked = fixture.request(PING, NONE);
  await fixture.seed.send("OK 0\n");
  await asked;
  await fixture.clock.advance(IDLE_MS - 1);
  assertFalse(fixture.connection.closed);
  await fixture.clock.advance(1);
  assert(fixture.connection.closed);
});

test("SessionConnection.request() sends nothing when its signal has already aborted", async () => {
  await using fixture = new ConnectionFixture();
  const reason = new Error("aborted by the test");
  await assertRejects(
    () => fixture.request(PING, NONE, AbortSignal.abort(reason)),
    Error,
    "aborted by",
  );
  assertEquals(fixture.connection.depth, 0);
  const next = fixture.request({ verb: "FILESIZE", name: "a" }, NONE);
  assertEquals(await fixture.seed.line(), "FILESIZE a");
  await fixture.seed.send("SIZE:1\n");
  await next;
});

/** A request that is aborted after `before` bytes of its body. */
async function abortAfter(fixture: ConnectionFixture, length: number, before: number) {
  const memory = new Uint8Array(length);
  const stop = new AbortController();
  const reason = new Error("aborted by the test");
  const asked = watch(fixture.download(memory, stop.signal));
  const content = patternOf(length);
  await fixture.seed.line();
  if (before > 0) {
    await fixture.seed.send(`OK ${length}\n`);
    await fixture.seed.send(content.subarray(0, before));
  }
  await fixture.settle();
  stop.abort(reason);
  await fixture.settle();
  return { memory, asked, content, reason };
}

for (const before of [0, 1, 40, 99]) {
  test(`SessionConnection.request() never writes to the memory of a request that was aborted after ${before} bytes`, async () => {
    await using fixture = new ConnectionFixture();
    const other = fixture.request({ verb: "FILESIZE", name: "b" }, NONE);
    const { memory, asked, content, reason } = await abortAfter(fixture, 100, 0);
    // The other request is first: this one settles although nothing has come yet.
    assertEquals(asked.ending, { error: reason });
    memory.fill(0xaa);
    await fixture.seed.send("SIZE:5\nOK 100\n");
    await fixture.seed.send(content.subarray(0, before));
    await fixture.settle();
    await fixture.seed.send(content.subarray(before));
    await other;
    const next = fixture.request(PING, NONE);
    await fixture.seed.send("OK 0\n");
    await next;
    assertEquals(memory, new Uint8Array(100).fill(0xaa));
  });

  test(`SessionConnection.request() frees its memory when it settles after an abort at byte ${before} of its body`, async () => {
    await using fixture = new ConnectionFixture();
    const { memory, asked, content, reason } = await abortAfter(fixture, 100, before);
    if (before === 0) await fixture.seed.send("OK 100\n");
    await fixture.seed.send(content.subarray(before, before + 1));
    await fixture.settle();
    assertEquals(asked.ending, { error: reason });
    memory.fill(0xaa);
    await fixture.seed.send(content.subarray(before + 1));
    const next = fixture.request(PING, NONE);
    await fixture.seed.send("OK 0\n");
    await next;
    assertEquals(memory, new Uint8Array(100).fill(0xaa));
    assertFalse(fixture.connection.closed);
  });
}

for (const event of ["an abort", "the connection is closed"]) {
  test(`SessionConnection.request() settles only when the read into its memory has ended after ${event}`, async () => {
    const seed = new LateReads();
    const clock = new ManualClock();
    const limits = { clock, stallMs: STALL_MS, idleMs: IDLE_MS };
    const buffer = new ReadBuffer();
    await using connection = new SessionConnection(
      "seed",
      seed,
      buffer,
      GREETING,
      limits,
      () => {},
    );
    const memory = new Uint8Array(100);
    const stop = new AbortController();
    const range = { start: 0, end: 100 };
    const target = { kind: "into", bytes: memory } as const;
    const asked = connection.request({ verb: "DOWNLOAD", name: "a", range }, target, stop.signal);
    // The next owner of the memory uses it at once.
    asked.catch(() => memory.fill(0xaa));
    await clock.advance(0);
    seed.bring(bytesOf("OK 100\n"));
    await clock.advance(0);
    if (event === "an abort") stop.abort(new Error("aborted by the test"));
    else connection.close();
    await clock.advance(0);
    seed.bring(patternOf(50));
    await assertRejects(() => asked);
    assertEquals(memory, new Uint8Array(100).fill(0xaa));
    await clock.advance(0);
    seed.bring(null);
  });
}

/** A stream whose reads end when a test says so, even after it was closed. */
class LateReads implements ByteStream {
  readonly peer = "seed";
  readonly released = Promise.resolve();
  #read: ((bytes: Uint8Array | null) => void) | undefined;
  #closed = false;

  read(into: Uint8Array): Promise<number | null> {
    if (this.#closed) return Promise.reject(new Deno.errors.BadResource("closed"));
    return new Promise((resolve) => {
      this.#read = (bytes) => {
        if (bytes) into.set(bytes);
        resolve(bytes && bytes.length);
      };
    });
  }

  bring(bytes: Uint8Array | null): void {
    this.#read?.(bytes);
  }

  write(): Promise<void> {
    return Promise.resolve();
  }

  endWriting(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.#closed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

test("SessionConnection.request() ends soon after an abort when the seed stalls within a small body", async () => {
  await using fixture = new ConnectionFixture();
  const { asked, reason } = await abortAfter(fixture, 100, 40);
  await fixture.clock.advance(STALL_MS / 10);
  assertEquals(asked.ending, { error: reason });
  assert(fixture.connection.closed);
});

test("SessionConnection.request() closes the connection at once when a large body is aborted", async () => {
  await using fixture = new ConnectionFixture();
  const { asked, reason } = await abortAfter(fixture, 1_000_000, 10);
  assertEquals(asked.ending, { error: reason });
  assert(fixture.connection.closed);
});

test("SessionConnection.request() closes the connection when a large body is aborted before it began", async () => {
  await using fixture = new ConnectionFixture();
  const { asked, reason } = await abortAfter(fixture, 1_000_000, 0);
  assertEquals(asked.ending, { error: reason });
  assert(fixture.connection.closed);
});

test("SessionConnection.request() discards a large body when other requests are pending", async () => {
  await using fixture = new ConnectionFixture();
  const memory = new Uint8Array(1_000_000);
  const stop = new AbortController();
  const aborted = watch(fixture.download(memory, stop.signal));
  const wanted = new Uint8Array(100_000);
  const other = fixture.download(wanted);
  await fixture.seed.send("OK 1000000\nabc");
  await fixture.settle();
  stop.abort(new Error("aborted by the test"));
  await fixture.seed.send(patternOf(999_997));
  assert(aborted.ending && "error" in aborted.ending);
  memory.fill(0xaa);
  await fixture.seed.send("OK 100000\n");
  await fixture.seed.send(patternOf(100_000, 2));
  await other;
  assertEquals(wanted, patternOf(100_000, 2));
});

test("SessionConnection.request() throws the reason of each abort when all requests are aborted", async () => {
  await using fixture = new ConnectionFixture();
  const [first, second] = [new AbortController(), new AbortController()];
  const one = watch(fixture.download(new Uint8Array(100_000), first.signal));
  const other = watch(fixture.download(new Uint8Array(100_000), second.signal));
  await fixture.seed.send("OK 100000\nabc");
  await fixture.settle();
  first.abort("first");
  second.abort("second");
  await fixture.settle();
  assertEquals([one.ending, other.ending], [{ error: "first" }, { error: "second" }]);
});

test("SessionConnection.close() fails pending requests, once, and reports the change", async () => {
  await using fixture = new ConnectionFixture();
  const asked = fixture.request(PING, NONE);
  const reason = new UnreachableError("enough");
  fixture.connection.close(reason);
  fixture.connection.close();
  assertStrictEquals(await thrownBy(asked), reason);
});

test("SessionConnection reports a change when the reply to an aborted request has come", async () => {
  const [client, seedStream] = memoryPair();
  using _seed = seedStream;
  const seed = new SeedSide(seedStream);
  const clock = new ManualClock();
  let changes = 0;
  const limits = { clock, stallMs: STALL_MS, idleMs: IDLE_MS };
  await using connection = new SessionConnection(
    "seed",
    client,
    new ReadBuffer(),
    GREETING,
    limits,
    () => changes++,
  );
  const stop = new AbortController();
  const asked = assertRejects(() => connection.request(PING, NONE, stop.signal));
  stop.abort();
  await asked;
  assertEquals([connection.depth, changes], [1, 0]);
  await seed.send("OK 0\n");
  await clock.advance(0);
  assertEquals([connection.depth, changes], [0, 1]);
});

test("SessionConnection[Symbol.asyncDispose]() waits for the read that may still write to memory", async () => {
  const fixture = new ConnectionFixture();
  const memory = new Uint8Array(100);
  const asked = watch(fixture.download(memory));
  await fixture.seed.send("OK 100\nabc");
  await fixture.settle();
  await fixture[Symbol.asyncDispose]();
  await Promise.resolve();
  assert(asked.ending && "error" in asked.ending);
  assert(asked.ending.error instanceof UnreachableError);
});
