import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import type { ByteStream } from "../../../core/source/transport.ts";
import {
  ClientConnection,
  ConnectionLostError,
} from "../../../core/serve/accept/client_connection.ts";
import { ErrorReply } from "../../../core/protocol/error_replies.ts";
import { ManualClock } from "../../fakes/manual_clock.ts";
import { memoryPair } from "../../fakes/memory_stream.ts";
import { bytesOf, patternOf, RawClient, test } from "../support.ts";

const KIB = 1024;
/** The protocol's limits. */
const IDLE_MS = 30_000;
const LINE_MS = 10_000;
const WRITE_MS = 30_000;
/** For the client to close after our last word. */
const GOODBYE_MS = 1000;

/** A connection, the client at its other end, and time that the test moves. */
class Visit implements Disposable {
  readonly clock = new ManualClock(5000);
  readonly client: RawClient;
  readonly connection: ClientConnection;
  /** Sizes of what was written, in order. */
  readonly steps: number[] = [];
  /** How long each write takes, ms. */
  writeMs = 0;

  constructor(peer = "10.0.0.2", capacity?: number) {
    const [theirs, ours] = memoryPair([peer, "10.0.0.1"], capacity);
    this.client = new RawClient(theirs);
    this.connection = new ClientConnection(this.#recorded(ours), this.clock);
  }

  /** Time passes without anybody looking until it is over, as when the sweep comes. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    this.connection.checkTimeouts(this.clock.now());
  }

  /** Fails unless the connection is closed exactly when so much time has passed. */
  async closesAfter(ms: number): Promise<void> {
    await this.pass(ms - 1);
    assertEquals(this.connection.closeReason, undefined);
    await this.pass(1);
    assert(this.connection.closeReason !== undefined, `it is open after ${ms} ms`);
  }

  /** Reads what has come until the inbox holds it. */
  async take(text: string): Promise<void> {
    await this.client.send(text);
    assertEquals(await this.connection.read(), true);
  }

  [Symbol.dispose](): void {
    this.connection.close();
    this.client.close();
    assertEquals(this.clock.pending, 0);
  }

  #recorded(stream: ByteStream): ByteStream {
    const write = async (bytes: Uint8Array) => {
      this.steps.push(bytes.length);
      if (this.writeMs > 0) await this.clock.advance(this.writeMs);
      await stream.write(bytes);
    };
    return {
      peer: stream.peer,
      read: (into) => stream.read(into),
      write,
      endWriting: () => stream.endWriting(),
      close: () => stream.close(),
      released: stream.released,
      [Symbol.dispose]: () => stream.close(),
    };
  }
}

/** What `promise` throws, which must be a loss. */
async function lossOf(promise: Promise<unknown>): Promise<ConnectionLostError> {
  return await assertRejects(() => promise, ConnectionLostError);
}

test("ClientConnection knows a client by its address, in whichever family the system writes it", () => {
  for (const [peer, client] of [["::ffff:10.0.0.2", "10.0.0.2"], ["fe80::1", "fe80::1"]]) {
    using visit = new Visit(peer!);
    assertEquals(visit.connection.address, client);
  }
});

test("ClientConnection closes when a client sends nothing for 30 s from the beginning", async () => {
  using visit = new Visit();
  assertEquals(visit.connection.isIdle, true);
  const lost = lossOf(visit.connection.read());
  await visit.closesAfter(IDLE_MS);
  await lost;
});

test("ClientConnection.check() ends idle clients, half lines and unread replies sooner when the seed is full", async () => {
  const full = new ErrorReply("BUSY", "full");
  for (const [text, ms] of [["", 5000], ["HEL", 3000]] as const) {
    using visit = new Visit();
    if (text !== "") await visit.take(text);
    const lost = lossOf(visit.connection.read());
    await visit.clock.advance(ms - 1);
    visit.connection.checkTimeouts(visit.clock.now(), full);
    assertEquals(visit.connection.closeReason, undefined);
    await visit.clock.advance(1);
    visit.connection.checkTimeouts(visit.clock.now());
    assertEquals(visit.connection.closeReason, undefined, "the whole time when it is not full");
    visit.connection.checkTimeouts(visit.clock.now(), full);
    assert(visit.connection.closeReason !== undefined);
    await lost;
  }
  using visit = new Visit();
  visit.connection.setBusy();
  const lost = lossOf(visit.connection.send(new Uint8Array(1_000_000)));
  await visit.clock.advance(9999);
  visit.connection.checkTimeouts(visit.clock.now(), full);
  assertEquals(visit.connection.closeReason, undefined);
  await visit.clock.advance(1);
  visit.connection.checkTimeouts(visit.clock.now(), full);
  assertMatch(visit.connection.closeReason!, /did not read/);
  await lost;
});

test("ClientConnection has no limit while it is busy, and a whole one from each rest on", async () => {
  using visit = new Visit();
  await visit.pass(IDLE_MS - 1);
  visit.connection.setBusy();
  assertEquals(visit.connection.isIdle, false);
  await visit.pass(100 * IDLE_MS);
  assertEquals(visit.connection.closeReason, undefined);
  visit.connection.setIdle();
  await visit.closesAfter(IDLE_MS);
});

test("ClientConnection rests as long as it is told to", async () => {
  using visit = new Visit();
  visit.connection.setIdle(250);
  await visit.closesAfter(250);
});

test("ClientConnection closes when a line that was begun is not finished in 10 s, however its bytes drip", async () => {
  using visit = new Visit();
  await visit.take("F");
  const filling = visit.connection.read();
  await visit.pass(LINE_MS - 1);
  await visit.client.send("I");
  assertEquals(await filling, true);
  const lost = lossOf(visit.connection.read());
  await visit.pass(1);
  assertEquals((await lost).message.includes(visit.connection.closeReason!), true);
});

test("ClientConnection gives a line its time also while something is in flight", async () => {
  using visit = new Visit();
  visit.connection.setBusy();
  await visit.take("FILE");
  const lost = lossOf(visit.connection.read());
  await visit.closesAfter(LINE_MS);
  await lost;
});

test("ClientConnection gives each line its own time", async () => {
  using visit = new Visit();
  await visit.take("PI");
  const filling = visit.connection.read();
  await visit.pass(LINE_MS - 1);
  await visit.client.send("NG\n");
  await filling;
  assertEquals(visit.connection.readBuffer.takeLine(), "PING");
  visit.connection.setBusy();
  await visit.take("PI");
  const lost = lossOf(visit.connection.read());
  await visit.closesAfter(LINE_MS);
  await lost;
});

test("ClientConnection.fill() puts what comes into the inbox, and gives false at the end of the stream", async () => {
  using visit = new Visit();
  await visit.take("PING\nPI");
  assertEquals(visit.connection.readBuffer.takeLine(), "PING");
  const filling = visit.connection.read();
  await visit.client.send("NG\n");
  assertEquals([await filling, visit.connection.readBuffer.takeLine()], [true, "PING"]);
  await visit.client.end();
  assertEquals([await visit.connection.read(), await visit.connection.read()], [false, false]);
  assertEquals(visit.connection.closeReason, undefined);
});

test("ClientConnection.fill() gives undefined when its time has passed, and loses nothing that comes later", async () => {
  using visit = new Visit();
  const early = visit.connection.read(200);
  await visit.pass(200);
  assertEquals(await early, undefined);
  assertEquals(visit.clock.pending, 0);
  const again = visit.connection.read(200);
  await visit.client.send("PING\n");
  assertEquals(await again, true);
  assertEquals([visit.connection.readBuffer.takeLine(), visit.clock.pending], ["PING", 0]);
});

test("ClientConnection.fill() may be left alone by who asked, and fail then", async () => {
  using visit = new Visit();
  const early = visit.connection.read(200);
  await visit.pass(200);
  assertEquals(await early, undefined);
  // A rejection that nobody hears would fail this test.
  visit.connection.close("over");
  await visit.pass(1);
  await lossOf(visit.connection.read());
});

test("ClientConnection.fill() throws ConnectionLostError that tells what the system said", async () => {
  using visit = new Visit();
  const reset = new Deno.errors.ConnectionReset("reset by peer");
  const [, stream] = memoryPair();
  const broken: ByteStream = {
    peer: stream.peer,
    read: () => Promise.reject(reset),
    write: () => Promise.reject(reset),
    endWriting: () => Promise.reject(reset),
    close: () => stream.close(),
    released: stream.released,
    [Symbol.dispose]: () => stream.close(),
  };
  using connection = new ClientConnection(broken, visit.clock);
  for (const act of [() => connection.read(), () => connection.send(bytesOf("OK 0\n"))]) {
    const loss = await lossOf(act());
    assertStrictEquals(loss.cause, reset);
    assert(loss.message.includes("reset by peer"));
  }
  // Who has gone need not be told goodbye.
  await connection.endWriting();
});

test("ClientConnection.send() sends all bytes, in their order, in steps that grow while the client is quick", async () => {
  using visit = new Visit("10.0.0.2", 4096 * KIB);
  const bytes = patternOf(1024 * KIB + 7);
  await visit.connection.send(bytes);
  assertEquals(await visit.client.bytes(bytes.length), bytes);
  const doubling = [16, 32, 64, 128].map((each) => each * KIB);
  assertEquals(visit.steps.slice(0, 4), doubling);
  assertEquals(Math.max(...visit.steps), 256 * KIB);
  assertEquals(visit.connection.stepBytes, 256 * KIB);
});

test("ClientConnection.send() goes back to small steps when one takes long", async () => {
  using visit = new Visit("10.0.0.2", 4096 * KIB);
  await visit.connection.send(patternOf(64 * KIB));
  assert(visit.connection.stepBytes > 16 * KIB);
  visit.writeMs = 99;
  await visit.connection.send(bytesOf("quick enough"));
  assert(visit.connection.stepBytes > 16 * KIB);
  visit.writeMs = 100;
  await visit.connection.send(bytesOf("slow"));
  assertEquals(visit.connection.stepBytes, 16 * KIB);
});

test("ClientConnection.send() sends a reply's line and a body of one step in one go", async () => {
  using visit = new Visit();
  await visit.connection.send(patternOf(16 * KIB + 20));
  assertEquals(visit.steps, [16 * KIB + 20]);
});

test("ClientConnection closes when a client reads nothing of what it is sent for 30 s", async () => {
  using visit = new Visit();
  visit.connection.setBusy();
  const lost = lossOf(visit.connection.send(patternOf(1024 * KIB)));
  await visit.closesAfter(WRITE_MS);
  assertEquals((await lost).message.includes(visit.connection.closeReason!), true);
});

test("ClientConnection gives each step 30 s, and nothing counts once all is sent", async () => {
  using visit = new Visit();
  visit.connection.setBusy();
  const bytes = patternOf(300 * KIB);
  const sending = visit.connection.send(bytes);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 50 * KIB) {
    await visit.pass(WRITE_MS / 2);
    parts.push(await visit.client.bytes(50 * KIB));
  }
  await sending;
  assertEquals(new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer()), bytes);
  await visit.pass(10 * WRITE_MS);
  assertEquals(visit.connection.closeReason, undefined);
});

test("ClientConnection.sendText() sends UTF-8", async () => {
  using visit = new Visit();
  await visit.connection.sendText("ERROR:NOT_FOUND ü\n");
  assertEquals(await visit.client.line(), "ERROR:NOT_FOUND ü");
});

test("ClientConnection.close() ends what waits at once, and its first reason counts", async () => {
  using visit = new Visit();
  const filling = lossOf(visit.connection.read());
  const sending = lossOf(visit.connection.send(patternOf(1024 * KIB)));
  visit.connection.close("first");
  visit.connection.close("second");
  assertEquals(visit.connection.closeReason, "first");
  for (const loss of [await filling, await sending]) assert(loss.message.endsWith("first"));
  for (const act of [() => visit.connection.read(), () => visit.connection.send(bytesOf("x"))]) {
    assert((await lossOf(act())).message.endsWith("first"));
  }
  await assertRejects(async () => {
    while (true) await visit.client.bytes(1);
  });
});

test("ClientConnection.close() ends what the system does not, and lets nothing be written any more", async () => {
  const clock = new ManualClock(5000);
  const never = new Promise<never>(() => {});
  let writes = 0;
  const stuck: ByteStream = {
    peer: "10.0.0.2",
    read: () => never,
    write: () => (writes++, never),
    endWriting: () => never,
    close: () => {},
    released: never,
    [Symbol.dispose]: () => {},
  };
  using connection = new ClientConnection(stuck, clock);
  const ended = connection.endWriting();
  const filling = lossOf(connection.read());
  const sending = lossOf(connection.send(bytesOf("x")));
  connection.close("enough");
  for (const loss of [await filling, await sending]) assert(loss.message.endsWith("enough"));
  await ended;
  await lossOf(connection.send(bytesOf("x")));
  assertEquals(writes, 1);
});

test("ClientConnection keeps the reason for which it was closed when a limit passes later", async () => {
  using visit = new Visit();
  visit.connection.close("first");
  await visit.pass(10 * IDLE_MS);
  assertEquals(visit.connection.closeReason, "first");
});

test("ClientConnection is closed when it is disposed", async () => {
  using visit = new Visit();
  visit.connection[Symbol.dispose]();
  visit.connection[Symbol.dispose]();
  assert(visit.connection.closeReason !== undefined);
  assertEquals((await visit.client.rest()).length, 0);
});

test("ClientConnection.leave() says farewell where there is one, once, and closes where there is none", () => {
  const refusal = new ErrorReply("SHUTDOWN", "the seed stops");
  using visit = new Visit();
  let farewells = 0;
  visit.connection.onLeave = () => farewells++;
  // A second farewell would prolong the time for the first one.
  for (let i = 0; i < 2; i++) visit.connection.leave(refusal);
  assertEquals([farewells, visit.connection.closeReason], [1, undefined]);
  using other = new Visit();
  other.connection.leave(refusal);
  assertEquals(other.connection.closeReason, "the seed stops");
});

test("ClientConnection.endWriting() ends the client's stream after our last word, and gives it a second to close", async () => {
  using visit = new Visit();
  await visit.connection.sendText("ERROR:BUSY\n");
  await visit.connection.endWriting();
  assertEquals(await visit.client.line(), "ERROR:BUSY");
  assertEquals((await visit.client.rest()).length, 0);
  assertEquals(visit.connection.closeReason, undefined);
  await visit.closesAfter(GOODBYE_MS);
});

test("ClientConnection.discard() reads on, whatever and however much comes, until the client ends", async () => {
  using visit = new Visit();
  await visit.take("no line");
  const discarding = visit.connection.discard();
  for (let i = 0; i < 50; i++) await visit.client.send(patternOf(40 * KIB, i));
  await visit.client.end();
  await discarding;
  assertEquals([visit.connection.readBuffer.buffered, visit.connection.closeReason], [
    0,
    undefined,
  ]);
});

test("ClientConnection.discard() throws ConnectionLostError when the client's time is up", async () => {
  using visit = new Visit();
  await visit.connection.endWriting();
  const lost = lossOf(visit.connection.discard());
  for (let i = 1; i < 10; i++) {
    await visit.client.send("more");
    await visit.pass(GOODBYE_MS / 10);
    assertEquals(visit.connection.closeReason, undefined);
  }
  await visit.pass(GOODBYE_MS / 10);
  await lost;
});
