import { assert, assertEquals, assertMatch } from "@std/assert";
import { CSeedProgram, withoutCSeed } from "../support/c_seed.ts";
import { OLD_SEED_KINDS, OldSeed } from "../support/old_seed.ts";
import { doneOf, eventsOfKind, failedOf, summaryOf } from "./events.ts";
import { assertCode, from, noise, sha256Of, test } from "./harness.ts";

const MIB = 1_048_576;

/** Forty chunks, the last one short. */
const FEW = 40 * 32 - 5;

for (const kind of OLD_SEED_KINDS) {
  test(`p2p get downloads from an old seed that ${saying(kind)}, and says that it is unverified`, async (world) => {
    const bytes = noise(FEW);
    await using old = new OldSeed({ "a|b c.bin": bytes, empty: new Uint8Array() }, { kind });
    const ended = await world.p2p("get", "a|b c.bin", "empty", "--json", ...from(old));
    assertCode(ended, 0);
    assertEquals(world.got("a|b c.bin"), bytes);
    assertEquals(world.got("empty"), new Uint8Array());
    const done = eventsOfKind(ended, "done").find(({ name }) => name === "a|b c.bin")!;
    assertEquals([done.verified, done.id, done.sha256], [false, null, await sha256Of(bytes)]);
    assertEquals(done.bytesBySeed, { [old.address]: FEW });
    assertEquals(eventsOfKind(ended, "task").map(({ verified }) => verified), [false, false]);
    assertEquals(summaryOf(ended).tasks.map(({ verified }) => verified), [false, false]);
    assertMatch(ended.stderr, /done.*unverified/);
    assertMatch(ended.stderr, /^Downloaded 2 files \(.*, 2 unverified$/m);
    const status = JSON.parse((await world.p2p("status", "--all", "--json")).stdout);
    assertEquals(
      status.tasks.map(({ verified }: { verified: boolean }) => verified),
      [false, false],
    );
    assert(old.requests.every((request) => !request.includes("\n")));
    assertMatch((await world.p2p("logs", "empty")).stdout, /unverified/);
  });

  test(`p2p get takes from both when an old seed that ${saying(kind)} stands beside a new one`, async (world) => {
    // Slow enough for the old seed to give some chunks before the new one gives all the rest.
    const slowly = ["--limit", "12MiB"];
    const bytes = noise(24 * MIB);
    world.write("share/file.bin", bytes);
    const seed = await world.serve(world.path("share"));
    await using old = new OldSeed({ "file.bin": bytes }, { kind });
    const ended = await world.p2p("get", "file.bin", "--json", ...slowly, ...from(seed, old));
    assertCode(ended, 0);
    assertEquals(world.got("file.bin"), bytes);
    const { verified, bytesBySeed } = doneOf(ended);
    assertEquals(verified, true);
    assert(bytesBySeed[seed.address]! > 0, JSON.stringify(bytesBySeed));
    assert(bytesBySeed[old.address]! > 0, JSON.stringify(bytesBySeed));
    assert(old.asked("DOWNLOAD").length > 0);
  });
}

test("p2p get is verified when an old seed alone gives the bytes of --sha256", async (world) => {
  const bytes = noise(FEW);
  await using old = new OldSeed({ "file.bin": bytes });
  const digest = await sha256Of(bytes);
  const ended = await world.p2p("get", "file.bin", "--sha256", digest, "--json", ...from(old));
  assertCode(ended, 0);
  assertEquals(doneOf(ended).verified, true);
  assertEquals(summaryOf(ended).tasks[0]?.verified, true);
  const status = JSON.parse((await world.p2p("status", "--all", "--json")).stdout);
  assertEquals(status.tasks[0].verified, true);
});

test("p2p get exits 5 and quarantines the bytes of an old seed that are not those of --sha256", async (world) => {
  await using old = new OldSeed({ "file.bin": noise(FEW) });
  const flags = ["--sha256", "0".repeat(64), "--json", ...from(old)];
  const ended = await world.p2p("get", "file.bin", ...flags);
  assertCode(ended, 5);
  assertEquals(failedOf(ended).code, "corrupt");
  assertMatch(failedOf(ended).message, /the bytes are kept in ".*file\.bin~unverified\.p2p-part"$/);
  assertEquals(world.files(), ["file.bin~unverified.p2p-part"]);
});

test("p2p get takes no wrong byte when an old seed beside a new one holds others of the same size", async (world) => {
  const bytes = noise(3 * MIB);
  world.write("share/file.bin", bytes);
  const seed = await world.serve(world.path("share"));
  await using old = new OldSeed({ "file.bin": noise(3 * MIB, 2) }, { chunkBytes: 32 * 1024 });
  const ended = await world.p2p("get", "file.bin", "--json", ...from(old, seed));
  assertCode(ended, 0);
  assertEquals(world.got("file.bin"), bytes);
  assertEquals(doneOf(ended).verified, true);
});

test("p2p get --require-verified exits 5 when there are only old seeds", async (world) => {
  await using old = new OldSeed({ "file.bin": noise(FEW) });
  const ended = await world.p2p("get", "file.bin", "--require-verified", ...from(old));
  assertCode(ended, 5);
  assertMatch(ended.stderr, /^p2p: .*file\.bin.*manifest/m);
  assertEquals(world.files(), []);
  assertEquals(old.asked("DOWNLOAD"), []);
});

test("p2p get --require-verified asks no old seed for bytes when a new one is there", async (world) => {
  const bytes = noise(2 * MIB);
  world.write("share/file.bin", bytes);
  const seed = await world.serve(world.path("share"));
  await using old = new OldSeed({ "file.bin": bytes }, { chunkBytes: 32 * 1024 });
  const ended = await world.p2p("get", "file.bin", "--require-verified", ...from(old, seed));
  assertCode(ended, 0);
  assertEquals(world.got("file.bin"), bytes);
  assertEquals(old.asked("DOWNLOAD"), []);
});

test("p2p get exits 3 when an old seed does not have the name", async (world) => {
  await using old = new OldSeed({ "file.bin": noise(FEW) });
  assertCode(await world.p2p("get", "other.bin", ...from(old)), 3);
});

test("p2p get --all and p2p list know what an old seed offers", async (world) => {
  await using old = new OldSeed({ "b.bin": noise(FEW, 2), "a.bin": noise(FEW, 1) });
  const listed = JSON.parse((await world.p2p("list", "--json", ...from(old))).stdout);
  assertEquals(listed.files.map(({ name, size, ids }: Listed) => ({ name, size, ids })), [
    { name: "a.bin", size: FEW, ids: [] },
    { name: "b.bin", size: FEW, ids: [] },
  ]);
  assertEquals(listed.seeds[0].dialect, "one-shot");
  assertCode(await world.p2p("get", "--all", ...from(old)), 0);
  assertEquals(world.got("b.bin"), noise(FEW, 2));
});

for (
  const habits of [
    ["size=none", "list=open", "missing=text", "hello=error"],
    ["size=padded", "list=nul", "missing=bare", "pad-last", "reset", "bad-names"],
  ]
) {
  test(`p2p list and p2p get understand a C seed with ${habits.join(", ")}`, async (world) => {
    using program = new CSeedProgram({ "file.bin": noise(FEW), "other.bin": noise(FEW, 2) });
    await using seed = await program.start(...habits);
    const listed = JSON.parse((await world.p2p("list", "--json", ...from(seed))).stdout);
    assertEquals(listed.files.map(({ name, size }: Listed) => [name, size]), [
      ["file.bin", FEW],
      ["other.bin", FEW],
    ]);
    const ended = await world.p2p("get", "file.bin", "--progress", "none", ...from(seed));
    assertCode(ended, 0);
    assertEquals(world.got("file.bin"), noise(FEW));
    assertMatch(ended.stderr, /file\.bin: done.*unverified/);
    assertCode(await world.p2p("get", "missing.bin", ...from(seed)), 3);
  }, { ignored: withoutCSeed });
}

interface Listed {
  readonly name: string;
  readonly size: number;
  readonly ids: readonly string[];
}

function saying(kind: string): string {
  return kind === "waits" ? "waits for the end of a request" : kind.replaceAll("-", " ");
}
