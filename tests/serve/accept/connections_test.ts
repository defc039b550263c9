/** Many clients of one seed over streams in memory: who is let in, and how those who give way go. */
import { assertEquals, assertMatch } from "@std/assert";
import { setImmediate } from "node:timers";
import { TaskGroup } from "../../../core/base/task_group.ts";
import type { ServeSettings } from "../../../core/config.ts";
import type { ServeEvent } from "../../../core/events.ts";
import { Connections } from "../../../core/serve/accept/connections.ts";
import type { ServeContext } from "../../../core/serve/context.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { memoryPair } from "../../support/memory_stream.ts";
import { contextOf } from "../support.ts";
import { patternOf } from "../../support/bytes.ts";
import { RawClient } from "../../support/raw_client.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";

const BIG = patternOf(1_048_576);
/** Nobody gives way before: long enough to have asked for something. */
const TENURE_MS = 1100;

class ServerFixture implements AsyncDisposable {
  readonly clock = new ManualClock(1_000_000);
  readonly events: ServeEvent[] = [];
  readonly seed: ServeContext;
  readonly connections: Connections;
  readonly #folder = new TempFolder();
  readonly #jobs = new TaskGroup(new AbortController().signal);
  readonly #clients: RawClient[] = [];

  constructor(settings: Partial<ServeSettings>) {
    this.#folder.write("big", BIG);
    this.#folder.age("big");
    this.seed = contextOf(this.#folder.path, this.#jobs, {
      ...settings,
      clock: this.clock,
      emit: (event) => this.events.push(event),
    });
    this.connections = new Connections(this.seed);
  }

  connect(address: string): RawClient {
    const [theirs, ours] = memoryPair([address, "10.0.0.1"]);
    const [client, server] = ours.peer === address ? [theirs, ours] : [ours, theirs];
    this.connections.accept(server, this.#jobs);
    const raw = new RawClient(client);
    this.#clients.push(raw);
    return raw;
  }

  /** A client that opens a session; the seed's answer to that. */
  async session(address: string): Promise<{ client: RawClient; greeting: string }> {
    const client = this.connect(address);
    await client.send("HELLO 2\n");
    return { client, greeting: await client.line() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    this.#jobs.abort();
    await this.#jobs[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

async function restOf(client: RawClient): Promise<string> {
  return new TextDecoder().decode(await client.rest());
}

/** Everything that can go on by itself has gone on. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("Connections admits a new client instead of an idle one, which loses no reply", async () => {
  await using server = new ServerFixture({ maxConnections: 4, clientConnections: 2 });
  const polite = [];
  for (const address of ["10.0.0.2", "10.0.0.3"]) {
    for (let i = 0; i < 2; i++) polite.push((await server.session(address)).client);
  }
  for (const client of polite) assertEquals(await client.ask("FILESIZE big"), "SIZE:1048576");
  const { client, greeting } = await server.session("10.0.0.9");
  assertMatch(greeting, /^HELLO 2 /);
  assertEquals(await client.body("DOWNLOAD big|0|1048576"), BIG);
  assertEquals(await restOf(polite[0]!), "", "the oldest idle one ends in good order");
  assertEquals(await polite[1]!.ask("PING"), "OK 0");
  assertEquals(server.seed.metrics.evicted.samples, [{ labels: {}, value: 1 }]);
});

test("Connections lets an evicted session finish its current body, and answers its other requests BUSY", async () => {
  await using server = new ServerFixture({ maxConnections: 1 });
  const { client: first } = await server.session("10.0.0.2");
  await first.send("DOWNLOAD big|0|1048576\nDOWNLOAD big|0|9\nPING\n");
  assertEquals(await first.line(), "OK 1048576");
  // It reads nothing meanwhile.
  await server.clock.advance(60_000);
  const { greeting } = await server.session("10.0.0.3");
  assertMatch(greeting, /^HELLO 2 /);
  assertEquals(await first.bytes(BIG.length), BIG);
  for (let i = 0; i < 2; i++) assertMatch(await first.line(), /^ERROR:BUSY retry-after-ms=100 /);
  assertEquals(await restOf(first), "");
});

test("Connections sends BUSY to an evicted client that was silent, and nothing to one that has begun a request", async () => {
  await using server = new ServerFixture({ maxConnections: 2 });
  const silent = server.connect("10.0.0.2");
  const loris = server.connect("10.0.0.3");
  await loris.send("DOWNLOAD b");
  await settled();
  await server.clock.advance(TENURE_MS);
  for (const address of ["10.0.0.4", "10.0.0.5"]) {
    assertMatch((await server.session(address)).greeting, /^HELLO 2 /);
  }
  assertMatch(await restOf(silent), /^ERROR:BUSY retry-after-ms=100 [^\n]*\n$/);
  assertEquals(await restOf(loris), "");
});

test("Connections ends a client that is evicted while it is being greeted", async () => {
  await using server = new ServerFixture({ maxConnections: 2, clientConnections: 2 });
  const pair = [server.connect("10.0.0.2"), server.connect("10.0.0.2")];
  // All of them at once: the newcomer takes a place before a greeting is written.
  const other = server.connect("10.0.0.3");
  await Promise.all([...pair, other].map((client) => client.send("HELLO 2\n")));
  assertMatch(await other.line(), /^HELLO 2 /);
  assertMatch(await restOf(pair[0]!), /^HELLO 2 [^\n]*\n$/);
  assertMatch(await pair[1]!.line(), /^HELLO 2 /);
  assertEquals(await pair[1]!.ask("PING"), "OK 0");
});

test("Connections evicts no client for a silent connection", async () => {
  await using server = new ServerFixture({ maxConnections: 2 });
  const polite = [];
  for (const address of ["10.0.0.2", "10.0.0.3"]) {
    polite.push((await server.session(address)).client);
  }
  await server.clock.advance(TENURE_MS);
  const silent = server.connect("10.0.0.4");
  await settled();
  await server.clock.advance(500);
  assertMatch(await restOf(silent), /^ERROR:BUSY [^\n]*\n$/);
  for (const client of polite) assertEquals(await client.ask("PING"), "OK 0");
});

test("Connections limits all addresses of one IPv6 /64 as one client", async () => {
  await using server = new ServerFixture({ clientConnections: 2 });
  for (const address of ["2001:db8::1", "2001:db8::2"]) await server.session(address);
  const { greeting } = await server.session("2001:db8::3");
  assertMatch(greeting, /^ERROR:BUSY .*from your address/);
  assertMatch((await server.session("2001:db8:0:1::1")).greeting, /^HELLO 2 /);
});
