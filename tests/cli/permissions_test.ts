/**
 * The program holds the permissions that it needs, and no other: every command is run twice.
 *
 * Once as the compiled program, where a permission that is missing would end it or be reported. And
 * once from its sources with the same permissions, while Deno notes what it is asked for: so a
 * refusal that is caught on the way shows too, and a permission that nobody needs.
 */
import { assert, assertEquals, assertFalse } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { depsFlags } from "../../scripts/offline/ask_deps.ts";
import { ENV, PERMISSIONS, SYS } from "../../scripts/compile.ts";
import { assertCode, type CliFixture, noise, type RunOptions, test, WINDOWS } from "./harness.ts";

/** Where the packages' flags lead from. */
const REPOSITORY = fromFileUrl(new URL("../../", import.meta.url));
const MIB = 1024 * 1024;

/** What Deno says when a permission is missing, and what p2p says of its own faults. */
const REFUSED = /NotCapable|Requires \w+ access|permission|this is a bug/i;

/** A file that was downloaded, and one that is being downloaded. */
const [DONE, RUNNING] = ["big.bin", "slow.bin"];
/** For each command the arguments to run it with. */
const RUNS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  // These run beside the others, with what only the world knows.
  get: [],
  serve: [],
  list: [[]],
  link: [[DONE, "--qr"]],
  manifest: [],
  status: [[], ["--all"]],
  max: [["2"]],
  pause: [[RUNNING]],
  resume: [[RUNNING]],
  cancel: [[RUNNING]],
  sync: [[]],
  logs: [[DONE]],
  why: [[DONE], [RUNNING]],
  verify: [],
  cat: [[RUNNING]],
  help: [["security"]],
  seeds: [["add", "nas1"], [], ["remove", "nas1"], ["--lan"]],
  config: [[]],
  completions: [["bash"], ["zsh"], ["fish"]],
};

/** Runs every command to a good end, each with options of its own. */
async function runEverything(world: CliFixture, options: () => RunOptions): Promise<void> {
  const pem = (name: string) => fromFileUrl(new URL(`../support/tls/${name}.pem`, import.meta.url));
  // Big enough for the threads that hash, which have permissions of their own.
  world.write(`share/${DONE}`, noise(33 * MIB));
  world.write(`share/${RUNNING}`, noise(MIB));
  const token = world.write("token", "correct horse\n");
  const seed = await world.serveWith(
    options(),
    world.path("share"),
    ...["--tls-cert", pem("seed"), "--tls-key", pem("seed-key"), "--token-file", token],
    ...["--metrics", "127.0.0.1:0"],
  );
  const from = {
    P2P_SEEDS: `tls://${seed.address}`,
    P2P_TLS_CA: pem("ca"),
    P2P_TOKEN_FILE: token,
  };
  const settings = () => {
    const { env, ...rest } = options();
    return { ...rest, env: { ...env, ...from } };
  };
  const run = async (...args: string[]) => {
    const ended = await world.p2pWith(settings(), ...args);
    assertCode(ended, 0);
    assertFalse(REFUSED.test(ended.stdout + ended.stderr), `${args}: ${ended.stderr}`);
    return ended.stdout;
  };
  await run("get", DONE, "--progress", "bar");
  await run("manifest", world.path(`share/${DONE}`));
  // So slow that only the command that cancels it ends it.
  const slow = world.startWith(settings(), "get", RUNNING, "--limit", "1KiB", "--json");
  await slow.stdout.line(/"event":"task"/);
  for (const [command, runs] of Object.entries(RUNS)) {
    for (const args of runs) await run(command, ...args);
  }
  await run("verify", world.path(`share/${DONE}`));
  const { env: own, ...others } = settings();
  const account = { AWS_ENDPOINT_URL: "http://127.0.0.1:1" };
  const bucket = await world.p2pWith(
    { ...others, env: { ...own, ...account } },
    ...["list", "--seed", "s3://bucket/"],
  );
  assertCode(bucket, 4);
  assertFalse(REFUSED.test(bucket.stdout + bucket.stderr), bucket.stderr);
  assert(bucket.stderr.includes("connection refused"), bucket.stderr);
  const { stdout: events, stderr: reported } = await slow.ended;
  assertFalse(REFUSED.test(events + reported), reported);
  const help = await run("--help");
  assertEquals(commandsIn(help), Object.keys(RUNS).sort(), "a command has no run of its own here");
  await run("--version");
  // As under cron or in a container: the account's home folder is used.
  const { env, ...rest } = settings();
  const homeless = await world.p2pWith({ ...rest, env: { ...env, HOME: "" } }, "config");
  assertCode(homeless, 0);
  const { stdout, stderr } = await seed.process.endBy(WINDOWS ? "SIGKILL" : "SIGINT");
  assertFalse(REFUSED.test(stdout + stderr), stderr);
}

function commandsIn(help: string): string[] {
  const [, commands = ""] = help.match(/^Commands:\n((?: .*\n)+)/m) ?? [];
  return Array.from(commands.matchAll(/^ {2}(\w+)/gm), ([, name]) => name!).sort();
}

test("p2p may do all that its commands need", async (world) => {
  await runEverything(world, () => ({}));
});

/** A line of what Deno notes. */
interface Asked {
  readonly permission: string;
  readonly value: string;
}

test("p2p asks for what it was compiled to hold, and for nothing else", async (world) => {
  const asked = await askedBy(world);
  const refused = asked.filter(({ permission, value }) => !mayDo(permission, value));
  assertEquals(refused, []);
  const used = (kind: string, name: string) =>
    asked.some(({ permission, value }) => permission === kind && fits(name, value));
  for (const kind of ["net", "read", "write"]) {
    assert(asked.some(({ permission }) => permission === kind), `nobody needs --allow-${kind}`);
  }
  assertEquals(ENV.filter((name) => !used("env", name)), UNUSED_HERE);
  assertEquals(SYS.filter((name) => !used("sys", name)), WINDOWS ? ["homedir"] : []);
});

/** What only other platforms are asked for, or only a terminal. */
const UNUSED_HERE = WINDOWS
  ? ["HOME", "USERPROFILE", "NO_COLOR", "TERM"]
  : ["USERPROFILE", "LOCALAPPDATA", "APPDATA", "NO_COLOR", "TERM"];

async function askedBy(world: CliFixture): Promise<Asked[]> {
  const program = [
    Deno.execPath(),
    ...["run", "--quiet", ...await depsFlags(), ...PERMISSIONS, "main.ts"],
  ] as const;
  const env = {
    // Where the packages are: the home folder of the world has none.
    DENO_DIR: await denoDir(),
    // So that it looks for its usual folders.
    P2P_CACHE_DIR: "",
    P2P_STATE_DIR: "",
    P2P_CONFIG_DIR: "",
    LOCALAPPDATA: world.path("local"),
    APPDATA: world.path("roaming"),
    P2P_OUT: world.here,
  };
  const notes: string[] = [];
  await runEverything(world, () => {
    // One for each process: they run at the same time.
    const file = world.path(`asked-${notes.length}`);
    notes.push(file);
    return { program, cwd: REPOSITORY, env: { ...env, DENO_AUDIT_PERMISSIONS: file } };
  });
  return notes.flatMap((file) =>
    Deno.readTextFileSync(file).split("\n").filter((line) => line !== "")
      .map((line) => JSON.parse(line))
  );
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

function mayDo(permission: string, value: string): boolean {
  switch (permission) {
    case "net":
    case "read":
    case "write":
      return true;
    case "env":
      return ENV.some((name) => fits(name, value));
    case "sys":
      return SYS.includes(value);
    default:
      return false;
  }
}

/** `name` as a permission writes it: "P2P_*" fits whatever begins so. */
function fits(name: string, value: string): boolean {
  return name.endsWith("*") ? value.startsWith(name.slice(0, -1)) : name === value;
}
