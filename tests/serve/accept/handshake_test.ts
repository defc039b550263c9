/** One client over a stream in memory, with the clock's hands in the test. */
import { setImmediate } from "node:timers";
import { assertEquals, assertMatch } from "@std/assert";
import { TaskGroup } from "../../../core/base/task_group.ts";
import type { ServeSettings } from "../../../core/config.ts";
import type { ServeEvent } from "../../../core/events.ts";
import { ClientConnection } from "../../../core/serve/accept/client_connection.ts";
import { handleConnection } from "../../../core/serve/accept/handshake.ts";
import { ErrorReply } from "../../../core/protocol/error_replies.ts";
import { memoryPair } from "../../support/memory_stream.ts";
import { contextOf } from "../support.ts";
import { patternOf } from "../../support/bytes.ts";
import { ManualClock, YEAR_2033 } from "../../support/manual_clock.ts";
import { RawClient } from "../../support/raw_client.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";

/** Lets the seed run until it has done something that no byte reports. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}

/** A client that is being received; the test is its other end. */
class HandshakeFixture implements AsyncDisposable {
  readonly folder = new TempFolder();
  readonly clock = new ManualClock(YEAR_2033);
  readonly events: ServeEvent[] = [];
  readonly client: RawClient;
  readonly connection: ClientConnection;
  readonly #jobs = new TaskGroup(new AbortController().signal);
  readonly #draining = new AbortController();
  readonly #talk: Promise<void>;

  constructor(
    place: "free" | "full" = "free",
    settings: Partial<ServeSettings> = {},
  ) {
    const [theirs, ours] = memoryPair(["10.0.0.1", "10.0.0.2"]);
    this.folder.write("hello.txt", "hello\n");
    this.folder.write("big", patternOf(1_048_576));
    this.folder.age("big");
    this.client = new RawClient(theirs);
    this.connection = new ClientConnection(ours, this.clock);
    const seed = contextOf(this.folder.path, this.#jobs, {
      ...settings,
      clock: this.clock,
      draining: this.#draining.signal,
      emit: (event) => this.events.push(event),
    });
    const { signal } = this.#jobs;
    const enter = place === "full" ? () => "too many connections" : undefined;
    this.#talk = handleConnection(this.connection, seed, signal, enter);
  }

  async greeted(): Promise<this> {
    await this.client.send("HELLO 2\n");
    assertMatch(await this.client.line(), /^HELLO 2 /);
    return this;
  }

  /** Time passes; the sweep looks at the connection. */
  pass(ms: number): void {
    this.clock.tick(ms);
    this.connection.checkTimeouts(this.clock.now());
  }

  /** When the seed has noticed that it is through with what was asked. */
  async settled(): Promise<void> {
    await until(() => this.connection.isIdle);
  }

  /** When the seed has done all that it can without us. */
  async stuck(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  hurry(): void {
    this.connection.leave(new ErrorReply("BUSY", "newer connections need its room"));
  }

  drain(): void {
    this.#draining.abort();
  }

  /** When the seed is through with the client. */
  get ended(): Promise<void> {
    return this.#talk;
  }

  refusals(): string[] {
    return this.events.flatMap((event) => event.kind === "refused" ? [event.reason] : []);
  }

  async rest(): Promise<string> {
    return new TextDecoder().decode(await this.client.rest());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    this.#jobs.abort();
    await this.#talk;
    await this.#jobs[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

test("handleConnection() answers a one-shot request 200 ms after its last byte", async () => {
  await using fixture = new HandshakeFixture();
  await fixture.client.send("FILESIZE hel");
  await fixture.clock.timerIn(200);
  fixture.clock.tick(199);
  await fixture.client.send("lo.txt");
  await fixture.clock.timerIn(200);
  fixture.clock.tick(200);
  assertEquals(await fixture.rest(), "SIZE:6\n");
});

for (const cut of [1, 3, 6, 7]) {
  test(`handleConnection() waits when a greeting pauses after ${cut} bytes`, async () => {
    await using fixture = new HandshakeFixture();
    const greeting = "HELLO 2\n";
    await fixture.client.send(greeting.slice(0, cut));
    await fixture.clock.timerIn(200);
    fixture.clock.tick(200);
    await fixture.clock.timerIn(200);
    await fixture.client.send(greeting.slice(cut));
    assertMatch(await fixture.client.line(), /^HELLO 2 agent=/);
  });
}

test("handleConnection() closes when a client sends nothing for 30 s", async () => {
  await using fixture = new HandshakeFixture();
  fixture.pass(29_999);
  assertEquals(fixture.connection.closeReason, undefined);
  fixture.pass(1);
  assertEquals(await fixture.rest(), "");
  assertMatch(fixture.connection.closeReason!, /sent nothing/);
});

test("handleConnection() closes a session that sends no complete line for 30 s", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  assertEquals(await fixture.client.ask("PING"), "OK 0");
  await fixture.settled();
  fixture.pass(20_000);
  await fixture.client.send("PIN");
  fixture.pass(10_000);
  assertEquals(await fixture.rest(), "");
});

test("handleConnection() keeps a session that sends a request within 30 s", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  for (let i = 0; i < 5; i++) {
    fixture.pass(29_999);
    assertEquals(await fixture.client.ask("PING"), "OK 0");
    await fixture.settled();
  }
});

test("handleConnection() closes when a client does not read its reply for 30 s", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  await fixture.client.send("DOWNLOAD big|0|1048576\n");
  assertEquals(await fixture.client.line(), "OK 1048576");
  await fixture.stuck();
  fixture.pass(29_999);
  assertEquals(fixture.connection.closeReason, undefined);
  fixture.pass(30_000);
  assertMatch(fixture.connection.closeReason!, /did not read/);
  const got = await fixture.client.rest();
  assertEquals(got, patternOf(1_048_576).subarray(0, got.length));
});

test("handleConnection() keeps a client that reads slowly", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  await fixture.client.send("DOWNLOAD big|0|1048576\n");
  assertEquals(await fixture.client.line(), "OK 1048576");
  for (let read = 0; read < 1_048_576; read += 65_536) {
    await fixture.client.bytes(65_536);
    fixture.pass(5000);
  }
  assertEquals(await fixture.client.ask("PING"), "OK 0");
});

test("handleConnection() closes the connection when the file changes while a body is sent", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  await fixture.client.send("DOWNLOAD big|0|1048576\n");
  assertEquals(await fixture.client.line(), "OK 1048576");
  fixture.folder.write("big", patternOf(1_048_576, 2));
  const got = await fixture.client.rest();
  assertEquals(got.length < 1_048_576, true);
  assertEquals(got, patternOf(1_048_576).subarray(0, got.length));
  await until(() => fixture.refusals().length > 0);
  assertMatch(fixture.refusals().join(), /changed while it was read/);
});

test("handleConnection() closes the connection when the file is truncated while a body is sent", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  await fixture.client.send("DOWNLOAD big|0|1048576\n");
  assertEquals(await fixture.client.line(), "OK 1048576");
  Deno.truncateSync(fixture.folder.pathOf("big"), 300_000);
  const got = await fixture.client.rest();
  assertEquals(got.length < 1_048_576, true);
  assertEquals(got, patternOf(1_048_576).subarray(0, got.length));
});

test("handleConnection() stops reading from a client that does not read its replies", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  const flood = "DOWNLOAD big|0|1048576\n".repeat(10_000);
  const sending = fixture.client.send(flood).then(() => "sent", () => "closed");
  // The seed is stuck in its first reply, so only as much was read as it queues.
  assertEquals(await fixture.client.line(), "OK 1048576");
  const first = await Promise.race([sending, Promise.resolve("waiting")]);
  assertEquals(first, "waiting");
  fixture.client.close();
  assertEquals(await sending, "closed");
});

test("handleConnection() finishes the current body, refuses the rest and ends when the server drains", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  await fixture.client.send("DOWNLOAD big|0|1048576\nDOWNLOAD big|0|9\nPING\n");
  assertEquals(await fixture.client.line(), "OK 1048576");
  fixture.drain();
  assertEquals(await fixture.client.bytes(1_048_576), patternOf(1_048_576));
  assertMatch(await fixture.client.line(), /^ERROR:SHUTDOWN /);
  assertMatch(await fixture.client.line(), /^ERROR:SHUTDOWN /);
  assertEquals(await fixture.rest(), "");
});

test("handleConnection() answers SHUTDOWN to a greeting when the server drains", async () => {
  await using fixture = new HandshakeFixture();
  fixture.drain();
  await fixture.client.send("HELLO 2\n");
  assertMatch(await fixture.rest(), /^ERROR:SHUTDOWN [^\n]*\n$/);
});

test("handleConnection() answers a greeting with BUSY and a pause when the server is full", async () => {
  await using fixture = new HandshakeFixture("full");
  await fixture.client.send("HELLO 2\n");
  assertEquals(
    await fixture.rest(),
    "ERROR:BUSY retry-after-ms=500 too many connections\n",
  );
});

test("handleConnection() sends nothing to a one-shot DOWNLOAD when the server is full", async () => {
  await using fixture = new HandshakeFixture("full");
  await fixture.client.send("DOWNLOAD hello.txt|0\n");
  assertEquals(await fixture.rest(), "");
});

test("handleConnection() answers a one-shot FILESIZE with BUSY when the server is full", async () => {
  await using fixture = new HandshakeFixture("full");
  await fixture.client.send("FILESIZE hello.txt\n");
  assertMatch(await fixture.rest(), /^ERROR:BUSY /);
});

test("handleConnection() answers a silent client with BUSY when the server is full", async () => {
  await using fixture = new HandshakeFixture("full");
  await fixture.clock.timerIn(500);
  fixture.clock.tick(500);
  assertMatch(await fixture.rest(), /^ERROR:BUSY /);
});

test("handleConnection() closes a connection with an unfinished greeting when the server is full", async () => {
  await using fixture = new HandshakeFixture("full");
  await fixture.client.send("HELLO");
  fixture.pass(1000);
  assertEquals(await fixture.rest(), "");
});

test("handleConnection() closes when a line is not complete 10 s after its first byte", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  await fixture.settled();
  for (let i = 0; i < 9; i++) {
    await fixture.client.send("x");
    await fixture.stuck();
    fixture.pass(1000);
    assertEquals(fixture.connection.closeReason, undefined);
  }
  await fixture.client.send("x");
  await fixture.stuck();
  fixture.pass(1000);
  assertMatch(fixture.connection.closeReason!, /did not finish its line/);
});

test("handleConnection() closes when a greeting arrives at a byte in two seconds", async () => {
  await using fixture = new HandshakeFixture();
  for (const byte of "HELLO") {
    await fixture.client.send(byte);
    await fixture.stuck();
    fixture.pass(2000);
  }
  fixture.pass(1000);
  assertMatch(fixture.connection.closeReason!, /did not finish its line/);
});

test("handleConnection() accepts lines that arrive slowly, one after the other", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  for (let i = 0; i < 4; i++) {
    await fixture.client.send("PI");
    await fixture.stuck();
    fixture.pass(6000);
    await fixture.client.send("NG\n");
    assertEquals(await fixture.client.line(), "OK 0");
  }
});

for (const request of ["PING", "nonsense", "FILESIZE none"]) {
  test(`handleConnection() ends a session that only sent ${request} for 5 minutes`, async () => {
    await using fixture = await new HandshakeFixture().greeted();
    for (let i = 0; i < 14; i++) {
      fixture.pass(20_000);
      assertMatch(await fixture.client.ask(request), /^OK 0$|^ERROR:/);
      await fixture.settled();
    }
    fixture.pass(20_000);
    assertMatch(await fixture.client.ask(request), /^OK 0$|^ERROR:/);
    assertEquals(await fixture.rest(), "");
  });
}

test("handleConnection() keeps a session that makes a useful request now and then", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  for (let i = 1; i < 40; i++) {
    fixture.pass(20_000);
    const request = i % 10 === 0 ? "FILESIZE hello.txt" : "PING";
    assertMatch(await fixture.client.ask(request), /^OK 0$|^SIZE:6$/);
    await fixture.settled();
  }
});

const TOKEN = { token: "correct horse" };

test("handleConnection() closes a session that does not prove the token in 10 s", async () => {
  await using fixture = await new HandshakeFixture("free", TOKEN).greeted();
  await fixture.settled();
  fixture.pass(9999);
  assertEquals(fixture.connection.closeReason, undefined);
  fixture.pass(1);
  assertEquals(await fixture.rest(), "");
});

test("handleConnection() delays the reply to a wrong token, and keeps its place meanwhile", async () => {
  await using fixture = await new HandshakeFixture("free", TOKEN).greeted();
  await fixture.client.send("AUTH 00\n");
  await fixture.client.end();
  await fixture.clock.timerIn(100);
  assertEquals(fixture.connection.closeReason, undefined);
  fixture.clock.tick(100);
  assertMatch(await fixture.rest(), /^ERROR:AUTH /);
});

test("handleConnection() keeps the place of a wrong token as long when its client has left", async () => {
  await using fixture = await new HandshakeFixture("free", TOKEN).greeted();
  await fixture.client.send("AUTH 00\n");
  await fixture.clock.timerIn(100);
  let ended = false;
  fixture.ended.then(() => ended = true);
  fixture.connection.close("reset by the client");
  for (let i = 0; i < 10; i++) await fixture.stuck();
  assertEquals(ended, false);
  fixture.clock.tick(100);
  await fixture.ended;
});

test("handleConnection() ends an idle session gracefully when the server drains", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  await fixture.client.send("DOWNLOAD big|0|60000\n");
  await fixture.stuck();
  // Half a line that stays unread would reset the connection, had it simply been closed.
  await fixture.client.send("PIN");
  fixture.drain();
  fixture.connection.leave(new ErrorReply("SHUTDOWN", "the seed is going away"));
  assertEquals(await fixture.client.line(), "OK 60000");
  assertEquals(await fixture.client.bytes(60_000), patternOf(1_048_576).subarray(0, 60_000));
  assertEquals(await fixture.rest(), "");
});

test("handleConnection() answers a silent pending connection with BUSY at once when newer ones need its room", async () => {
  await using fixture = new HandshakeFixture("full");
  await fixture.stuck();
  fixture.clock.tick(50);
  fixture.hurry();
  assertMatch(await fixture.rest(), /^ERROR:BUSY retry-after-ms=500 [^\n]*\n$/);
});

test("handleConnection() closes a new pending connection, or one with an unfinished line, without a reply when newer ones need its room", async () => {
  await using young = new HandshakeFixture("full");
  await young.stuck();
  young.hurry();
  assertEquals(await young.rest(), "");
  await using speaking = new HandshakeFixture("full");
  await speaking.client.send("DOWNLOAD hel");
  await speaking.stuck();
  speaking.clock.tick(100);
  speaking.hurry();
  assertEquals(await speaking.rest(), "");
});
