/** `p2p get --share`: receivers of the same file send to each other. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { doneOf, downloaded } from "./events.ts";
import { assertCode, type CliFixture, from, noise, ON_UNIX, type Seed, test } from "./harness.ts";

const MIB = 1_048_576;
const BYTES = noise(16 * MIB, 5);

/** A seed that needs two seconds for the file, so that receivers meet before they are done. */
async function slowSeed(world: CliFixture): Promise<Seed> {
  world.write("share/big.bin", BYTES);
  return await world.serve(world.path("share"), "--limit", "8MiB");
}

function receive(world: CliFixture, index: number, seed: Seed) {
  const out = ["--out", world.path(`out-${index}`)];
  return world.start("get", "big.bin", "--share", "--json", ...out, ...from(seed));
}

function assertGot(world: CliFixture, index: number): void {
  assertEquals(Deno.readFileSync(join(world.path(`out-${index}`), "big.bin")), BYTES);
}

test("p2p get --share takes a part of the file from the other receivers", async (world) => {
  const seed = await slowSeed(world);
  const receivers = [0, 1, 2].map((index) => receive(world, index, seed));
  let fromSeed = 0;
  for (const [index, receiver] of receivers.entries()) {
    const ended = await receiver.ended;
    assertCode(ended, 0);
    assertGot(world, index);
    fromSeed += doneOf(ended).bytesBySeed[seed.address] ?? 0;
  }
  // Without sharing the seed sends three copies.
  assert(fromSeed < 2.5 * BYTES.length, `${fromSeed / BYTES.length} copies`);
});

test("p2p get --share completes when another receiver is killed", async (world) => {
  const seed = await slowSeed(world);
  const [killed, ...others] = [0, 1, 2].map((index) => receive(world, index, seed));
  await downloaded(killed!, 4 * MIB);
  await killed!.endBy("SIGKILL");
  for (const [index, receiver] of others.entries()) {
    assertCode(await receiver.ended, 0);
    assertGot(world, index + 1);
  }
}, ON_UNIX);

test("p2p get without --share sends nothing to other receivers", async (world) => {
  const seed = await slowSeed(world);
  const get = (index: number) =>
    world.start("get", "big.bin", "--json", "--out", world.path(`out-${index}`), ...from(seed));
  for (const receiver of [get(0), get(1)]) {
    const ended = await receiver.ended;
    assertCode(ended, 0);
    assertEquals(Object.keys(doneOf(ended).bytesBySeed), [seed.address]);
  }
});
