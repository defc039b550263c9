import { assert, assertEquals, assertMatch } from "@std/assert";
import { doneOf, downloaded, eventsOfKind } from "./events.ts";
import { assertCode, type CliFixture, from, noise, type Seed, sha256Of, test } from "./harness.ts";

const MIB = 1_048_576;

test("p2p get takes from both seeds when two have the file", async (world) => {
  const bytes = noise(16 * MIB);
  const seeds = await seedsOf(world, bytes, bytes);
  const ended = await world.p2p("get", "file.bin", "--json", ...from(...seeds));
  assertCode(ended, 0);
  const { bytesBySeed } = doneOf(ended);
  assertEquals(Object.keys(bytesBySeed).sort(), seeds.map(({ address }) => address).sort());
  assert(Object.values(bytesBySeed).every((count) => count > 0), JSON.stringify(bytesBySeed));
});

test("p2p get completes when one of two seeds is killed in the middle", async (world) => {
  const bytes = noise(16 * MIB);
  const [victim, other] = await seedsOf(world, bytes, bytes);
  const flags = ["--json", "--limit", "12MiB", ...from(victim!, other!)];
  const running = world.start("get", "file.bin", ...flags);
  await downloaded(running, 2 * MIB);
  await victim!.process.endBy("SIGKILL");
  const ended = await running.ended;
  assertCode(ended, 0);
  assertEquals(world.got("file.bin"), bytes);
  assertEquals(world.files(), ["file.bin"]);
  const { bytesBySeed, verified } = doneOf(ended);
  assertEquals(verified, true);
  assert(bytesBySeed[victim!.address]! > 0, "the victim had sent something");
  assert(bytesBySeed[other!.address]! > bytesBySeed[victim!.address]!);
  const troubles = eventsOfKind(ended, "seed").filter(({ what }) => what === "failing");
  assert(troubles.every(({ seed }) => seed === victim!.address));
  assert(troubles.length > 0, "the loss is reported");
});

test("p2p get completes when the only seed is killed and started again at its address", async (world) => {
  const bytes = noise(8 * MIB);
  const [first] = await seedsOf(world, bytes);
  const flags = ["--json", "--limit", "8MiB", ...from(first!)];
  const running = world.start("get", "file.bin", ...flags);
  await downloaded(running, 2 * MIB);
  await first!.process.endBy("SIGKILL");
  const port = first!.address.split(":")[1]!;
  const second = world.start("serve", world.path("seed-0"), "--host", "127.0.0.1", "--port", port);
  await second.stdout.line(/^listening on /);
  const ended = await running.ended;
  assertCode(ended, 0);
  assertEquals(world.got("file.bin"), bytes);
});

test("p2p get takes the bytes of most seeds when one holds others", async (world) => {
  const right = noise(2 * MIB + 5, 1);
  const seeds = await seedsOf(world, noise(2 * MIB + 5, 2), right, right);
  const ended = await world.p2p("get", "file.bin", "--json", ...from(...seeds));
  assertCode(ended, 0);
  assertEquals(world.got("file.bin"), right);
  const dissenter = seeds[0]!.address;
  assertMatch(ended.stderr, new RegExp(`ignoring seed ${dissenter}: it has a different version`));
  assertEquals(
    eventsOfKind(ended, "seed").filter(({ what }) => what === "dissents").map(({ seed }) => seed),
    [dissenter],
  );
  assertEquals(doneOf(ended).bytesBySeed[dissenter], undefined);
});

test("p2p get names the dissenter when it holds a file of another size", async (world) => {
  const right = noise(2 * MIB + 5, 1);
  const seeds = await seedsOf(world, right, right, noise(10, 2));
  const ended = await world.p2p("get", "file.bin", ...from(...seeds));
  assertCode(ended, 0);
  assertEquals(world.got("file.bin"), right);
  assertMatch(
    ended.stderr,
    new RegExp(`ignoring seed ${seeds[2]!.address}: it`),
  );
});

test("p2p get takes the lowest id when as many seeds hold one content as the other", async (world) => {
  const { seeds, ids, contents } = await tied(world);
  const ended = await world.p2p("get", "file.bin", "--json", ...from(...seeds));
  assertCode(ended, 0);
  const winner = ids[0]! < ids[1]! ? 0 : 1;
  assertEquals(doneOf(ended).id, ids[winner]);
  assertEquals(world.got("file.bin"), contents[winner]);
});

test("p2p get --id takes that content, by a beginning of its id", async (world) => {
  const { seeds, ids, contents } = await tied(world);
  const loser = ids[0]! < ids[1]! ? 1 : 0;
  const id = ids[loser]!.slice(0, 12);
  const ended = await world.p2p("get", "file.bin", "--id", id, "--json", ...from(...seeds));
  assertCode(ended, 0);
  assertEquals(doneOf(ended).id, ids[loser]);
  assertEquals(world.got("file.bin"), contents[loser]);
});

test("p2p get --sha256 takes that content", async (world) => {
  const { seeds, ids, contents } = await tied(world);
  const loser = ids[0]! < ids[1]! ? 1 : 0;
  const digest = await sha256Of(contents[loser]!);
  const ended = await world.p2p("get", "file.bin", "--sha256", digest, ...from(...seeds));
  assertCode(ended, 0);
  assertEquals(world.got("file.bin"), contents[loser]);
});

const pins = [
  { flag: "--sha256", value: "0".repeat(64) },
  { flag: "--id", value: "0123456789abcdef" },
];

for (const { flag, value } of pins) {
  test(`p2p get ${flag} exits 5 when no seed holds that content`, async (world) => {
    const seeds = await seedsOf(world, noise(1000));
    const ended = await world.p2p("get", "file.bin", flag, value, ...from(...seeds));
    assertCode(ended, 5);
    assertMatch(ended.stderr, /^p2p: .*file\.bin/m);
    assertEquals(world.files(), []);
  });
}

/** A seed for each content, all under the name "file.bin". */
async function seedsOf(world: CliFixture, ...contents: Uint8Array[]): Promise<Seed[]> {
  return await Promise.all(contents.map((bytes, i) => {
    world.write(`seed-${i}/file.bin`, bytes);
    return world.serve(world.path(`seed-${i}`));
  }));
}

/** Two seeds with one content each. */
async function tied(world: CliFixture) {
  const contents = [noise(MIB + 1, 1), noise(MIB + 1, 2)];
  const seeds = await seedsOf(world, ...contents);
  const ids = await Promise.all(seeds.map(async (seed) => {
    const { stdout } = await world.p2p("list", "--json", ...from(seed));
    return JSON.parse(stdout).files[0].ids[0] as string;
  }));
  return { seeds, ids, contents };
}
