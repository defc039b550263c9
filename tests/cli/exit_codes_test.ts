/** Every exit code that `p2p help exit-codes` promises, each in the ways in which a person meets it. */
import { assertEquals, assertMatch } from "@std/assert";
import * as rude from "../support/rude_seed.ts";
import { RudeSeed } from "../support/rude_seed.ts";
import { downloaded } from "./events.ts";
import { assertCode, type CliFixture, type Ended, from, noise, ON_UNIX, test } from "./harness.ts";

const BYTES = noise(3_000_000);
const UNREACHABLE = { address: "127.0.0.1:1" };
const SHORT = ["--give-up", "2s", "--stall", "500ms"];

/** An error is one line and the next step, whatever is reported beside it. */
function assertReported({ stderr }: Ended, what: RegExp): void {
  const lines = stderr.split("\n");
  const at = lines.findIndex((line) => line.startsWith("p2p: ") && what.test(line));
  assertEquals(at >= 0, true, `${what} is not reported:\n${stderr}`);
  assertMatch(lines[at + 1] ?? "", /^hint: \S/, stderr);
}

async function sharing(world: CliFixture) {
  world.write("share/a.bin", BYTES);
  return await world.serve(world.path("share"));
}

test("p2p exits 0 when all that was asked for is there, now or already", async (world) => {
  const seed = await sharing(world);
  assertCode(await world.p2p("get", "a.bin", ...from(seed)), 0);
  assertCode(await world.p2p("get", "a.bin", ...from(seed)), 0);
  assertCode(await world.p2p("verify", "a.bin", ...from(seed)), 0);
});

test("p2p exits 1 when downloads fail for different reasons", async (world) => {
  const seed = await sharing(world);
  world.write("here/a.bin", "other bytes");
  const flags = ["--on-conflict", "fail", ...from(seed)];
  const ended = await world.p2p("get", "a.bin", "missing.bin", ...flags);
  assertCode(ended, 1);
  assertReported(ended, /"missing\.bin"/);
  assertReported(ended, /a\.bin/);
});

test("p2p exits 2 for what is written wrong, and for a wrong configuration", async (world) => {
  const flag = await world.p2p("get", "a.bin", "--max", "0");
  assertCode(flag, 2);
  assertReported(flag, /--max/);
  const folder = await world.p2p("serve", "missing");
  assertCode(folder, 2);
  assertReported(folder, /missing/);
  world.write("config/config.json", '{"max": 0}');
  const file = await world.p2p("get", "a.bin");
  assertCode(file, 2);
  assertReported(file, /config\.json, line 1/);
});

test("p2p exits 3 when no seed has it", async (world) => {
  const seed = await sharing(world);
  for (const args of [["get", "b.bin"], ["get", "*.iso"], ["list", "*.iso"]]) {
    const ended = await world.p2p(...args, ...from(seed));
    assertCode(ended, 3);
    assertReported(ended, /b\.bin|\.iso/);
  }
  for (const command of ["why", "logs", "status", "pause"]) {
    const ended = await world.p2p(command, "nothing");
    assertCode(ended, 3);
    assertReported(ended, /task "nothing"/);
  }
}, ON_UNIX);

test("p2p exits 4 when no seed can be reached, wants a token, or time runs out", async (world) => {
  const away = await world.p2p("get", "a.bin", ...from(UNREACHABLE));
  assertCode(away, 4);
  assertReported(away, /refused/);
  const token = world.write("token", "secret\n");
  world.write("share/a.bin", BYTES);
  const shut = await world.serve(world.path("share"), "--token-file", token);
  const refused = await world.p2p("get", "a.bin", ...from(shut));
  assertCode(refused, 4);
  assertReported(refused, /asks for a token/);
  await using busy = new RudeSeed({ "a.bin": BYTES }, rude.busy(1000, 300));
  const late = await world.p2p("get", "a.bin", ...SHORT, ...from(busy));
  assertCode(late, 4);
  assertReported(late, /is busy/);
});

test("p2p exits 5 when bytes or answers are wrong", async (world) => {
  await using liar = new RudeSeed({ "a.bin": BYTES }, rude.wrongPieces());
  const lied = await world.p2p("get", "a.bin", ...SHORT, ...from(liar));
  assertCode(lied, 5);
  assertReported(lied, /wrong digest/);
  await using babbler = new RudeSeed({ "a.bin": BYTES }, rude.garbageGreeting());
  const babbled = await world.p2p("get", "a.bin", ...SHORT, ...from(babbler));
  assertCode(babbled, 5);
  assertReported(babbled, /a\.bin/);
  const seed = await sharing(world);
  const digest = await world.p2p("get", "a.bin", "--sha256", "0".repeat(64), ...from(seed));
  assertCode(digest, 5);
  assertReported(digest, /with that id or checksum/);
});

test("p2p exits 6 when the disk does not take it", async (world) => {
  const seed = await sharing(world);
  const file = world.write("a-file", "");
  const target = await world.p2p("get", "a.bin", "--out", file, ...from(seed));
  assertCode(target, 6);
  assertReported(target, /a-file/);
});

test("p2p exits 7 when it would overwrite, or another p2p works on the same target", async (world) => {
  const seed = await sharing(world);
  world.write("here/a.bin", "other bytes");
  const ended = await world.p2p("get", "a.bin", "--on-conflict", "fail", ...from(seed));
  assertCode(ended, 7);
  assertReported(ended, /a\.bin/);
  Deno.removeSync(world.path("here", "a.bin"));
  const running = world.start("get", "a.bin", "--limit", "500KiB", "--json", ...from(seed));
  await downloaded(running, 1);
  const second = await world.p2p("get", "a.bin", ...from(seed));
  assertCode(second, 7);
  assertReported(second, /another p2p/);
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  test(`p2p exits ${code} at ${signal}, and says how to go on`, async (world) => {
    const seed = await sharing(world);
    const running = world.start("get", "a.bin", "--limit", "500KiB", "--json", ...from(seed));
    await downloaded(running, 1);
    const ended = await running.endBy(signal);
    assertCode(ended, code);
    assertReported(ended, /interrupted/);
    assertEquals(world.files().some((name) => name.endsWith(".p2p-part")), true);
  }, ON_UNIX);
}
