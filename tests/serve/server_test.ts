import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { SERVE_DEFAULTS } from "../../core/config.ts";
import { DiskError, P2pError, UsageError } from "../../core/base/errors.ts";
import { SeedFixture } from "./support.ts";
import { patternOf } from "../support/bytes.ts";
import { ManualClock, YEAR_2033 } from "../support/manual_clock.ts";
import { RawClient } from "../support/raw_client.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { test } from "../support/test.ts";

function files(): TempFolder {
  const folder = new TempFolder();
  folder.write("hello.txt", "hello\n");
  folder.write("sub/big", patternOf(1_048_576));
  return folder;
}

/** Asks for so much that no buffer on the way can take it. */
async function stuck(seed: SeedFixture): Promise<RawClient> {
  const client = await seed.session();
  await client.send("DOWNLOAD sub/big|0|1048576\n".repeat(16));
  assertEquals(await client.line(), "OK 1048576");
  return client;
}

test("serve() reports where it listens and what it serves", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  const { addresses, files: count, bytes } = await seed.event("listening");
  assertEquals([addresses[0]!.host, count, bytes], ["127.0.0.1", 2, 1_048_582]);
  assert(addresses[0]!.port > 0);
});

test("serve() throws UsageError when there is no such folder", async () => {
  const error = await assertRejects(() => SeedFixture.start("/none/such"), UsageError);
  assertMatch(error.message, /Cannot serve "\/none\/such": there is no such folder/);
  assert(error.problem);
});

test("serve() throws UsageError when the folder is a file", async () => {
  using folder = files();
  const path = folder.pathOf("hello.txt");
  const error = await assertRejects(() => SeedFixture.start(path), UsageError);
  assertMatch(error.message, /it is not a folder/);
});

test("serve() throws DiskError when the folder may not be read", async () => {
  if (Deno.build.os === "windows" || Deno.uid() === 0) return;
  using folder = files();
  Deno.chmodSync(folder.pathOf("sub"), 0);
  const error = await assertRejects(() => SeedFixture.start(folder.pathOf("sub")), P2pError);
  assertInstanceOf(error, DiskError);
  Deno.chmodSync(folder.pathOf("sub"), 0o700);
});

test("serve() listens on both families by default, and shows an IPv4 client as IPv4", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path, { host: SERVE_DEFAULTS.host });
  const { addresses } = await seed.event("listening");
  if (addresses[0]!.host !== "::") return; // A machine without IPv6.
  for (const hostname of ["127.0.0.1", "::1"]) {
    using client = await Deno.connect({ hostname, port: seed.port });
    await client.write(new TextEncoder().encode("FILESIZE none\n"));
    await client.read(new Uint8Array(100));
  }
  const clients = [await seed.event("refused"), await seed.event("refused", 1)];
  assertEquals(clients.map(({ client }) => client), ["127.0.0.1", "::1"]);
});

test("serve() throws UsageError when the port is taken", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  const { port } = seed;
  await assertRejects(() => SeedFixture.start(folder.path, { port }), UsageError);
});

test("serve() ends without listening when its signal has aborted already", async () => {
  using folder = files();
  const seed = await SeedFixture.start(folder.path);
  seed.stop();
  await seed.ended;
  await assertRejects(() => seed.connect());
});

test("serve() serves many clients at a time", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path, { uploads: 2 });
  const want = patternOf(1_048_576);
  await Promise.all(Array.from({ length: 12 }, async () => {
    using client = await seed.session();
    for (let i = 0; i < 3; i++) {
      assertEquals(await client.body("DOWNLOAD sub/big|0|1048576"), want);
    }
  }));
});

test("serve() answers BUSY when one address has too many connections", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path, { clientConnections: 2 });
  using one = await seed.session();
  using two = await seed.session();
  using three = await seed.connect();
  await three.send("HELLO 2\n");
  assertMatch(await three.line(), /^ERROR:BUSY retry-after-ms=\d+ \w/);
  assertEquals(await three.rest(), new Uint8Array());
  assertEquals(await one.ask("PING"), "OK 0");
  assertEquals(await two.ask("PING"), "OK 0");
});

test("serve() accepts a new client when another one has left", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path, { maxConnections: 1 });
  using one = await seed.session();
  assertMatch(await seed.ask("FILESIZE hello.txt"), /^ERROR:BUSY /);
  assertEquals(await one.ask("BYE"), "OK 0");
  one.close();
  // The seed sees that a moment later: what is asked before is refused, not lost.
  let reply = "ERROR:BUSY";
  while (reply.startsWith("ERROR:BUSY")) reply = await seed.ask("FILESIZE hello.txt");
  assertEquals(reply, "SIZE:6\n");
});

test("serve() serves other clients when one does not read", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using lazy = await stuck(seed);
  using other = await seed.session();
  assertEquals((await other.body("DOWNLOAD sub/big|0|1000")).length, 1000);
  assertEquals(lazy.stream.peer, "127.0.0.1");
});

test("serve() frees the slot of a client that does not read for 30 s", async () => {
  using folder = files();
  const clock = new ManualClock(YEAR_2033);
  await using seed = await SeedFixture.start(folder.path, { clock, uploads: 1 });
  using lazy = await stuck(seed);
  using other = await seed.session();
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1000) {
      await clock.timerIn(1000);
      clock.tick(1000);
    }
  };
  await pass(15_000);
  assertEquals(await other.ask("PING"), "OK 0");
  await other.send("DOWNLOAD sub/big|0|5\n");
  await pass(20_000);
  assertEquals(await other.line(), "OK 5");
  // The system still holds what the client did not read; then comes the end.
  const got = await lazy.rest();
  assert(got.length < 16 * 1_048_576);
});

test("serve() closes idle connections and ends when `signal` aborts", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using silent = await seed.connect();
  using idle = await seed.session();
  seed.stop();
  await seed.ended;
  assertEquals(await silent.rest(), new Uint8Array());
  assertEquals(await idle.rest(), new Uint8Array());
  assertEquals((await seed.event("draining")).connections, 2);
});

test("serve() finishes the current replies when `signal` aborts", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await stuck(seed);
  seed.stop();
  await seed.event("draining");
  await assertRejects(() => seed.connect());
  assertEquals(await client.bytes(1_048_576), patternOf(1_048_576));
  const rest = new TextDecoder().decode(await client.rest());
  assertMatch(rest.slice(-200), /ERROR:SHUTDOWN [^\n]*\n$/);
  client.close();
  await seed.ended;
});

test("serve() waits no longer than 10 s for a client when `signal` aborts", async () => {
  using folder = files();
  const clock = new ManualClock(YEAR_2033);
  await using seed = await SeedFixture.start(folder.path, { clock });
  using client = await stuck(seed);
  seed.stop();
  await clock.timerIn(10_000);
  clock.tick(10_000);
  await seed.ended;
  // Only now, for what the system still sends can end no earlier.
  client.close();
});

test("serve() closes everything at once when `now` aborts", async () => {
  using folder = files();
  const seed = await SeedFixture.start(folder.path);
  using client = await stuck(seed);
  using idle = await seed.session();
  seed.stopNow();
  await seed.ended;
  assertEquals(await idle.rest(), new Uint8Array());
  client.close();
  await seed.released();
});

test("serve() ends at once when `now` aborts while it drains", async () => {
  using folder = files();
  const seed = await SeedFixture.start(folder.path);
  using client = await stuck(seed);
  seed.stop();
  await seed.event("draining");
  seed.stopNow();
  await seed.ended;
  client.close();
  await seed.released();
});

test("serve() goes on when clients connect and leave in every way", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  for (
    const words of [
      "",
      "H",
      "HELLO 2\n",
      "HELLO 2\nDOWNLOAD sub/big|0|1048576\n",
      "LIST",
      "\n\n",
      "\u0000",
    ]
  ) {
    const client = await seed.connect();
    await client.send(words);
    client.close();
  }
  assertEquals(await seed.ask("FILESIZE hello.txt"), "SIZE:6\n");
});

test("serve() answers BUSY to every client of a rush that it cannot admit", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path, { maxConnections: 1 });
  using _one = await seed.session();
  const replies = await Promise.all(Array.from({ length: 100 }, async () => {
    using client = await seed.connect();
    await client.send("HELLO 2\n");
    return (await client.line()).split(" ")[0];
  }));
  assertEquals(new Set(replies), new Set(["ERROR:BUSY"]));
});
