import { assertEquals, assertMatch } from "@std/assert";
import { OldSeed } from "../support/old_seed.ts";
import * as rude from "../support/rude_seed.ts";
import { RudeSeed } from "../support/rude_seed.ts";
import { assertCode, type CliFixture, type Ended, from, noise, ON_UNIX, test } from "./harness.ts";

const MIB = 1_048_576;
const BYTES = noise(5 * MIB + 7);
const UNREACHABLE = { address: "127.0.0.1:1" };

/** The same bytes, but for one in each of these places. */
function spoiled(...at: number[]): Uint8Array {
  const bytes = BYTES.slice();
  for (const place of at) bytes[place]! ^= 1;
  return bytes;
}

function filesOf({ stdout }: Ended) {
  return JSON.parse(stdout).files as Record<string, unknown>[];
}

async function seedOf(
  world: CliFixture,
  files: Readonly<Record<string, Uint8Array>>,
  dir = "share",
) {
  for (const [name, bytes] of Object.entries(files)) world.write(`${dir}/${name}`, bytes);
  return await world.serve(world.path(dir));
}

test("p2p verify exits 0 when a file is the same, and leaves it alone", async (world) => {
  const seed = await seedOf(world, { "sub/a.bin": BYTES });
  world.write("here/sub/a.bin", BYTES);
  const ended = await world.p2p("verify", "sub/a.bin", ...from(seed));
  assertCode(ended, 0);
  assertMatch(
    ended.stdout,
    /^sub\/a\.bin: same as on 127\.0\.0\.1:\d+ \(5\.0 MiB, id [0-9a-f]{8}\)\n$/,
  );
  assertEquals(ended.stderr, "");
  assertEquals([world.files(), world.got("sub/a.bin")], [["sub/a.bin"], BYTES]);
});

test("p2p verify names the pieces that differ and exits 5", async (world) => {
  const seed = await seedOf(world, { "a.bin": BYTES });
  world.write("here/a.bin", spoiled(0, MIB + 5, 2 * MIB, 5 * MIB + 1));
  const ended = await world.p2p("verify", "a.bin", ...from(seed));
  assertCode(ended, 5);
  assertMatch(
    ended.stdout,
    /4 of 6 pieces differ: pieces 0-2 \(bytes 0-3145727\), piece 5 \(bytes 5242880-5242886\)\n$/,
  );
  assertMatch(ended.stderr, /^hint: p2p get a\.bin --seed \S+ --on-conflict overwrite .*\n$/);
  const json = await world.p2p("verify", "a.bin", "--json", ...from(seed));
  assertCode(json, 5);
  const [file] = filesOf(json);
  assertEquals([file!.result, file!.pieces, file!.seeds], ["differs", 6, [seed.address]]);
  assertEquals(file!.wrong, [
    { first: 0, last: 2, start: 0, end: 3 * MIB },
    { first: 5, last: 5, start: 5 * MIB, end: 5 * MIB + 7 },
  ]);
});

const lengths = [
  {
    name: "is too short",
    bytes: BYTES.slice(0, 2 * MIB + 1),
    wrong: "3145734 bytes too short; 4 of 6 pieces differ",
  },
  {
    name: "is too long",
    bytes: new Uint8Array([...BYTES, 1]),
    wrong: "1 byte too long; the rest matches",
  },
  {
    name: "is empty",
    bytes: new Uint8Array(),
    wrong: "5242887 bytes too short; 6 of 6 pieces differ",
  },
];
for (const { name, bytes, wrong } of lengths) {
  test(`p2p verify exits 5 when a file ${name}`, async (world) => {
    const seed = await seedOf(world, { "a.bin": BYTES });
    world.write("here/a.bin", bytes);
    const ended = await world.p2p("verify", "a.bin", ...from(seed));
    assertCode(ended, 5);
    assertMatch(ended.stdout, new RegExp(`: ${wrong}`));
  });
}

test("p2p verify finds a file by the last part of its path, and one that get renamed", async (world) => {
  const seed = await seedOf(world, { "a.bin": BYTES });
  world.write("elsewhere/a.bin", BYTES);
  world.write("here/a~0123abcd.bin", BYTES);
  const elsewhere = world.path("elsewhere", "a.bin");
  const ended = await world.p2p("verify", elsewhere, "a~0123abcd.bin", ...from(seed));
  assertCode(ended, 0);
  const [first, second] = ended.stdout.split("\n");
  assertEquals(first!.startsWith(`${elsewhere} (as "a.bin"): same as`), true, first);
  assertMatch(second!, /^a~0123abcd\.bin \(as "a\.bin"\): same as/);
});

test("p2p verify says who has other bytes when seeds differ", async (world) => {
  const ours = await seedOf(world, { "a.bin": BYTES }, "one");
  const theirs = await seedOf(world, { "a.bin": spoiled(9) }, "two");
  const others = await seedOf(world, { "a.bin": spoiled(9) }, "three");
  world.write("here/a.bin", BYTES);
  const seeds = [theirs, others, ours];
  const ended = await world.p2p("verify", "a.bin", "--json", ...from(...seeds));
  assertCode(ended, 0);
  const [file] = filesOf(ended);
  assertEquals([file!.result, file!.seeds], ["same", [ours.address]]);
  assertEquals(file!.others, [theirs.address, others.address]);
  world.write("here/a.bin", spoiled(3 * MIB));
  const wrong = await world.p2p("verify", "a.bin", "--json", ...from(...seeds));
  assertCode(wrong, 5);
  assertEquals(filesOf(wrong)[0]!.seeds, [theirs.address, others.address]);
});

test("p2p verify takes several files, and exits 1 when they fail for different reasons", async (world) => {
  const seed = await seedOf(world, { "a.bin": BYTES, "b.bin": BYTES, "c.bin": BYTES });
  world.write("here/a.bin", BYTES);
  world.write("here/b.bin", spoiled(1));
  world.write("here/c.bin", spoiled(1));
  world.write("here/d.bin", "nobody has it");
  assertCode(await world.p2p("verify", "a.bin", "b.bin", "c.bin", ...from(seed)), 5);
  const ended = await world.p2p("verify", "a.bin", "b.bin", "d.bin", "--json", ...from(seed));
  assertCode(ended, 1);
  const results = filesOf(ended).map(({ file, result }) => [file, result]);
  assertEquals(results, [["a.bin", "same"], ["b.bin", "differs"], ["d.bin", "not-found"]]);
});

test("p2p verify exits 3 when no seed has the file", async (world) => {
  const seed = await seedOf(world, { "a.bin": BYTES });
  world.write("here/b.bin", BYTES);
  const ended = await world.p2p("verify", "b.bin", ...from(seed));
  assertCode(ended, 3);
  assertMatch(ended.stderr, /^p2p: Cannot verify "b\.bin": no seed has it\nhint: .*p2p list/);
});

test("p2p verify exits 4 when no seed can be reached", async (world) => {
  world.write("here/a.bin", BYTES);
  const ended = await world.p2p("verify", "a.bin", ...from(UNREACHABLE));
  assertCode(ended, 4);
  assertMatch(ended.stderr, /^p2p: Cannot verify "a\.bin": .*refused\nhint: /);
});

test("p2p verify exits 2 for a file that is not there, and for a folder", async (world) => {
  const seed = await seedOf(world, { "a.bin": BYTES });
  Deno.mkdirSync(world.path("here", "sub"));
  for (const [name, why] of [["a.bin", "there is no such file"], ["sub", "it is no file"]]) {
    const ended = await world.p2p("verify", name!, ...from(seed));
    assertCode(ended, 2);
    assertMatch(ended.stderr, new RegExp(`^p2p: Cannot verify "${name}": ${why}\nhint: `));
  }
  assertCode(await world.p2p("verify", ...from(seed)), 2);
}, ON_UNIX);

test("p2p verify claims nothing of seeds that offer no digests, but for the size", async (world) => {
  await using seed = new OldSeed({ "a.bin": BYTES });
  world.write("here/a.bin", BYTES);
  const same = await world.p2p("verify", "a.bin", ...from(seed));
  assertCode(same, 5);
  assertMatch(same.stderr, /no seed offers digests of it/);
  world.write("here/a.bin", BYTES.slice(1));
  const other = await world.p2p("verify", "a.bin", ...from(seed));
  assertCode(other, 5);
  assertMatch(other.stderr, /it has 5242886 bytes, and the seeds' .* 5242887 bytes/);
});

test("p2p verify waits for a seed that still hashes the file", async (world) => {
  await using seed = new RudeSeed({ "a.bin": BYTES }, rude.pending(3));
  world.write("here/a.bin", BYTES);
  assertCode(await world.p2p("verify", "a.bin", ...from(seed)), 0);
});

test("p2p verify of an empty file is the same when the seed's is empty", async (world) => {
  const seed = await seedOf(world, { "a.bin": new Uint8Array() });
  world.write("here/a.bin", "");
  assertCode(await world.p2p("verify", "a.bin", ...from(seed)), 0);
});
