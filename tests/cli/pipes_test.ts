import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventsOf } from "./events.ts";
import { assertCode, type CliFixture, from, noise, ON_UNIX, test } from "./harness.ts";

/** Every command that prints a result. */
const COMMANDS = [
  ["list"],
  ["list", "--json"],
  ["status", "--all"],
  ["status", "--all", "--json"],
  ["logs", "a.bin"],
  ["logs", "a.bin", "--json"],
  ["why", "a.bin"],
  ["why", "a.bin", "--json"],
  ["verify", "a.bin", "b.bin"],
  ["verify", "a.bin", "b.bin", "--json"],
  ["seeds"],
  ["seeds", "--json"],
  ["config"],
  ["config", "--json"],
  ["help", "config"],
  ["completions", "bash"],
  ["--help"],
];

async function withFiles(world: CliFixture) {
  for (const name of ["a.bin", "b.bin"]) world.write(`share/${name}`, noise(100_000));
  const seed = await world.serve(world.path("share"));
  await world.p2p("seeds", "add", seed.address);
  return seed;
}

test("p2p writes no escape codes into a pipe, and JSON that a program reads", async (world) => {
  await withFiles(world);
  const got = await world.p2p("get", "a.bin", "b.bin");
  assertCode(got, 0);
  assertEquals(got.stdout.split("\n").sort(), [
    "",
    world.path("here", "a.bin"),
    world.path("here", "b.bin"),
  ]);
  assertClean(got.stderr);
  for (const args of COMMANDS) {
    const ended = await world.p2p(...args);
    assertCode(ended, 0);
    assertEquals(ended.stderr, "", args.join(" "));
    assertClean(ended.stdout);
    if (!args.includes("--json")) continue;
    for (const line of ended.stdout.trimEnd().split("\n")) JSON.parse(line);
  }
}, ON_UNIX);

test("p2p ends quietly with 0 when nobody reads on, as behind head -1", async (world) => {
  await withFiles(world);
  await world.p2p("get", "a.bin", "b.bin");
  for (const args of COMMANDS) {
    const ended = await world.startWith({ oneLine: true }, ...args).ended;
    assertEquals([ended.code, ended.signal, ended.stderr], [0, null, ""], args.join(" "));
  }
}, ON_UNIX);

test("p2p get downloads all when nobody reads its events on", async (world) => {
  const seed = await withFiles(world);
  const flags = ["--json", ...from(seed)];
  const ended = await world.startWith({ oneLine: true }, "get", "a.bin", "b.bin", ...flags).ended;
  assertEquals([ended.code, ended.signal], [0, null]);
  assertEquals(world.files(), ["a.bin", "b.bin"]);
});

test("p2p get | cat keeps results, progress and errors apart", async (world) => {
  const seed = await withFiles(world);
  const all = ["a.bin", "missing.bin", "b.bin"];
  const plain = await world.p2p("get", ...all, ...from(seed));
  assertCode(plain, 3);
  assertEquals(plain.stdout.trimEnd().split("\n").length, 2);
  assertMatch(plain.stderr, /^p2p: .*"missing\.bin"\nhint: /m);
  assertClean(plain.stderr);
  const json = await world.p2p("get", ...all, "--json", "-q", ...from(seed));
  assertCode(json, 3);
  const summary = eventsOf(json).at(-1)!;
  assertEquals(summary.event === "summary" && [summary.done, summary.failed], [2, 1]);
});

function assertClean(text: string): void {
  // deno-lint-ignore no-control-regex -- what it looks for
  assert(!/[\x00-\x08\x0b-\x1f\x7f]/.test(text), `control characters: ${JSON.stringify(text)}`);
}
