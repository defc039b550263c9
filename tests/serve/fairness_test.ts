/** Whole conversations of several clients with one seed, over streams in memory. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { TaskGroup } from "../../core/base/task_group.ts";
import type { ServeSettings } from "../../core/config.ts";
import { ClientConnection } from "../../core/serve/accept/client_connection.ts";
import { handleConnection } from "../../core/serve/accept/handshake.ts";
import type { ServeContext } from "../../core/serve/context.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { assertNear, contextOf, jainOf } from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { RawClient } from "../support/raw_client.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { test } from "../support/test.ts";

const SIZE = 4_194_304;

class FairnessFixture implements AsyncDisposable {
  readonly clock = new ManualClock(1_000_000);
  readonly folder = new TempFolder();
  readonly connections: ClientConnection[] = [];
  /** Bytes of bodies, by client address. */
  readonly got = new Map<string, number>();
  readonly #jobs = new TaskGroup(new AbortController().signal);
  readonly #visits: Promise<void>[] = [];
  readonly #loops: Promise<void>[] = [];
  readonly #open: RawClient[] = [];
  readonly #enough = Promise.withResolvers<void>();
  #most = Infinity;
  #greeted = 0;
  readonly seed: ServeContext;

  constructor(settings: Partial<ServeSettings>) {
    this.folder.write("big", patternOf(SIZE));
    this.seed = contextOf(this.folder.path, this.#jobs, { ...settings, clock: this.clock });
  }

  connect(address: string): RawClient {
    const [theirs, ours] = memoryPair(["10.0.0.1", address]);
    const streams = [theirs, ours].find(({ peer }) => peer === address)!;
    const connection = new ClientConnection(streams, this.clock);
    this.connections.push(connection);
    this.#visits.push(handleConnection(connection, this.seed, this.#jobs.signal));
    const client = new RawClient(streams === ours ? theirs : ours);
    this.#open.push(client);
    return client;
  }

  async session(address: string): Promise<RawClient> {
    const client = this.connect(address);
    await client.send("HELLO 2\n");
    assertMatch(await client.line(), /^HELLO 2 /);
    return client;
  }

  /** Downloads over so many connections, on and on, always with requests on the way. */
  load(address: string, connections: number, bodyBytes: number): void {
    this.got.set(address, 0);
    for (let i = 0; i < connections; i++) this.#loops.push(this.#download(address, bodyBytes));
  }

  async #download(address: string, bodyBytes: number): Promise<void> {
    const client = await this.session(address);
    this.#greeted++;
    const request = `DOWNLOAD big|0|${bodyBytes}\n`;
    await client.send(request.repeat(4));
    for (;;) {
      await client.send(request);
      assertEquals(await client.line(), `OK ${bodyBytes}`);
      for (let left = bodyBytes; left > 0;) {
        const part = await client.some(left);
        left -= part;
        this.got.set(address, this.got.get(address)! + part);
        if (this.total() >= this.#most) return this.#enough.resolve();
      }
    }
  }

  /** Resolves when all who came are in their sessions, without any time passing. */
  async greeted(): Promise<void> {
    while (this.#greeted < this.#loops.length) await this.clock.advance(0);
  }

  /** Resolves when all together got so much; then they stop. */
  async stopAt(most: number): Promise<void> {
    this.#most = most;
    await this.#enough.promise;
  }

  total(): number {
    return [...this.got.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const loops = Promise.allSettled(this.#loops);
    for (const client of this.#open) client.close();
    this.#jobs.abort();
    await Promise.all(this.#visits);
    await loops;
    await this.#jobs[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

const others = Array.from({ length: 7 }, (_, i) => `10.0.1.${i}`);

test("Seven clients and one with sixteen connections get equal shares of --limit", async () => {
  await using clients = new FairnessFixture({ limit: 1_000_000 });
  clients.load("10.0.0.9", 16, 65_536);
  for (const address of others) clients.load(address, 1, 65_536);
  await clients.greeted();
  await clients.clock.advance(10_000);
  assert(jainOf(clients.got.values()) >= 0.95, JSON.stringify([...clients.got]));
  assertNear(clients.total() / 10_000_000, 1, 0.05);
});

test("Clients with small and with large bodies get equal shares of --limit", async () => {
  await using clients = new FairnessFixture({ limit: 1_000_000 });
  for (const [i, address] of others.entries()) {
    clients.load(address, i + 1, i % 2 === 0 ? 1_048_576 : 4096);
  }
  await clients.greeted();
  await clients.clock.advance(10_000);
  assert(jainOf(clients.got.values()) >= 0.95, JSON.stringify([...clients.got]));
});

test("Seven clients and one with sixteen connections get equal shares without a limit", async () => {
  await using clients = new FairnessFixture({});
  for (const address of others) clients.load(address, 1, 65_536);
  clients.load("10.0.0.9", 16, 65_536);
  await clients.stopAt(64 * 1_048_576);
  assert(jainOf(clients.got.values()) >= 0.95, JSON.stringify([...clients.got]));
});

test("A client that waits for --client-limit on sixteen connections does not delay others", async () => {
  await using clients = new FairnessFixture({ clientLimit: 10_240, uploads: 2 });
  clients.load("10.0.0.9", 16, 65_536);
  await clients.greeted();
  await clients.clock.advance(5000);
  const other = await clients.session("10.0.0.8");
  await other.send("DOWNLOAD big|0|1000\n");
  await clients.clock.advance(150);
  assertEquals(await other.line(), "OK 1000");
  assertEquals((await other.bytes(1000)).length, 1000);
  await clients.clock.advance(4850);
  assertNear(clients.total() / 102_400, 1, 0.05);
});

test("Listings, manifests and one-shot replies are subject to --limit", async () => {
  await using clients = new FairnessFixture({ limit: 1000, chunkBytes: 1000 });
  clients.folder.write("small", patternOf(1000));
  for (let i = 0; i < 40; i++) clients.folder.write(`file ${i}`, "x");
  const talk: [string, RegExp][] = [
    ["LIST\n", /^OK \d{4}/],
    ["MANIFEST small\n", /^OK \d{3}/],
  ];
  for (const [request, reply] of talk) {
    const client = await clients.session("10.0.0.7");
    const body = client.send(request).then(() => client.line());
    await clients.clock.advance(200);
    assertMatch(await body, reply);
    assert(client.unread <= 400, `${client.unread} bytes of ${request}`);
    client.close();
    await clients.clock.advance(5000);
  }
  const old = clients.connect("10.0.0.6");
  await old.send("DOWNLOAD big|0\n");
  await clients.clock.advance(200);
  const got = await old.some(1000);
  assert(got <= 400, `${got} bytes`);
});

test("A client that waits for --limit is neither idle nor slow", async () => {
  await using clients = new FairnessFixture({ limit: 100 });
  const client = await clients.session("10.0.0.5");
  await client.send("DOWNLOAD big|0|10000\n");
  for (let i = 0; i < 90; i++) {
    await clients.clock.advance(1000);
    for (const connection of clients.connections) connection.checkTimeouts(clients.clock.now());
  }
  assertEquals(clients.connections[0]!.closeReason, undefined);
  assertEquals(await client.line(), "OK 10000");
});

test("A client gets CHANGED until it requests the new manifest, whatever others request", async () => {
  await using clients = new FairnessFixture({});
  clients.folder.write("small", "first");
  const [old, second] = [await clients.session("10.0.0.1"), await clients.session("10.0.0.1")];
  const other = await clients.session("10.0.0.2");
  await old.body("MANIFEST small");
  clients.folder.write("small", "second version");
  await other.body("MANIFEST small");
  assertEquals((await other.body("DOWNLOAD small|0|5")).length, 5);
  assertMatch(await second.ask("DOWNLOAD small|0|5"), /^ERROR:CHANGED /);
  assertMatch(await old.ask("DOWNLOAD small|0|5"), /^ERROR:CHANGED /);
  await second.body("MANIFEST small");
  assertEquals((await old.body("DOWNLOAD small|0|5")).length, 5);
});
