import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import * as rude from "../support/rude_seed.ts";
import { RudeSeed } from "../support/rude_seed.ts";
import { doneOf, failedOf } from "./events.ts";
import { assertCode, type CliFixture, from, noise, test } from "./harness.ts";

const MIB = 1_048_576;
const SHORT = ["--stall", "500ms", "--give-up", "3s"];

interface Case {
  readonly name: string;
  readonly script: () => rude.Script;
  /** With nobody beside: the exit code, and the code in the event where it fails. */
  readonly alone: { readonly exit: number; readonly code?: string };
}

const cases: Case[] = [
  {
    name: "greets with garbage",
    script: () => rude.garbageGreeting(),
    alone: { exit: 5, code: "protocol" },
  },
  {
    name: "greets without end",
    script: () => rude.endlessGreeting(),
    alone: { exit: 5, code: "protocol" },
  },
  {
    name: "answers with an endless line",
    script: () => rude.endlessLine(),
    alone: { exit: 5, code: "protocol" },
  },
  {
    name: "sends a manifest of eight million escaped quotes",
    script: () => rude.manifestOfEscapedQuotes(),
    alone: { exit: 5, code: "protocol" },
  },
  {
    name: "sends bodies of a wrong length",
    script: () => rude.wrongBodyLength(),
    alone: { exit: 5, code: "corrupt" },
  },
  {
    name: "closes without a word",
    script: () => rude.mute(),
    alone: { exit: 4, code: "unreachable" },
  },
  { name: "sends one wrong piece", script: () => rude.oneWrongPiece(), alone: { exit: 0 } },
  {
    name: "sends wrong pieces only",
    script: () => rude.wrongPieces(),
    alone: { exit: 5, code: "corrupt" },
  },
  {
    name: "stalls after half a piece",
    script: () => rude.stallAfterHalf(),
    alone: { exit: 4, code: "timeout" },
  },
  {
    name: "resets in the middle and is gone",
    script: () => rude.resetInTheMiddle(),
    alone: { exit: 4, code: "timeout" },
  },
  { name: "is busy a few times", script: () => rude.busy(2, 100), alone: { exit: 0 } },
  {
    name: "is busy for ever",
    script: () => rude.busy(Infinity, 100),
    alone: { exit: 4, code: "timeout" },
  },
  { name: "hashes for some time", script: () => rude.pending(3), alone: { exit: 0 } },
  {
    name: "hashes for ever",
    script: () => rude.pending(Infinity),
    alone: { exit: 4, code: "timeout" },
  },
];

for (const { name, script, alone } of cases) {
  test(`p2p get is served by a good seed beside one that ${name}, and without it ends with ${alone.exit}`, async (world) => {
    await Promise.all([besideAGoodOne(script(), world), byItself(script(), alone, world)]);
  });
}

async function besideAGoodOne(script: rude.Script, world: CliFixture): Promise<void> {
  const bytes = noise(6 * MIB + 11);
  world.write("share/file.bin", bytes);
  const good = await world.serve(world.path("share"));
  await using bad = new RudeSeed({ "file.bin": bytes }, script);
  const flags = ["--out", "beside", "--json", ...SHORT, ...from(bad, good)];
  const ended = await world.p2p("get", "file.bin", ...flags);
  assertCode(ended, 0);
  assertEquals(world.files(join(world.here, "beside")), ["file.bin"]);
  assertEquals(world.got("beside/file.bin"), bytes);
  assertEquals(doneOf(ended).verified, true);
}

async function byItself(
  script: rude.Script,
  want: Case["alone"],
  world: CliFixture,
): Promise<void> {
  const bytes = noise(3 * MIB + 11);
  await using bad = new RudeSeed({ "file.bin": bytes }, script);
  const flags = ["--out", "alone", "--json", ...SHORT, ...from(bad)];
  const ended = await world.p2p("get", "file.bin", ...flags);
  assertCode(ended, want.exit);
  if (want.exit === 0) return assertEquals(world.got("alone/file.bin"), bytes);
  const failed = failedOf(ended);
  assertEquals([failed.code, failed.exit], [want.code, want.exit]);
  assertMatch(ended.stderr, /^p2p: .*file\.bin/m);
  assertMatch(failed.message, new RegExp(`${bad.address}|no seed`), "it names who, or what");
}

test("p2p get takes the good seed at last when --give-up is over before a busy one answers", async (world) => {
  const bytes = noise(MIB);
  world.write("share/file.bin", bytes);
  const good = await world.serve(world.path("share"));
  await using bad = new RudeSeed({ "file.bin": bytes }, rude.busy(Infinity, 100));
  const flags = ["--give-up", "1s", ...from(bad, good)];
  assertCode(await world.p2p("get", "file.bin", ...flags), 0);
  assertEquals(world.got("file.bin"), bytes);
});
