import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import type { ByteStream } from "../../../core/source/transport.ts";
import {
  ClientConnection,
  ConnectionLostError,
} from "../../../core/serve/accept/client_connection.ts";
import { ErrorReply } from "../../../core/protocol/error_replies.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { memoryPair } from "../../support/memory_stream.ts";
import { bytesOf, patternOf } from "../../support/bytes.ts";
import { RawClient } from "../../support/raw_client.ts";
import { test } from "../../support/test.ts";

const KIB = 1024;
/** The protocol's limits. */
const IDLE_MS = 30_000;
const LINE_MS = 10_000;
const WRITE_MS = 30_000;
/** For the client to close after the last reply. */
const CLOSE_MS = 1000;

/** A connection, the client at its other end, and time that the test moves. */
class ConnectionFixture implements Disposable {
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

test("ClientConnection shows an IPv4 address in the same way on a listener for both families", () => {
  for (const [peer, client] of [["::ffff:10.0.0.2", "10.0.0.2"], ["fe80::1", "fe80::1"]]) {
    using fixture = new ConnectionFixture(peer!);
    assertEquals(fixture.connection.address, client);
  }
});

test("ClientConnection closes when a new client sends nothing for 30 s", async () => {
  using fixture = new ConnectionFixture();
  assertEquals(fixture.connection.isIdle, true);
  const lost = lossOf(fixture.connection.read());
  await fixture.closesAfter(IDLE_MS);
  await lost;
});

test("ClientConnection.checkTimeouts() has shorter limits when the server is full", async () => {
  const full = new ErrorReply("BUSY", "full");
  for (const [text, ms] of [["", 5000], ["HEL", 3000]] as const) {
    using fixture = new ConnectionFixture();
    if (text !== "") await fixture.take(text);
    const lost = lossOf(fixture.connection.read());
    await fixture.clock.advance(ms - 1);
    fixture.connection.checkTimeouts(fixture.clock.now(), full);
    assertEquals(fixture.connection.closeReason, undefined);
    await fixture.clock.advance(1);
    fixture.connection.checkTimeouts(fixture.clock.now());
    assertEquals(fixture.connection.closeReason, undefined, "the whole time when it is not full");
    fixture.connection.checkTimeouts(fixture.clock.now(), full);
    assert(fixture.connection.closeReason !== undefined);
    await lost;
  }
  using fixture = new ConnectionFixture();
  fixture.connection.setBusy();
  const lost = lossOf(fixture.connection.send(new Uint8Array(1_000_000)));
  await fixture.clock.advance(9999);
  fixture.connection.checkTimeouts(fixture.clock.now(), full);
  assertEquals(fixture.connection.closeReason, undefined);
  await fixture.clock.advance(1);
  fixture.connection.checkTimeouts(fixture.clock.now(), full);
  assertMatch(fixture.connection.closeReason!, /did not read/);
  await lost;
});

test("ClientConnection has no idle limit while it is busy, and a new one each time it becomes idle", async () => {
  using fixture = new ConnectionFixture();
  await fixture.pass(IDLE_MS - 1);
  fixture.connection.setBusy();
  assertEquals(fixture.connection.isIdle, false);
  await fixture.pass(100 * IDLE_MS);
  assertEquals(fixture.connection.closeReason, undefined);
  fixture.connection.setIdle();
  await fixture.closesAfter(IDLE_MS);
});

test("ClientConnection.setIdle() sets the idle limit", async () => {
  using fixture = new ConnectionFixture();
  fixture.connection.setIdle(250);
  await fixture.closesAfter(250);
});

test("ClientConnection closes when a line is not complete 10 s after its first byte, though bytes come", async () => {
  using fixture = new ConnectionFixture();
  await fixture.take("F");
  const filling = fixture.connection.read();
  await fixture.pass(LINE_MS - 1);
  await fixture.client.send("I");
  assertEquals(await filling, true);
  const lost = lossOf(fixture.connection.read());
  await fixture.pass(1);
  assertEquals((await lost).message.includes(fixture.connection.closeReason!), true);
});

test("ClientConnection limits the time for a line while a request is in flight", async () => {
  using fixture = new ConnectionFixture();
  fixture.connection.setBusy();
  await fixture.take("FILE");
  const lost = lossOf(fixture.connection.read());
  await fixture.closesAfter(LINE_MS);
  await lost;
});

test("ClientConnection gives each line 10 s", async () => {
  using fixture = new ConnectionFixture();
  await fixture.take("PI");
  const filling = fixture.connection.read();
  await fixture.pass(LINE_MS - 1);
  await fixture.client.send("NG\n");
  await filling;
  assertEquals(fixture.connection.readBuffer.takeLine(), "PING");
  fixture.connection.setBusy();
  await fixture.take("PI");
  const lost = lossOf(fixture.connection.read());
  await fixture.closesAfter(LINE_MS);
  await lost;
});

test("ClientConnection.read() fills the read buffer, and returns false at the end of the stream", async () => {
  using fixture = new ConnectionFixture();
  await fixture.take("PING\nPI");
  assertEquals(fixture.connection.readBuffer.takeLine(), "PING");
  const filling = fixture.connection.read();
  await fixture.client.send("NG\n");
  assertEquals([await filling, fixture.connection.readBuffer.takeLine()], [true, "PING"]);
  await fixture.client.end();
  assertEquals([await fixture.connection.read(), await fixture.connection.read()], [false, false]);
  assertEquals(fixture.connection.closeReason, undefined);
});

test("ClientConnection.read() returns undefined when its time has passed, and loses no later bytes", async () => {
  using fixture = new ConnectionFixture();
  const early = fixture.connection.read(200);
  await fixture.pass(200);
  assertEquals(await early, undefined);
  assertEquals(fixture.clock.pending, 0);
  const again = fixture.connection.read(200);
  await fixture.client.send("PING\n");
  assertEquals(await again, true);
  assertEquals([fixture.connection.readBuffer.takeLine(), fixture.clock.pending], ["PING", 0]);
});

test("ClientConnection.read() may fail after its caller has stopped waiting", async () => {
  using fixture = new ConnectionFixture();
  const early = fixture.connection.read(200);
  await fixture.pass(200);
  assertEquals(await early, undefined);
  // A rejection that nobody hears would fail this test.
  fixture.connection.close("over");
  await fixture.pass(1);
  await lossOf(fixture.connection.read());
});

test("ClientConnection throws ConnectionLostError with the system's error, and aborts its signal with it", async () => {
  using fixture = new ConnectionFixture();
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
  using connection = new ClientConnection(broken, fixture.clock);
  for (const act of [() => connection.read(), () => connection.send(bytesOf("OK 0\n"))]) {
    const loss = await lossOf(act());
    assertStrictEquals(loss.cause, reset);
    assert(loss.message.includes("reset by peer"));
    assertStrictEquals(connection.signal.reason, loss);
  }
  await lossOf(connection.closeGracefully());
  assertEquals(connection.closeReason, undefined);
});

test("ClientConnection.send() sends all bytes in one write, and allows longer steps while the client is fast", async () => {
  using fixture = new ConnectionFixture("10.0.0.2", 4096 * KIB);
  const bytes = patternOf(1024 * KIB + 7);
  await fixture.connection.send(bytes);
  assertEquals(await fixture.client.bytes(bytes.length), bytes);
  assertEquals(fixture.steps, [bytes.length]);
  const steps = [];
  for (let i = 0; i < 5; i++) {
    steps.push(fixture.connection.stepBytes / KIB);
    await fixture.connection.send(bytesOf("x"));
  }
  assertEquals(steps, [32, 64, 128, 256, 256]);
});

test("ClientConnection.send() returns to short steps when one takes long", async () => {
  using fixture = new ConnectionFixture("10.0.0.2", 4096 * KIB);
  await fixture.connection.send(patternOf(64 * KIB));
  assert(fixture.connection.stepBytes > 16 * KIB);
  fixture.writeMs = 99;
  await fixture.connection.send(bytesOf("quick enough"));
  assert(fixture.connection.stepBytes > 16 * KIB);
  fixture.writeMs = 100;
  await fixture.connection.send(bytesOf("slow"));
  assertEquals(fixture.connection.stepBytes, 16 * KIB);
});

test("ClientConnection closes when a client does not read for 30 s", async () => {
  using fixture = new ConnectionFixture();
  fixture.connection.setBusy();
  const lost = lossOf(fixture.connection.send(patternOf(1024 * KIB)));
  await fixture.closesAfter(WRITE_MS);
  assertEquals((await lost).message.includes(fixture.connection.closeReason!), true);
});

test("ClientConnection gives each write 30 s, and has no limit once all is sent", async () => {
  using fixture = new ConnectionFixture();
  fixture.connection.setBusy();
  const bytes = patternOf(64 * KIB);
  await fixture.connection.send(bytes);
  for (let i = 0; i < 4; i++) {
    const sending = fixture.connection.send(bytes);
    await fixture.pass(WRITE_MS / 2);
    assertEquals(await fixture.client.bytes(bytes.length), bytes);
    await sending;
  }
  await fixture.pass(10 * WRITE_MS);
  assertEquals(fixture.connection.closeReason, undefined);
});

test("ClientConnection.sendText() sends UTF-8", async () => {
  using fixture = new ConnectionFixture();
  await fixture.connection.sendText("ERROR:NOT_FOUND ü\n");
  assertEquals(await fixture.client.line(), "ERROR:NOT_FOUND ü");
});

test("ClientConnection.close() ends all waits at once, and its first reason counts", async () => {
  using fixture = new ConnectionFixture();
  const filling = lossOf(fixture.connection.read());
  const sending = lossOf(fixture.connection.send(patternOf(1024 * KIB)));
  fixture.connection.close("first");
  fixture.connection.close("second");
  assertEquals(fixture.connection.closeReason, "first");
  for (const loss of [await filling, await sending]) assert(loss.message.endsWith("first"));
  for (
    const act of [() => fixture.connection.read(), () => fixture.connection.send(bytesOf("x"))]
  ) {
    assert((await lossOf(act())).message.endsWith("first"));
  }
  await assertRejects(async () => {
    while (true) await fixture.client.bytes(1);
  });
});

test("ClientConnection.close() ends waits that the system does not end, and prevents further writes", async () => {
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
  const ended = lossOf(connection.closeGracefully());
  const filling = lossOf(connection.read());
  const sending = lossOf(connection.send(bytesOf("x")));
  connection.close("enough");
  for (const loss of [await filling, await sending]) assert(loss.message.endsWith("enough"));
  await ended;
  await lossOf(connection.send(bytesOf("x")));
  assertEquals(writes, 1);
});

test("ClientConnection keeps its close reason when a limit passes later", async () => {
  using fixture = new ConnectionFixture();
  fixture.connection.close("first");
  await fixture.pass(10 * IDLE_MS);
  assertEquals(fixture.connection.closeReason, "first");
});

test("ClientConnection is closed when it is disposed", async () => {
  using fixture = new ConnectionFixture();
  fixture.connection[Symbol.dispose]();
  fixture.connection[Symbol.dispose]();
  assert(fixture.connection.closeReason !== undefined);
  assertEquals((await fixture.client.rest()).length, 0);
});

test("ClientConnection.leave() calls onLeave once, or closes without one", () => {
  const refusal = new ErrorReply("SHUTDOWN", "the seed stops");
  using fixture = new ConnectionFixture();
  let calls = 0;
  fixture.connection.onLeave = () => calls++;
  // A second call would prolong the time for the first one.
  for (let i = 0; i < 2; i++) fixture.connection.leave(refusal);
  assertEquals([calls, fixture.connection.closeReason], [1, undefined]);
  using other = new ConnectionFixture();
  other.connection.leave(refusal);
  assertEquals(other.connection.closeReason, "the seed stops");
});

test("ClientConnection.closeGracefully() ends the client's stream after the last reply, and gives it a second to close", async () => {
  using fixture = new ConnectionFixture();
  await fixture.connection.sendText("ERROR:BUSY\n");
  const closing = lossOf(fixture.connection.closeGracefully());
  assertEquals(await fixture.client.line(), "ERROR:BUSY");
  assertEquals((await fixture.client.rest()).length, 0);
  assertEquals(fixture.connection.closeReason, undefined);
  await fixture.closesAfter(CLOSE_MS);
  await closing;
});

test("ClientConnection.closeGracefully() discards what the client sends until it closes", async () => {
  using fixture = new ConnectionFixture();
  await fixture.take("no line");
  const closing = fixture.connection.closeGracefully();
  for (let i = 0; i < 50; i++) await fixture.client.send(patternOf(40 * KIB, i));
  await fixture.client.end();
  await closing;
  assertEquals([fixture.connection.readBuffer.buffered, fixture.connection.closeReason], [
    0,
    undefined,
  ]);
});

test("ClientConnection.closeGracefully() gives a client that goes on sending no further time", async () => {
  using fixture = new ConnectionFixture();
  const lost = lossOf(fixture.connection.closeGracefully());
  for (let i = 1; i < 10; i++) {
    await fixture.client.send("more");
    await fixture.pass(CLOSE_MS / 10);
    assertEquals(fixture.connection.closeReason, undefined);
  }
  await fixture.pass(CLOSE_MS / 10);
  await lost;
});
