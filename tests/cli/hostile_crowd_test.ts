import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { assertCode, test, WINDOWS } from "./harness.ts";
import { HAS_ADDRESSES, HostileClient } from "./hostile_client.ts";
import {
  AttackFixture,
  FAIR,
  FAIR_BESIDE_ONE,
  GOOD,
  STILL_SERVED,
  turn,
} from "./attack_fixture.ts";

/** What each of us needs besides: libraries, pipes, the good clients. */
const SPARE_DESCRIPTORS = 200;
const CROWD = await possibleCrowd(1000);
const SIZE = `FILESIZE ${GOOD}\n`;
const ASK = `DOWNLOAD ${GOOD}|0|1048576\n`;
/** Garbage of more than some thousand connections is collected when the engine likes; deno task soak looks at that. */
const VISITS = 2000;
const ROOM = ["--max-connections", "1100", "--client-connections", "1100"];

test(`p2p serve serves on with ${CROWD} idle connections`, async (world) => {
  await using fixture = await AttackFixture.start(world, ...ROOM);
  const crowd = await fixture.attackers(CROWD);
  await fixture.assertFair(FAIR);
  await fixture.assertGets();
  assertEquals(crowd.filter(({ open }) => open).length, CROWD, "all of them are still there");
  await fixture.assertUnharmed();
});

test("p2p serve serves on beside 200 clients that send a letter at a time", async (world) => {
  await using fixture = await AttackFixture.start(world, ...ROOM);
  const sessions = await fixture.attackers(100);
  const oneShots = await fixture.attackers(100, 3);
  await Promise.all(sessions.map((each) => each.send("HELLO 2\nFILESIZE ")));
  await Promise.all(oneShots.map((each) => each.send("DOWNLOAD ")));
  await fixture.withstand(async (goesOn) => {
    const all = [...sessions, ...oneShots];
    for (let i = 0; goesOn(); i = (i + 1) % all.length) {
      await all[i]!.send("x");
      // Slow is what they are: what many bytes cost is another test's business.
      await fixture.ping();
    }
  });
});

test("p2p serve is not locked up by polite sessions of 16 addresses that hold every place", async (world) => {
  // Elsewhere the good client would share their address.
  if (!HAS_ADDRESSES) return;
  await using fixture = await AttackFixture.start(world);
  const polite: HostileClient[] = [];
  for (let host = 2; host < 18; host++) polite.push(...await fixture.attackers(16, host));
  await Promise.all(polite.map((each) => each.send(`HELLO 2\n${SIZE}`)));
  await fixture.withstand(async (goesOn) => {
    for (let i = 0; goesOn(); i = (i + 1) % polite.length) {
      await polite[i]!.send(SIZE);
      await fixture.ping();
    }
  });
});

test("p2p serve is not locked up by clients that connect and never shake hands for TLS", async (world) => {
  if (!HAS_ADDRESSES) return;
  world.write(`share/${GOOD}`, "good");
  const pem = (name: string) => fromFileUrl(new URL(`../support/tls/${name}.pem`, import.meta.url));
  const tls = ["--tls-cert", pem("seed"), "--tls-key", pem("seed-key")];
  const seed = await world.serve(world.path("share"), "--max-connections", "32", ...tls);
  await using silent = new AsyncDisposableStack();
  for (let i = 0; i < 100; i++) {
    silent.use(await HostileClient.connect(seed.address, 2 + i % 20));
  }
  const good = ["--seed", `tls://${seed.address}`, "--tls-ca", pem("ca"), "--give-up", "15s"];
  assertCode(await world.p2p("get", GOOD, ...good), 0);
});

test("p2p serve serves on beside clients that read a little at a time", async (world) => {
  await using fixture = await AttackFixture.start(world);
  const slow = await fixture.attackers(16);
  await Promise.all(slow.map((each) => each.send(`HELLO 2\n${ASK.repeat(1000)}`)));
  await fixture.withstand(async (goesOn) => {
    for (let i = 0; goesOn(); i = (i + 1) % slow.length) {
      slow[i]!.readOnce();
      await turn();
    }
  }, FAIR_BESIDE_ONE);
});

test("p2p serve serves on beside clients that ask and never read", async (world) => {
  await using fixture = await AttackFixture.start(world);
  for (const each of await fixture.attackers(16)) void each.send(`HELLO 2\n${ASK.repeat(5000)}`);
  await fixture.withstand(() => Promise.resolve());
});

test("p2p serve serves on beside clients that asked, said goodbye, and neither read nor go", async (world) => {
  await using fixture = await AttackFixture.start(world, ...ROOM);
  for (
    const request of [`HELLO 2\n${ASK}PING\n`, "HELLO 2\nFILE", `DOWNLOAD ${GOOD}|0`, "HEL", ""]
  ) {
    for (const each of await fixture.attackers(20)) {
      if (request !== "") await each.send(request);
      each.halfClose();
    }
  }
  await fixture.withstand(() => Promise.resolve());
});

test("p2p serve serves on beside clients that come and go as fast as they can", async (world) => {
  await using fixture = await AttackFixture.start(world, ...ROOM);
  await fixture.withstand(async (goesOn) => {
    for (let i = 0; goesOn() && i < VISITS; i += 4) {
      const group = await fixture.attackers(4);
      for (const [j, each] of group.entries()) {
        if (j % 2 === 0) await each.send(`HELLO 2\nMANIFEST ${GOOD}\nFILESIZE ${GOOD}\n`);
        each.leave();
      }
      await turn();
    }
  }, STILL_SERVED);
});

async function possibleCrowd(wanted: number): Promise<number> {
  if (WINDOWS) return wanted;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "ulimit -n"] }).output();
  const limit = new TextDecoder().decode(stdout).trim();
  if (limit === "unlimited") return wanted;
  const possible = Math.min(wanted, Number(limit) - SPARE_DESCRIPTORS);
  if (possible < wanted) console.warn(`only ${possible} connections: ulimit -n is ${limit}`);
  assert(possible > 0, `ulimit -n is ${limit}, which is too low for any crowd`);
  return possible;
}
