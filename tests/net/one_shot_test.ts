import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { P2pError, ProtocolError, TimeoutError, UnreachableError } from "../../core/base/errors.ts";
import { OneShotClient } from "../../core/net/one_shot.ts";
import { ManualClock } from "../fakes/manual_clock.ts";
import { SeedSide } from "../fakes/scripted_seed.ts";
import { ADDRESS, bytesOf, calm, patternOf, Stage, test, thrownBy, watch } from "./support.ts";

const quietly = { onBytes: () => {}, pace: undefined };

const STALL_MS = 5000;

/** A client of an old seed whose connections are played one after the other. */
class OldTalk implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly stage: Stage;
  readonly client: OneShotClient;
  readonly requests: string[] = [];

  constructor(play: (request: string, seed: SeedSide, connection: number) => Promise<void>) {
    this.stage = new Stage(async (seed, connection) => {
      const request = await seed.line() ?? "";
      this.requests.push(request);
      await play(request, seed, connection);
    });
    this.client = new OneShotClient("seed", {
      clock: this.clock,
      stallMs: STALL_MS,
      connect: (signal) => this.stage.dial(ADDRESS, signal),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    assertEquals(this.clock.pending, 0, "a timer was left behind");
    assertEquals(this.stage.open, 0, "a connection was left behind");
    await this.stage[Symbol.asyncDispose]();
  }
}

/** Answers each DOWNLOAD with at most so many bytes. */
function chunks(content: Uint8Array, most: number) {
  return async (request: string, seed: SeedSide) => {
    const offset = Number(request.split("|").at(-1));
    await seed.send(content.subarray(offset, offset + most));
  };
}

const FILE = patternOf(100);
for (const most of [1, 7, 32, 60, 99, 100, 5000]) {
  test(`OneShotClient.readRange() fills the memory when the seed sends ${most} bytes at a time`, async () => {
    await using talk = new OldTalk(chunks(FILE, most));
    const memory = new Uint8Array(60);
    let told = 0;
    await talk.client.readRange(
      "a|b",
      { start: 20, end: 80 },
      100,
      memory,
      { onBytes: (count: number) => told += count, pace: undefined },
      calm,
    );
    assertEquals(memory, FILE.subarray(20, 80));
    assertEquals(told, 60);
    assertEquals(talk.requests.length, Math.ceil(60 / most));
    assertEquals(talk.requests[0], "DOWNLOAD a|b|20");
  });
}

test("OneShotClient.readRange() takes a chunk that comes in many parts", async () => {
  await using talk = new OldTalk(async (_, seed) => {
    for (const byte of FILE) await seed.send(Uint8Array.of(byte));
  });
  const memory = new Uint8Array(100);
  await talk.client.readRange("a", { start: 0, end: 100 }, 100, memory, quietly, calm);
  assertEquals(memory, FILE);
  assertEquals(talk.stage.connections, 1);
});

test("OneShotClient.readRange() throws ProtocolError when more comes than the file has", async () => {
  await using talk = new OldTalk(async (_, seed) => await seed.send(patternOf(101)));
  const memory = new Uint8Array(50);
  const reading = talk.client.readRange("a", { start: 50, end: 100 }, 100, memory, quietly, calm);
  await assertRejects(() => reading, ProtocolError);
});

test("OneShotClient.readRange() throws UnreachableError when a reply is empty", async () => {
  await using talk = new OldTalk(async (_, seed, connection) => {
    if (connection === 0) await seed.send(FILE.subarray(0, 10));
  });
  const memory = new Uint8Array(100);
  const reading = talk.client.readRange("a", { start: 0, end: 100 }, 100, memory, quietly, calm);
  await assertRejects(() => reading, UnreachableError, "byte 10");
  assertEquals(talk.stage.connections, 2);
});

test("OneShotClient.readRange() throws TimeoutError when a chunk stalls", async () => {
  const gate = Promise.withResolvers<void>();
  await using talk = new OldTalk(async (_, seed) => {
    await seed.send(FILE.subarray(0, 10));
    await gate.promise;
  });
  const memory = new Uint8Array(100);
  const reading = watch(
    talk.client.readRange("a", { start: 0, end: 100 }, 100, memory, quietly, calm),
  );
  await talk.clock.advance(STALL_MS - 1);
  assertEquals(reading.ending, undefined);
  await talk.clock.advance(1);
  await assertRejects(() => endingOf(reading), TimeoutError);
  gate.resolve();
});

test("OneShotClient.readRange() throws the signal's reason and writes no more when it aborts", async () => {
  const gate = Promise.withResolvers<void>();
  await using talk = new OldTalk(async (_, seed) => {
    await seed.send(FILE.subarray(0, 10));
    await gate.promise;
    await seed.send(FILE.subarray(10));
  });
  const stop = new AbortController();
  const reason = new Error("no longer wanted");
  const memory = new Uint8Array(100);
  const reading = talk.client.readRange(
    "a",
    { start: 0, end: 100 },
    100,
    memory,
    quietly,
    stop.signal,
  );
  await talk.clock.advance(0);
  stop.abort(reason);
  assertStrictEquals(await thrownBy(reading), reason as P2pError);
  memory.fill(0xaa);
  gate.resolve();
  await talk.clock.advance(0);
  assertEquals(memory, new Uint8Array(100).fill(0xaa));
});

test("OneShotClient.text() gives the whole reply, wherever its characters are cut", async () => {
  const reply = bytesOf("naïve 😀\nSIZE\n");
  await using talk = new OldTalk(async (_, seed) => {
    for (const byte of reply) {
      await seed.send(Uint8Array.of(byte));
      await talk.clock.advance(0);
    }
  });
  assertEquals(await talk.client.text({ verb: "LIST" }, calm), "naïve 😀\nSIZE\n");
});

test("OneShotClient.text() throws ProtocolError when the reply is not UTF-8", async () => {
  await using talk = new OldTalk(async (_, seed) => await seed.send(Uint8Array.of(0x61, 0xff)));
  await assertRejects(() => talk.client.text({ verb: "LIST" }, calm), ProtocolError);
});

test("OneShotClient.text() throws ProtocolError when the reply ends within a character", async () => {
  await using talk = new OldTalk(async (_, seed) => await seed.send(Uint8Array.of(0x61, 0xc3)));
  await assertRejects(() => talk.client.text({ verb: "LIST" }, calm), ProtocolError);
});

test("OneShotClient.text() throws ProtocolError when the reply has no end", async () => {
  const noise = new Uint8Array(1024 * 1024).fill(0x78);
  await using talk = new OldTalk(async (_, seed) => {
    for (;;) await seed.send(noise);
  });
  await assertRejects(() => talk.client.text({ verb: "LIST" }, calm), ProtocolError, "endless");
});

test("OneShotClient.text() throws UnreachableError when the connection is reset", async () => {
  // Closing with the request unread is what resets it.
  const stage = new Stage(() => Promise.resolve());
  await using _stage = stage;
  const client = new OneShotClient("seed", {
    clock: new ManualClock(),
    stallMs: STALL_MS,
    connect: (signal) => stage.dial(ADDRESS, signal),
  });
  await assertRejects(() => client.text({ verb: "LIST" }, calm), UnreachableError);
  assertEquals(stage.open, 0);
});

/** Replies to requests whose end it is told by the client's end of stream, or only to those where it is not. */
function hearing(ends: boolean) {
  return new Stage(async (seed) => {
    const request = await withinATurn(seed);
    if ((request.end === "ended") === ends) await seed.send(`SIZE:${request.text.length}\n`);
  });
}

/** What the client says, and whether it ended its side at once. */
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
  test(`OneShotClient.text() finds out that the seed ${ends ? "takes" : "does not take"} a request whose sender ended its side`, async () => {
    const clock = new ManualClock();
    await using stage = hearing(ends);
    const client = new OneShotClient("seed", {
      clock,
      stallMs: STALL_MS,
      connect: (signal) => stage.dial(ADDRESS, signal),
    });
    const ask = () => client.text({ verb: "FILESIZE", name: "a" }, calm);
    assertEquals(await ask(), "SIZE:10\n");
    assertEquals(stage.connections, ends ? 1 : 2);
    // It is remembered.
    assertEquals(await ask(), "SIZE:10\n");
    assertEquals(stage.connections, ends ? 2 : 3);
    assertEquals(stage.open, 0);
    assertEquals(clock.pending, 0);
  });
}

test("OneShotClient.text() gives an empty reply when both ways of asking give one", async () => {
  await using stage = new Stage(async (seed) => void await withinATurn(seed));
  const client = new OneShotClient("seed", {
    clock: new ManualClock(),
    stallMs: STALL_MS,
    connect: (signal) => stage.dial(ADDRESS, signal),
  });
  assertEquals(await client.text({ verb: "LIST" }, calm), "");
  assertEquals(stage.connections, 2);
});

async function endingOf<T>(seen: ReturnType<typeof watch<T>>): Promise<T> {
  await Promise.resolve();
  if (seen.ending === undefined) throw new Error("It is still under way");
  if ("error" in seen.ending) throw seen.ending.error;
  return seen.ending.value;
}
