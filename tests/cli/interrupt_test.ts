import { assert, assertEquals, assertMatch } from "@std/assert";
import { doneOf, downloaded, eventsOfKind, summaryOf } from "./events.ts";
import { assertCode, type Ended, from, noise, ON_UNIX, type Seed, test } from "./harness.ts";

const MIB = 1_048_576;
const SIZE = 12 * MIB + 345;
const BYTES = noise(SIZE);
/** Stored before the interruption: the next run must not fetch it again. */
const STORED = 3 * MIB;
const SLOWLY = ["--limit", "8MiB", "--json"];

const signals = [
  { signal: "SIGINT", exit: 130 },
  { signal: "SIGTERM", exit: 143 },
  { signal: "SIGHUP", exit: 129 },
] as const;

for (const { signal, exit } of signals) {
  test(
    `p2p get exits ${exit} at ${signal}, keeps what it has, and goes on with the same command`,
    async (world) => {
      world.write("share/file.bin", BYTES);
      const seed = await world.serve(world.path("share"));
      const running = world.start("get", "file.bin", ...SLOWLY, ...from(seed));
      await downloaded(running, STORED);
      const ended = await running.endBy(signal);
      assertCode(ended, exit);
      assertEquals(ended.signal, null, "it ended itself");
      assertEquals(world.files(), ["file.bin.p2p-journal", "file.bin.p2p-part"]);
      assertMatch(ended.stderr, /^p2p: interrupted; /m);
      assertMatch(ended.stderr, /^hint: .*same command/m);
      const [failed] = eventsOfKind(ended, "failed");
      assertEquals([failed?.code, failed?.exit], ["interrupted", exit]);
      assertEquals(summaryOf(ended).tasks[0]?.state, "paused");
      assertWentOn(await world.p2p("get", "file.bin", "--json", ...from(seed)), seed);
      assertEquals(world.got("file.bin"), BYTES);
      assertEquals(world.files(), ["file.bin"]);
    },
    ON_UNIX,
  );
}

test("p2p get goes on after SIGKILL in the middle", async (world) => {
  world.write("share/file.bin", BYTES);
  const seed = await world.serve(world.path("share"));
  const running = world.start("get", "file.bin", ...SLOWLY, ...from(seed));
  await downloaded(running, STORED);
  assertEquals((await running.endBy("SIGKILL")).signal, "SIGKILL");
  assertEquals(world.files(), ["file.bin.p2p-journal", "file.bin.p2p-part"]);
  assertWentOn(await world.p2p("get", "file.bin", "--json", ...from(seed)), seed);
  assertEquals(world.got("file.bin"), BYTES);
  assertEquals(world.files(), ["file.bin"]);
}, ON_UNIX);

test("p2p get goes on from another seed of the same bytes", async (world) => {
  world.write("one/file.bin", BYTES);
  world.write("two/file.bin", BYTES);
  const one = await world.serve(world.path("one"));
  const running = world.start("get", "file.bin", ...SLOWLY, ...from(one));
  await downloaded(running, STORED);
  await running.endBy("SIGKILL");
  await one.process.endBy("SIGKILL");
  const two = await world.serve(world.path("two"));
  assertWentOn(await world.p2p("get", "file.bin", "--json", ...from(two)), two);
  assertEquals(world.got("file.bin"), BYTES);
}, ON_UNIX);

test(
  "p2p get goes on from another seed that has the same bytes under another name",
  async (world) => {
    world.write("one/file.bin", BYTES);
    world.write("two/renamed.bin", BYTES);
    const one = await world.serve(world.path("one"));
    const running = world.start("get", "file.bin", ...SLOWLY, ...from(one));
    await downloaded(running, STORED);
    await running.endBy("SIGKILL");
    const two = await world.serve(world.path("two"));
    assertWentOn(await world.p2p("get", "renamed.bin", "--json", ...from(two)), two);
    assertEquals(world.got("renamed.bin"), BYTES);
    assertEquals(world.files(), ["renamed.bin"]);
  },
  ON_UNIX,
);

test("p2p get trusts no byte that its journal does not claim", async (world) => {
  world.write("share/file.bin", BYTES);
  const seed = await world.serve(world.path("share"));
  const running = world.start("get", "file.bin", ...SLOWLY, ...from(seed));
  await downloaded(running, STORED);
  await running.endBy("SIGKILL");
  Deno.removeSync(world.path("here", "file.bin.p2p-journal"));
  // The end of the part file was never written: noise there must not be believed.
  using part = Deno.openSync(world.path("here", "file.bin.p2p-part"), { write: true });
  part.seekSync(SIZE - 1000, Deno.SeekMode.Start);
  part.writeSync(noise(1000, 77));
  assertCode(await world.p2p("get", "file.bin", "--json", ...from(seed)), 0);
  assertEquals(world.got("file.bin"), BYTES);
  assertEquals(world.files(), ["file.bin"]);
}, ON_UNIX);

test(
  "p2p get begins anew, and mixes nothing, when the seed's file is another one by now",
  async (world) => {
    world.write("share/file.bin", BYTES);
    const seed = await world.serve(world.path("share"));
    const running = world.start("get", "file.bin", ...SLOWLY, ...from(seed));
    await downloaded(running, STORED);
    await running.endBy("SIGINT");
    const other = noise(SIZE, 2);
    world.write("share/file.bin", other);
    assertCode(await world.p2p("get", "file.bin", "--json", ...from(seed)), 0);
    assertEquals(world.got("file.bin"), other);
  },
  ON_UNIX,
);

test("p2p get ends at the second SIGINT", async (world) => {
  world.write("share/file.bin", BYTES);
  const seed = await world.serve(world.path("share"));
  const running = world.start("get", "file.bin", ...SLOWLY, ...from(seed));
  await downloaded(running, MIB);
  running.kill("SIGINT");
  await running.stderr.line(/stopping/);
  const ended = await running.endBy("SIGINT");
  assertCode(ended, 130);
  assertWentOn(await world.p2p("get", "file.bin", "--json", ...from(seed)), seed, 1);
}, ON_UNIX);

test(
  "p2p get exits 130 when it is interrupted while a seed does not answer the TLS handshake",
  async (world) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const silent = { address: `tls://127.0.0.1:${listener.addr.port}` };
    const running = world.start("get", "file.bin", "--json", ...from(silent));
    using conn = await listener.accept();
    assert(await conn.read(new Uint8Array(4096)));
    assertCode(await running.endBy("SIGINT"), 130);
    assertEquals(world.files(), []);
  },
  ON_UNIX,
);

test("p2p get exits 4 after --give-up when a seed does not answer the TLS handshake", async (world) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const silent = { address: `tls://127.0.0.1:${listener.addr.port}` };
  const running = world.start("get", "file.bin", "--give-up", "1s", "--json", ...from(silent));
  using _conn = await listener.accept();
  assertCode(await running.ended, 4);
});

test("p2p get exits 130 when it is interrupted while no seed answers", async (world) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const silent = { address: `127.0.0.1:${listener.addr.port}` };
  const running = world.start("get", "file.bin", "--json", ...from(silent));
  using _conn = await listener.accept();
  const ended = await running.endBy("SIGINT");
  assertCode(ended, 130);
  assertEquals(world.files(), []);
}, ON_UNIX);

test(
  "p2p get leaves what waits untouched when it is interrupted, and gets all of it later",
  async (world) => {
    for (const name of ["a.bin", "b.bin", "c.bin"]) world.write(`share/${name}`, BYTES);
    const seed = await world.serve(world.path("share"));
    const flags = ["--max", "1", ...from(seed)];
    const running = world.start("get", "a.bin", "b.bin", "c.bin", ...SLOWLY, ...flags);
    await downloaded(running, STORED, "a.bin");
    const ended = await running.endBy("SIGINT");
    assertCode(ended, 130);
    assertEquals(summaryOf(ended).tasks.map(({ name, state }) => `${name} ${state}`), [
      "a.bin paused",
      "b.bin waiting",
      "c.bin waiting",
    ]);
    assertCode(await world.p2p("get", "a.bin", "b.bin", "c.bin", ...flags), 0);
    assertEquals(world.files(), ["a.bin", "b.bin", "c.bin"]);
  },
  ON_UNIX,
);

/** The run ended well, and what an earlier one had stored was not fetched again. */
function assertWentOn(ended: Ended, seed: Seed, stored = STORED): void {
  assertCode(ended, 0);
  const fetched = doneOf(ended).bytesBySeed[seed.address] ?? 0;
  assert(fetched <= SIZE - stored, `${fetched} of ${SIZE} bytes were fetched again`);
}
