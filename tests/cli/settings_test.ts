import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { currentCommit } from "../../scripts/commit.ts";
import { assertCode, type CliFixture, type Ended, from, ON_UNIX, test } from "./harness.ts";

const COMMANDS = [
  [],
  ["get"],
  ["serve"],
  ["list"],
  ["status"],
  ["logs"],
  ["seeds"],
  ["seeds", "add"],
  ["seeds", "remove"],
  ["config"],
  ["completions"],
  ["pause"],
  ["resume"],
  ["cancel"],
  ["max"],
  ["why"],
  ["verify"],
  ["help"],
];

for (const flag of ["--help", "-h"]) {
  test(`p2p <command> ${flag} shows the help of each, with exit 0 and without escape codes`, async (world) => {
    await Promise.all(COMMANDS.map(async (command) => {
      const line = ["p2p", ...command].join(" ");
      const ended = await world.p2p(...command, flag);
      assertCode(ended, 0);
      assertStringIncludes(ended.stdout, line);
      assertEquals(ended.stderr, "", line);
      assert(!ended.stdout.includes("\x1b"), `escape codes: ${line}`);
      // Examples are what somebody looks for first.
      assertMatch(ended.stdout, /^Examples:\n( {2}\S.* # .*\n){2,3}\n/, line);
    }));
  });
}

for (const args of [["--version"], ["-V"], ["get", "--version"]]) {
  test(`p2p ${args.join(" ")} reports the version, the commit and the runtime`, async (world) => {
    const ended = await world.p2p(...args);
    assertCode(ended, 0);
    assertEquals(ended.stderr, "");
    const [, version, commit, deno, target] = ended.stdout.match(
      /^p2p (\S+) \((?:commit ([0-9a-f]{12})(?: with changes)?, )?Deno (\S+), (\S+)\)\n$/,
    ) ??
      [];
    assertEquals([version, deno, target], [
      config.version,
      Deno.version.deno,
      Deno.build.target,
    ]);
    assertEquals(commit !== undefined, await currentCommit() !== undefined, ended.stdout);
  });
}

const mistakes = [
  { args: ["gte", "a.txt"], says: /"gte"/, hint: /get/ },
  { args: ["statsu"], says: /"statsu"/, hint: /status/ },
  { args: ["get", "a.txt", "--sed", "host"], says: /--sed/, hint: /--seed/ },
  { args: ["serve", "--prot", "0"], says: /--prot/, hint: /--port/ },
  { args: ["seeds", "ad", "host"], says: /"?ad"?/, hint: /add/ },
  { args: ["get"], says: /no name/, hint: /p2p list/ },
  { args: ["get", "a.txt", "--max", "many"], says: /--max.*whole number/ },
  { args: ["get", "a.txt", "--limit", "fast"], says: /--limit.*10MiB/ },
  { args: ["get", "a.txt", "--stall", "5"], says: /--stall.*"?5s/ },
  { args: ["get", "a.txt", "--on-conflict", "ask"], says: /--on-conflict.*rename/ },
  { args: ["get", "a.txt", "--seed", "host:99999"], says: /--seed.*host:port/ },
  { args: ["get", "a.txt", "--sha256", "abc"], says: /64 hexadecimal/ },
  { args: ["get", "a.txt", "b.txt", "--id", "abc"], says: /--id.*more than one/ },
  { args: ["get", "a.txt", "--all"], says: /--all/ },
  { args: ["get", "../a.txt"], says: /\.\./ },
  { args: ["get", "--", "/etc/passwd"], says: /\/etc\/passwd/ },
  { args: ["get", "a.txt", "--token-file", "none"], says: /token-file.*none/ },
  { args: ["serve", "--tls-cert", "cert.pem"], says: /--tls-cert and --tls-key/ },
  { args: ["status", "one", "two"], says: /argument/ },
  { args: ["seeds", "remove", "nas1"], says: /nas1.*not configured/ },
];

for (const { args, says, hint } of mistakes) {
  test(`p2p ${args.join(" ")} exits 2 and says what is wrong`, async (world) => {
    const ended = await world.p2p(...args);
    assertCode(ended, 2);
    assertEquals(ended.stdout, "");
    assertMatch(ended.stderr, /^p2p: .+\nhint: .+\n$/, "one line, and a hint");
    assertMatch(ended.stderr.split("\n")[0]!, says);
    if (hint) assertMatch(ended.stderr.split("\n")[1]!, hint);
  });
}

const EVERYWHERE = [["--log-level", "debug"], ["--log-level=debug"], ["-q"], ["--quiet"]];

for (const flags of EVERYWHERE) {
  test(`p2p takes ${flags.join(" ")} before and after a command`, async (world) => {
    const commands = [
      { args: ["get", "none", "--give-up", "10ms", "--seed", "127.0.0.1:1"], exit: 4 },
      { args: ["serve", "missing"], exit: 2 },
      { args: ["status"], exit: 0 },
      { args: ["logs", "nothing"], exit: 3 },
    ];
    await Promise.all(commands.map(async ({ args, exit }) => {
      assertCode(await world.p2p(...flags, ...args), exit);
      assertCode(await world.p2p(...args, ...flags), exit);
    }));
  });
}

for (const shell of ["bash", "zsh", "fish"]) {
  test(`p2p completions ${shell} prints a script that knows the commands`, async (world) => {
    const ended = await world.p2p("completions", shell);
    assertCode(ended, 0);
    assertEquals(ended.stderr, "");
    for (const word of ["get", "serve", "status"]) assertStringIncludes(ended.stdout, word);
    assert(!ended.stdout.includes("\x1b"), "no escape codes");
  });
}

test("p2p seeds add and remove change the configured seeds, which get and list then ask", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  assertCode(await world.p2p("seeds", "add", seed.address, "nas1"), 0);
  assertCode(await world.p2p("seeds", "remove", "nas1"), 0);
  assertCode(await world.p2p("seeds", "add", seed.address), 0);
  assertEquals(JSON.parse(await configText(world)), { seeds: [seed.address] });
  assertCode(await world.p2p("get", "a.txt"), 0);
  assertEquals(world.files(), ["a.txt"]);
  assertEquals(JSON.parse((await world.p2p("list", "--json")).stdout).files[0].name, "a.txt");
});

test("p2p seeds shows the configured seeds and how each is doing", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  await world.p2p("seeds", "add", seed.address, "127.0.0.1:1");
  const table = await world.p2p("seeds");
  assertCode(table, 0);
  assertMatch(table.stdout, new RegExp(`^${seed.address} +ok +v2`, "m"));
  assertMatch(table.stdout, /^127\.0\.0\.1:1 +failed .*refused/m);
  const { seeds } = JSON.parse((await world.p2p("seeds", "--json")).stdout);
  assertEquals(seeds.map(({ seed, ok }: { seed: string; ok: boolean }) => ({ seed, ok })), [
    { seed: seed.address, ok: true },
    { seed: "127.0.0.1:1", ok: false },
  ]);
});

test("p2p seeds add keeps the other settings of config.json", async (world) => {
  world.write("config/config.json", '{\n    "max": 7,\n    "seeds": ["nas1"]\n}\n');
  assertCode(await world.p2p("seeds", "add", "nas2:7271", "nas1"), 0);
  assertEquals(JSON.parse(await configText(world)), {
    max: 7,
    seeds: ["nas1:7270", "nas2:7271"],
  });
});

test("p2p config shows each setting's default when nothing is set", async (world) => {
  const ended = await world.p2p("config");
  assertCode(ended, 0);
  assertMatch(ended.stdout, /^seeds +127\.0\.0\.1:7270 +default$/m);
  assertMatch(ended.stdout, /^max +3 +default$/m);
  assertMatch(ended.stdout, /^stall +5s +default$/m);
  assertMatch(ended.stdout, /^give-up +2m +default$/m);
  assertMatch(ended.stdout, /^on-conflict +fail +default$/m);
  assertMatch(ended.stdout, /^port +7270 +default$/m);
  assertMatch(ended.stdout, /^quiet +off +default$/m);
  // All that remains when the program is removed.
  for (const folder of ["config", "state", "cache"]) {
    assertMatch(ended.stdout, new RegExp(`^${folder} folder: +/`, "m"));
  }
});

test("p2p takes a setting from its flag, else the environment, else config.json, else its default", async (world) => {
  const file = world.path("config", "config.json");
  assertEquals(await originOf(world, "max"), { value: 3, origin: "default" });
  world.write("config/config.json", '{"max": 5, "seeds": ["nas1", "nas2"], "stall": "7s"}');
  assertEquals(await originOf(world, "max"), { value: 5, origin: `"max" in ${file}` });
  assertEquals((await originOf(world, "seeds")).value, ["nas1:7270", "nas2:7270"]);
  const env = { P2P_MAX: "9", P2P_SEEDS: "nas3,nas4:1", P2P_REQUIRE_VERIFIED: "true" };
  assertEquals(await originOf(world, "max", env), { value: 9, origin: "P2P_MAX" });
  assertEquals((await originOf(world, "seeds", env)).value, ["nas3:7270", "nas4:1"]);
  assertEquals((await originOf(world, "require-verified", env)).origin, "P2P_REQUIRE_VERIFIED");
  assertEquals((await originOf(world, "stall", env)).value, "7s");
  const flagged = await world.p2pWith({ env }, "get", "a.txt", ...from({ address: "127.0.0.1:1" }));
  assertCode(flagged, 4);
  assertStringIncludes(flagged.stderr, "127.0.0.1:1");
  assert(!flagged.stderr.includes("nas3"), "the flag wins");
});

const wrong = [
  { what: "a number", config: '{"max": "many"}', says: /"max" in .*config\.json/ },
  {
    what: "a number on the third line",
    config: '{\n  "seeds": ["nas1"],\n  "max": 0\n}',
    says: /"0" from "max" in .*config\.json, line 3: it must be a whole number from 1 to 1000$/m,
  },
  {
    what: "an unknown key",
    config: '{\n"maxx": 3}',
    says: /"maxx" in .*config\.json, line 2: .*\nhint: Did you mean "max"\?/,
  },
  { what: "a whole file", config: "[]", says: /one JSON object\nhint: Write it like / },
  { what: "no JSON", config: "{max: 3}", says: /config\.json: .*line 1 column 2.*\nhint: / },
  { what: "a variable", env: { P2P_STALL: "soon" }, says: /"soon" from P2P_STALL/ },
  { what: "a seed in a variable", env: { P2P_SEEDS: "a,b:x" }, says: /P2P_SEEDS/ },
];

for (const { what, config, env = {}, says } of wrong) {
  test(`p2p exits 2 and names the place when ${what} is wrong`, async (world) => {
    if (config) world.write("config/config.json", config);
    await Promise.all([["config"], ["get", "a.txt"], ["list"]].map(async (args) => {
      const ended = await world.p2pWith({ env }, ...args);
      assertCode(ended, 2);
      assertMatch(ended.stderr, /^p2p: /);
      assertMatch(ended.stderr, says);
    }));
  });
}

test("p2p keeps its files in the XDG folders when nothing else is said", async (world) => {
  const env = {
    P2P_CONFIG_DIR: "",
    P2P_STATE_DIR: "",
    P2P_CACHE_DIR: "",
    XDG_CONFIG_HOME: world.path("xdg", "config"),
    XDG_STATE_HOME: world.path("xdg", "state"),
    XDG_CACHE_HOME: world.path("xdg", "cache"),
  };
  assertCode(await world.p2pWith({ env }, "seeds", "add", "127.0.0.1:1"), 0);
  assertCode(await world.p2pWith({ env }, "get", "a.txt"), 4);
  assertEquals(JSON.parse(Deno.readTextFileSync(world.path("xdg/config/p2p/config.json"))), {
    seeds: ["127.0.0.1:1"],
  });
  const { tasks } = JSON.parse((await world.p2pWith({ env }, "status", "--all", "--json")).stdout);
  assertEquals(tasks.length, 1);
  assert(world.files(world.path("xdg/state/p2p")).length > 0);
}, ON_UNIX);

test("p2p get downloads without records when the state folder cannot be written, and says so", async (world) => {
  const file = world.write("a-file", "");
  world.write("seed/a.txt", "hello");
  const seed = await world.serve(world.path("seed"));
  const env = { P2P_STATE_DIR: file };
  const ended = await world.p2pWith({ env }, "get", "a.txt", ...from(seed));
  assertCode(ended, 0);
  assertEquals(new TextDecoder().decode(world.got("a.txt")), "hello");
  assertMatch(ended.stderr, /^note: Cannot keep state in ".*a-file.*status, logs and pause/m);
});

async function originOf(world: CliFixture, name: string, env: Record<string, string> = {}) {
  const ended: Ended = await world.p2pWith({ env }, "config", "--json");
  assertCode(ended, 0);
  const { settings } = JSON.parse(ended.stdout) as {
    settings: { name: string; value: unknown; origin: string }[];
  };
  const { value, origin } = settings.find((setting) => setting.name === name)!;
  return { value, origin };
}

async function configText(world: CliFixture): Promise<string> {
  return await Deno.readTextFile(world.path("config", "config.json"));
}
