/** One client over a stream in memory, with the clock's hands in the test. */
import { setImmediate } from "node:timers";
import { assertEquals, assertMatch } from "@std/assert";
import { TaskGroup } from "../../../core/base/task_group.ts";
import type { ServeSettings } from "../../../core/config.ts";
import type { ServeEvent } from "../../../core/events.ts";
import { ClientConnection } from "../../../core/serve/accept/client_connection.ts";
import { handleConnection } from "../../../core/serve/accept/handshake.ts";
import { ErrorReply } from "../../../core/protocol/error_replies.ts";
import { memoryPair } from "../../fakes/memory_stream.ts";
import { ManualClock, patternOf, RawClient, seedOf, TempFolder, test } from "../support.ts";

/** Lets the seed run until it has done something that no byte tells. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}

/** A client that is being received; the test is its other end. */
class Visit implements AsyncDisposable {
  readonly folder = new TempFolder();
  readonly clock = new ManualClock();
  readonly events: ServeEvent[] = [];
  readonly client: RawClient;
  readonly connection: ClientConnection;
  readonly #jobs = new TaskGroup(new AbortController().signal);
  readonly #draining = new AbortController();
  readonly #hurry = new AbortController();
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
    const seed = seedOf(this.folder.path, this.#jobs, {
      ...settings,
      clock: this.clock,
      draining: this.#draining.signal,
      emit: (event) => this.events.push(event),
    });
    const { signal } = this.#jobs;
    const full = { enter: () => "too many connections", hurry: this.#hurry.signal };
    const pending = place === "full" ? full : undefined;
    this.#talk = handleConnection(this.connection, seed, signal, pending);
  }

  async greeted(): Promise<this> {
    await this.client.send("HELLO 2\n");
    assertMatch(await this.client.line(), /^HELLO 2 /);
    return this;
  }

  /** Time passes; the sweep looks at the connection. */
  pass(ms: number): void {
    this.clock.advance(ms);
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
    this.#hurry.abort();
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
  await using visit = new Visit();
  await visit.client.send("FILESIZE hel");
  await visit.clock.sleeperFor(200);
  visit.clock.advance(199);
  await visit.client.send("lo.txt");
  await visit.clock.sleeperFor(200);
  visit.clock.advance(200);
  assertEquals(await visit.rest(), "SIZE:6\n");
});

for (const cut of [1, 3, 6, 7]) {
  test(`handleConnection() waits on when a greeting pauses after ${cut} bytes`, async () => {
    await using visit = new Visit();
    const greeting = "HELLO 2\n";
    await visit.client.send(greeting.slice(0, cut));
    await visit.clock.sleeperFor(200);
    visit.clock.advance(200);
    await visit.clock.sleeperFor(200);
    await visit.client.send(greeting.slice(cut));
    assertMatch(await visit.client.line(), /^HELLO 2 agent=/);
  });
}

test("handleConnection() closes when a client says nothing for 30 s", async () => {
  await using visit = new Visit();
  visit.pass(29_999);
  assertEquals(visit.connection.closeReason, undefined);
  visit.pass(1);
  assertEquals(await visit.rest(), "");
  assertMatch(visit.connection.closeReason!, /sent nothing/);
});

test("handleConnection() closes a session that sends no complete line for 30 s", async () => {
  await using visit = await new Visit().greeted();
  assertEquals(await visit.client.ask("PING"), "OK 0");
  await visit.settled();
  visit.pass(20_000);
  await visit.client.send("PIN");
  visit.pass(10_000);
  assertEquals(await visit.rest(), "");
});

test("handleConnection() keeps a session that asks within 30 s", async () => {
  await using visit = await new Visit().greeted();
  for (let i = 0; i < 5; i++) {
    visit.pass(29_999);
    assertEquals(await visit.client.ask("PING"), "OK 0");
    await visit.settled();
  }
});

test("handleConnection() closes when a client does not read its reply for 30 s", async () => {
  await using visit = await new Visit().greeted();
  await visit.client.send("DOWNLOAD big|0|1048576\n");
  assertEquals(await visit.client.line(), "OK 1048576");
  await visit.stuck();
  visit.pass(29_999);
  assertEquals(visit.connection.closeReason, undefined);
  visit.pass(30_000);
  assertMatch(visit.connection.closeReason!, /did not read/);
  const got = await visit.client.rest();
  assertEquals(got, patternOf(1_048_576).subarray(0, got.length));
});

test("handleConnection() keeps a client that reads slowly", async () => {
  await using visit = await new Visit().greeted();
  await visit.client.send("DOWNLOAD big|0|1048576\n");
  assertEquals(await visit.client.line(), "OK 1048576");
  for (let read = 0; read < 1_048_576; read += 65_536) {
    await visit.client.bytes(65_536);
    visit.pass(5000);
  }
  assertEquals(await visit.client.ask("PING"), "OK 0");
});

test("handleConnection() closes the connection when the file changes while a body is sent", async () => {
  await using visit = await new Visit().greeted();
  await visit.client.send("DOWNLOAD big|0|1048576\n");
  assertEquals(await visit.client.line(), "OK 1048576");
  visit.folder.write("big", patternOf(1_048_576, 2));
  const got = await visit.client.rest();
  assertEquals(got.length < 1_048_576, true);
  assertEquals(got, patternOf(1_048_576).subarray(0, got.length));
  await until(() => visit.refusals().length > 0);
  assertMatch(visit.refusals().join(), /changed while it was read/);
});

test("handleConnection() closes the connection when the file is cut while a body is sent", async () => {
  await using visit = await new Visit().greeted();
  await visit.client.send("DOWNLOAD big|0|1048576\n");
  assertEquals(await visit.client.line(), "OK 1048576");
  Deno.truncateSync(visit.folder.pathOf("big"), 300_000);
  const got = await visit.client.rest();
  assertEquals(got.length < 1_048_576, true);
  assertEquals(got, patternOf(1_048_576).subarray(0, got.length));
});

test("handleConnection() stops reading when a client asks for more than it takes", async () => {
  await using visit = await new Visit().greeted();
  const flood = "DOWNLOAD big|0|1048576\n".repeat(10_000);
  const sending = visit.client.send(flood).then(() => "sent", () => "closed");
  // The seed is stuck in its first reply, so only as much was read as it queues.
  assertEquals(await visit.client.line(), "OK 1048576");
  const first = await Promise.race([sending, Promise.resolve("waiting")]);
  assertEquals(first, "waiting");
  visit.client.close();
  assertEquals(await sending, "closed");
});

test("handleConnection() finishes the body that is being sent, refuses the rest and ends when the seed drains", async () => {
  await using visit = await new Visit().greeted();
  await visit.client.send("DOWNLOAD big|0|1048576\nDOWNLOAD big|0|9\nPING\n");
  assertEquals(await visit.client.line(), "OK 1048576");
  visit.drain();
  assertEquals(await visit.client.bytes(1_048_576), patternOf(1_048_576));
  assertMatch(await visit.client.line(), /^ERROR:SHUTDOWN /);
  assertMatch(await visit.client.line(), /^ERROR:SHUTDOWN /);
  assertEquals(await visit.rest(), "");
});

test("handleConnection() answers SHUTDOWN to a greeting when the seed drains", async () => {
  await using visit = new Visit();
  visit.drain();
  await visit.client.send("HELLO 2\n");
  assertMatch(await visit.rest(), /^ERROR:SHUTDOWN [^\n]*\n$/);
});

test("handleConnection() in a full seed answers BUSY with a pause to a greeting", async () => {
  await using visit = new Visit("full");
  await visit.client.send("HELLO 2\n");
  assertEquals(
    await visit.rest(),
    "ERROR:BUSY retry-after-ms=500 too many connections\n",
  );
});

test("handleConnection() in a full seed sends nothing to a one-shot DOWNLOAD, whose client would take it for the file", async () => {
  await using visit = new Visit("full");
  await visit.client.send("DOWNLOAD hello.txt|0\n");
  assertEquals(await visit.rest(), "");
});

test("handleConnection() in a full seed answers BUSY to a one-shot FILESIZE", async () => {
  await using visit = new Visit("full");
  await visit.client.send("FILESIZE hello.txt\n");
  assertMatch(await visit.rest(), /^ERROR:BUSY /);
});

test("handleConnection() in a full seed answers BUSY and closes when a client says nothing", async () => {
  await using visit = new Visit("full");
  await visit.clock.sleeperFor(500);
  visit.clock.advance(500);
  assertMatch(await visit.rest(), /^ERROR:BUSY /);
});

test("handleConnection() in a full seed closes when a client begins a greeting and does not end it", async () => {
  await using visit = new Visit("full");
  await visit.client.send("HELLO");
  visit.pass(1000);
  assertEquals(await visit.rest(), "");
});

test("handleConnection() closes when a line that was begun is not finished in 10 s", async () => {
  await using visit = await new Visit().greeted();
  await visit.settled();
  for (let i = 0; i < 9; i++) {
    await visit.client.send("x");
    await visit.stuck();
    visit.pass(1000);
    assertEquals(visit.connection.closeReason, undefined);
  }
  await visit.client.send("x");
  await visit.stuck();
  visit.pass(1000);
  assertMatch(visit.connection.closeReason!, /did not finish its line/);
});

test("handleConnection() closes when a greeting comes a byte in two seconds", async () => {
  await using visit = new Visit();
  for (const byte of "HELLO") {
    await visit.client.send(byte);
    await visit.stuck();
    visit.pass(2000);
  }
  visit.pass(1000);
  assertMatch(visit.connection.closeReason!, /did not finish its line/);
});

test("handleConnection() takes lines that come slowly, one after the other", async () => {
  await using visit = await new Visit().greeted();
  for (let i = 0; i < 4; i++) {
    await visit.client.send("PI");
    await visit.stuck();
    visit.pass(6000);
    await visit.client.send("NG\n");
    assertEquals(await visit.client.line(), "OK 0");
  }
});

for (const request of ["PING", "nonsense", "FILESIZE none"]) {
  test(`handleConnection() says goodbye to a session that in 5 minutes only said ${request}`, async () => {
    await using visit = await new Visit().greeted();
    for (let i = 0; i < 14; i++) {
      visit.pass(20_000);
      assertMatch(await visit.client.ask(request), /^OK 0$|^ERROR:/);
      await visit.settled();
    }
    visit.pass(20_000);
    assertMatch(await visit.client.ask(request), /^OK 0$|^ERROR:/);
    assertEquals(await visit.rest(), "");
  });
}

test("handleConnection() keeps a session that is of use now and then", async () => {
  await using visit = await new Visit().greeted();
  for (let i = 1; i < 40; i++) {
    visit.pass(20_000);
    const request = i % 10 === 0 ? "FILESIZE hello.txt" : "PING";
    assertMatch(await visit.client.ask(request), /^OK 0$|^SIZE:6$/);
    await visit.settled();
  }
});

const TOKEN = { token: "correct horse" };

test("handleConnection() closes a session that does not prove the token in 10 s", async () => {
  await using visit = await new Visit("free", TOKEN).greeted();
  await visit.settled();
  visit.pass(9999);
  assertEquals(visit.connection.closeReason, undefined);
  visit.pass(1);
  assertEquals(await visit.rest(), "");
});

test("handleConnection() holds the answer to a wrong token back, and its place with it", async () => {
  await using visit = await new Visit("free", TOKEN).greeted();
  await visit.client.send("AUTH 00\n");
  await visit.client.end();
  await visit.clock.sleeperFor(100);
  assertEquals(visit.connection.closeReason, undefined);
  visit.clock.advance(100);
  assertMatch(await visit.rest(), /^ERROR:AUTH /);
});

test("handleConnection() keeps the place of a wrong token for as long when its client is gone", async () => {
  await using visit = await new Visit("free", TOKEN).greeted();
  await visit.client.send("AUTH 00\n");
  await visit.clock.sleeperFor(100);
  let ended = false;
  visit.ended.then(() => ended = true);
  visit.connection.close("reset by the client");
  for (let i = 0; i < 10; i++) await visit.stuck();
  assertEquals(ended, false);
  visit.clock.advance(100);
  await visit.ended;
});

test("handleConnection() ends a resting session in good order when the seed drains", async () => {
  await using visit = await new Visit().greeted();
  await visit.client.send("DOWNLOAD big|0|60000\n");
  await visit.stuck();
  // Half a line that stays unread would reset the connection, had it simply been closed.
  await visit.client.send("PIN");
  visit.drain();
  visit.connection.leave(new ErrorReply("SHUTDOWN", "the seed is going away"));
  assertEquals(await visit.client.line(), "OK 60000");
  assertEquals(await visit.client.bytes(60_000), patternOf(1_048_576).subarray(0, 60_000));
  assertEquals(await visit.rest(), "");
});

test("handleConnection() in a full seed answers BUSY at once when others want the room of one that is silent", async () => {
  await using visit = new Visit("full");
  await visit.stuck();
  visit.clock.advance(50);
  visit.hurry();
  assertMatch(await visit.rest(), /^ERROR:BUSY retry-after-ms=500 [^\n]*\n$/);
});

test("handleConnection() in a full seed closes without a word when others want the room of one that has just come, or has begun to speak", async () => {
  await using young = new Visit("full");
  await young.stuck();
  young.hurry();
  assertEquals(await young.rest(), "");
  await using speaking = new Visit("full");
  await speaking.client.send("DOWNLOAD hel");
  await speaking.stuck();
  speaking.clock.advance(100);
  speaking.hurry();
  assertEquals(await speaking.rest(), "");
});
