/** Attacks that work by taking long, in a time that the test moves. */
import { assertEquals, assertMatch } from "@std/assert";
import { setImmediate } from "node:timers";
import { TaskGroup } from "../../core/base/task_group.ts";
import { ClientConnection } from "../../core/serve/accept/client_connection.ts";
import { handleConnection } from "../../core/serve/accept/handshake.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { contextOf } from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { ManualClock, YEAR_2033 } from "../support/manual_clock.ts";
import { RawClient } from "../support/raw_client.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { test } from "../support/test.ts";

/** The protocol's limit, and the second in which the seed looks next; a seed may be stricter. */
const MAX_SECONDS = 31;
/** Longer than that. */
const LONGEST_MS = 35_000;

class HandshakeFixture implements AsyncDisposable {
  readonly folder = new TempFolder();
  readonly clock = new ManualClock(YEAR_2033);
  readonly client: RawClient;
  readonly connection: ClientConnection;
  readonly #jobs = new TaskGroup(new AbortController().signal);
  readonly #talk: Promise<void>;

  constructor() {
    const [theirs, ours] = memoryPair();
    this.folder.write("big", patternOf(1_048_576));
    this.client = new RawClient(theirs);
    this.connection = new ClientConnection(ours, this.clock);
    const seed = contextOf(this.folder.path, this.#jobs, { clock: this.clock });
    this.#talk = handleConnection(this.connection, seed, this.#jobs.signal);
  }

  async greeted(): Promise<this> {
    await this.client.send("HELLO 2\n");
    assertMatch(await this.client.line(), /^HELLO 2 /);
    return this;
  }

  /** Time passes a second at a time, as the seed looks at it; after each, `act`. Says how many passed until the connection was closed. */
  async secondsUntilClosed(act: (second: number) => Promise<void> | void): Promise<number> {
    for (let second = 1; second * 1000 <= LONGEST_MS; second++) {
      this.clock.tick(1000);
      this.connection.checkTimeouts(this.clock.now());
      if (this.connection.closeReason !== undefined) return second;
      await act(second);
      // What the seed does with it, it has done.
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    return Infinity;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    this.#jobs.abort();
    await this.#talk;
    await this.#jobs[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

const drips = [
  { what: "a letter of a request", text: "F" },
  { what: "a CR", text: "\r" },
  { what: "a byte that is no text", text: "\u00ff" },
];

for (const { what, text } of drips) {
  test(`handleConnection() closes a session that sends ${what} a second, and no line`, async () => {
    await using fixture = await new HandshakeFixture().greeted();
    const seconds = await fixture.secondsUntilClosed(() => fixture.client.send(text));
    assertEquals(seconds <= MAX_SECONDS, true, `closed after ${seconds} s`);
  });
}

test("handleConnection() closes a session that begins a line and does not complete it", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  assertEquals(await fixture.client.ask("PING"), "OK 0");
  const seconds = await fixture.secondsUntilClosed(async (second) => {
    if (second === 5) await fixture.client.send("FILESIZE b");
  });
  assertEquals(seconds <= MAX_SECONDS, true, `closed after ${seconds} s`);
});

test("handleConnection() closes a connection that sends a letter of a greeting a second", async () => {
  await using fixture = new HandshakeFixture();
  const seconds = await fixture.secondsUntilClosed((second) =>
    fixture.client.send("HELLO 2".charAt(second - 1))
  );
  assertEquals(seconds <= MAX_SECONDS, true, `closed after ${seconds} s`);
});

test("handleConnection() closes a session that reads a byte of its reply a second", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  await fixture.client.send("DOWNLOAD big|0|1048576\n".repeat(16));
  assertEquals(await fixture.client.line(), "OK 1048576");
  const byte = new Uint8Array(1);
  const seconds = await fixture.secondsUntilClosed(async () =>
    void await fixture.client.stream.read(byte)
  );
  assertEquals(seconds <= MAX_SECONDS, true, `closed after ${seconds} s`);
});

test("handleConnection() keeps a session that makes a request every few seconds and reads the reply", async () => {
  await using fixture = await new HandshakeFixture().greeted();
  const seconds = await fixture.secondsUntilClosed(async (second) => {
    if (second % 5 === 0) {
      assertEquals((await fixture.client.body("DOWNLOAD big|0|1000")).length, 1000);
    }
  });
  assertEquals(seconds, Infinity);
});
