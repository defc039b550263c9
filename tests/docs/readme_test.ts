/**
 * Every command of the README, taken from the page and run with the compiled program: in a shell
 * of its own, in the order of the page, with real files and two seeds. A command that is on the
 * page but in none of the tables below fails the test.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname, join } from "@std/path";
import { TARGETS } from "../../scripts/release/targets.ts";
import { output } from "../../scripts/release/tools.ts";
import {
  assertCode,
  type CliFixture,
  type Ended,
  noise,
  ON_UNIX,
  PROGRAM,
  type RunningProcess,
  type Seed,
  sha256Of,
  test,
} from "../cli/harness.ts";
import { parseEvent } from "../cli/events.ts";
import { ReleaseServer } from "../scripts/release_server.ts";
import { lacking } from "../scripts/release/support.ts";
import { codeOf, filesOf, readPage, shellCommands, textOf } from "./pages.ts";

const README = textOf("README.md");
const MAX_LINES = 160;

/** Commands that this test cannot run, each with the reason and what is checked instead. */
const NOT_RUN_HERE: Readonly<Record<string, string>> = {
  "npx -y deno@2.7.11 task demo": "builds the program: fresh_clone_test.ts runs it in a clone",
  "mkdir -p ~/.local/bin && cp dist/p2p ~/.local/bin/": "fresh_clone_test.ts runs it in a clone",
  "irm <releases>/latest/download/install.ps1 | iex":
    "needs PowerShell and a published release: install_ps1_test.ts runs the script on Windows",
};

/** What the files are called that the README downloads. */
const FILES: Readonly<Record<string, number>> = {
  "chromium": 3_000_000,
  "deno": 2_000_000,
  "papers/README.md": 20_000,
  "papers/protocol.md": 17_000,
  "model.bin": 4_000_000,
  "data/part-1.parquet": 100_000,
  "data/part-2.parquet": 50_000,
};

/** Slow enough to be paused and cancelled by the commands that follow. */
const SLOW = ["--limit", "64KiB", "--out", "slow", "--json"];

/** A command of the page and what it must do. */
type Check = (page: Page, command: string) => Promise<void>;

const CHECKS: Readonly<Record<string, Check>> = {
  "p2p get chromium deno 'papers/*' --seed nas1 --seed nas2 --out here": async (page, command) => {
    const ended = await page.run(command);
    assertCode(ended, 0);
    assertMatch(ended.stderr, /Downloaded 4 files/);
    page.assertGot("here", "chromium", "deno", "papers/README.md", "papers/protocol.md");
  },
  "p2p why chromium": async (page, command) => {
    const { code, stdout } = await page.run(command);
    assertEquals(code, 0);
    assertMatch(stdout, /^chromium is done; /);
    assertMatch(stdout, /^seeds: 127.0.0.1:\d+ .*; 127.0.0.1:\d+ /m);
  },
  "p2p serve ./shared": async (page, command) => {
    // Variables instead of flags: all addresses and the port 7270 belong to the machine.
    const seed = page.start(command, { P2P_HOST: "127.0.0.1", P2P_PORT: "0" });
    const line = await seed.stdout.line(/^listening on /);
    assertMatch(await seed.stderr.line(/p2p get/), /p2p get .*--seed/);
    page.served = { process: seed, address: line.slice("listening on ".length) };
  },
  "p2p get --all --out ./here": async (page, command) => {
    assert(page.served);
    assertCode(await page.run(command, { P2P_SEEDS: page.served.address }), 0);
    page.assertGot("here", ...Object.keys(FILES));
    const { code, signal } = await page.served.process.endBy("SIGINT");
    assertEquals([code, signal], [0, null]);
  },
  "curl -fsSL <releases>/latest/download/install.sh | sh": async (page, command) => {
    await using server = new ReleaseServer();
    await server.publish("1.2.3", await page.makeRelease("1.2.3"));
    const env = { P2P_RELEASES: server.page };
    assertCode(await page.run(command.replace("<releases>", `${server.page}`), env), 0);
    assertMatch(await output(page.installed, ["--version"], "."), /^p2p 1\.2\.3/);
  },
  "p2p list --seed nas1": async (page, command) => {
    const { code, stdout } = await page.run(command);
    assertEquals(code, 0);
    for (const name of Object.keys(FILES)) assert(stdout.includes(name), `${name} in ${stdout}`);
  },
  "p2p get model.bin --seed nas1 --seed nas2": async (page, command) => {
    assertCode(await page.run(command), 0);
    page.assertGot(".", "model.bin");
  },
  "p2p sync data/ --seed nas1": async (page, command) => {
    assertCode(await page.run(command), 0);
    for (const name of Object.keys(FILES).filter((name) => name.startsWith("data/"))) {
      page.assertGot(".", name);
    }
  },
  "p2p seeds add nas1 nas2:7271 tls://nas3": async (page, command) => {
    assertCode(await page.run(command), 0);
    const { stdout } = await page.run("p2p config");
    for (const seed of page.addresses) assert(stdout.includes(seed), `${seed} in ${stdout}`);
  },
  "p2p get 'data/*.parquet' --max 5 --out ./here": async (page, command) => {
    await Deno.remove(join(page.world.here, "here"), { recursive: true });
    assertCode(await page.run(command), 0);
    page.assertGot("here", "data/part-1.parquet", "data/part-2.parquet");
  },
  "p2p cat model.bin | sha256sum": async (page, command) => {
    const ended = await page.run(command);
    assertCode(ended, 0);
    const shared = new Uint8Array(page.world.got("shared/model.bin"));
    assertEquals(ended.stdout, `${await sha256Of(shared)}  -\n`);
  },
  "p2p status": async (page, command) => {
    page.slow = page.world.start("get", "model.bin", ...SLOW);
    await inState(page.slow, "downloading");
    const { code, stdout } = await page.run(command);
    assertEquals(code, 0);
    assertMatch(stdout, /downloading.* model\.bin/);
  },
  "p2p pause model.bin": async (page, command) => {
    assertCode(await page.run(command), 0);
    await inState(page.slow!, "paused");
  },
  "p2p resume model.bin": async (page, command) => {
    assertCode(await page.run(command), 0);
    await inState(page.slow!, "downloading", 2);
  },
  "p2p cancel model.bin": async (page, command) => {
    assertCode(await page.run(command), 0);
    assertCode(await page.slow!.ended, 8);
  },
  "p2p max 5": async (page, command) => {
    page.slow = page.world.start("get", "chromium", ...SLOW);
    await inState(page.slow, "downloading");
    const ended = await page.run(command);
    assertCode(ended, 0);
    assertMatch(ended.stdout + ended.stderr, /5/);
    assertCode(await page.slow.endBy("SIGINT"), 130);
  },
  "p2p why model.bin": async (page, command) => {
    const { code, stdout } = await page.run(command);
    assertEquals(code, 0);
    assertMatch(stdout, /^model\.bin (is|was) cancelled/);
  },
  "p2p logs model.bin": async (page, command) => {
    const { code, stdout } = await page.run(command);
    assertEquals(code, 0);
    assertMatch(stdout, /asking the seeds[^]*cancelled/);
  },
  "p2p verify model.bin": async (page, command) => {
    const ended = await page.run(command);
    assertCode(ended, 0);
    assertMatch(ended.stdout, /model\.bin/);
  },
  "p2p config": async (page, command) => {
    const { code, stdout } = await page.run(command);
    assertEquals(code, 0);
    assertMatch(stdout, /^state folder: /m);
  },
  "source <(p2p completions bash)": async (page, command) => {
    const ended = await page.run(`${command}\ncomplete -p p2p`);
    assertCode(ended, 0);
    assertMatch(ended.stdout, /^complete .*p2p$/m);
  },
};

/** The commands of the README in its order, without the remarks after them. */
function commandsOf(readme: string): string[] {
  const recorded = readPage(readme).blocks
    .filter(({ language }) => language === "")
    .flatMap(({ lines }) => lines.flatMap((line) => line.match(/^\$ (.+)/)?.[1] ?? []));
  return [...recorded, ...shellCommands(readme, "sh", "powershell")]
    .map((line) => line.replace(/\s+#.*$/, "").trim());
}

/** Waits until the only download of a `get --json` has come to this state, the first or a later time. */
async function inState(get: RunningProcess, state: string, time = 1): Promise<void> {
  let [last, times] = ["", 0];
  await get.stdout.find((line) => {
    const event = parseEvent(line);
    if (event.event !== "progress") return false;
    if (event.state === state && last !== state) times++;
    last = event.state;
    return times === time;
  }, `${state} for the ${time}. time`);
}

class Page {
  readonly world: CliFixture;
  readonly addresses: readonly string[];
  /** The seed that the README starts. */
  served: Seed | undefined;
  /** A download that the commands of the README control. */
  slow: RunningProcess | undefined;

  constructor(world: CliFixture, seeds: readonly Seed[]) {
    this.world = world;
    // The third seed is one that cannot be reached: no other program listens on port 1.
    this.addresses = [...seeds.map(({ address }) => address), "tls://127.0.0.1:1"];
  }

  static async open(world: CliFixture): Promise<Page> {
    Object.entries(FILES).forEach(([name, size], i) =>
      world.write(`here/shared/${name}`, noise(size, i + 1))
    );
    const shared = join(world.here, "shared");
    return new Page(world, [await world.serve(shared), await world.serve(shared)]);
  }

  /** Where install.sh puts the program. */
  get installed(): string {
    return join(this.world.root, ".local", "bin", "p2p");
  }

  start(command: string, env: Readonly<Record<string, string>> = {}): RunningProcess {
    const [nas1, nas2, nas3] = this.addresses;
    const line = command.replaceAll("tls://nas3", nas3!)
      .replaceAll(/\bnas2(:7271)?\b/g, nas2!).replaceAll(/\bnas1\b/g, nas1!);
    const path = `${dirname(PROGRAM)}:${Deno.env.get("PATH")}`;
    const options = { env: { ...env, PATH: path }, program: ["bash", "-c"] as [string, string] };
    // So that a signal reaches p2p and not the shell.
    return this.world.startWith(options, command.startsWith("p2p ") ? `exec ${line}` : line);
  }

  async run(command: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return await this.start(command, env).ended;
  }

  assertGot(folder: string, ...names: string[]): void {
    for (const name of names) {
      const [got, shared] = [folder, "shared"].map((below) => this.world.got(`${below}/${name}`));
      assertEquals(got!.length, shared!.length, name);
      assert(got!.every((byte, i) => byte === shared![i]), `${name} differs`);
    }
  }

  /** A release whose program only knows its version, for every platform with a shell. */
  async makeRelease(version: string): Promise<string> {
    const folder = this.world.path("release");
    for (const { name, archive } of TARGETS.filter(({ archive }) => archive === "tar.gz")) {
      const program = `p2p-${version}-${name}`;
      const path = this.world.write(`programs/${program}/p2p`, `#!/bin/sh\necho p2p ${version}\n`);
      Deno.chmodSync(path, 0o755);
      Deno.mkdirSync(folder, { recursive: true });
      const into = join(folder, `${program}.${archive}`);
      await output("tar", ["-czf", into, program], this.world.path("programs"));
    }
    Deno.writeTextFileSync(join(folder, "install.sh"), textOf("scripts/install.sh"));
    return folder;
  }
}

Deno.test(`the README has at most ${MAX_LINES} lines`, () => {
  assert(README.trimEnd().split("\n").length <= MAX_LINES);
});

Deno.test("every command of the README is run by a test, or is listed with a reason", () => {
  const commands = commandsOf(README);
  assert(commands.length > 15, commands.join("\n"));
  assertEquals(
    [...new Set(commands)].sort(),
    [...Object.keys(CHECKS), ...Object.keys(NOT_RUN_HERE)].sort(),
  );
});

Deno.test("the advice in the README's recording is advice that p2p gives", () => {
  const [, advice] = README.match(/^try: +(.+)$/m)!;
  const sources = filesOf(".ts").filter((path) => path.startsWith("commands/ui/why/"));
  assert(sources.some((path) => textOf(path).includes(`"${advice}"`)), advice);
});

const ignored = ON_UNIX.ignored ?? await lacking("bash", "curl", "tar");

test("every command of the README does what the page says", async (world) => {
  const page = await Page.open(world);
  for (const command of new Set(commandsOf(README))) await CHECKS[command]?.(page, command);
}, { ignored });

test("every topic of p2p help that a document names is there", async (world) => {
  const pages = ["README.md", ".github/SECURITY.md", ".github/CONTRIBUTING.md"].map(textOf);
  const codes = pages.flatMap(codeOf).map((code) => code.match(/^p2p help ([a-z-]+)$/)?.[1]);
  const topics = [...new Set(codes.filter((topic) => topic !== undefined))];
  assert(topics.length > 0);
  for (const topic of topics) assertCode(await world.p2p("help", topic), 0);
  const { stdout } = await world.p2p("--help");
  const [, listed] = stdout.replaceAll(/\s+/g, " ").match(/explains more: ([^.]+)\./)!;
  const [, named] = README.replaceAll(/\s+/g, " ").match(/`p2p help <topic>` explains ([^.]+)\./)!;
  assertEquals(named!.replace(" and ", ", "), listed);
});

test("every flag of p2p that the README and SECURITY name is there", async (world) => {
  const helps = await Promise.all(
    ["get", "serve", "list", "status", "cancel"].map((command) => world.p2p("help", command)),
  );
  const help = helps.map(({ stdout }) => stdout).join("\n");
  const named = ["README.md", ".github/SECURITY.md"].flatMap((page) => codeOf(textOf(page)))
    .flatMap((code) => code.match(/--[a-z][a-z0-9-]*/g) ?? [])
    .filter((flag) => !["--help", "--version"].includes(flag))
    // Every switch has its opposite, which the help explains once.
    .map((flag) => flag.replace(/^--no-/, "--"));
  assert(named.length > 5, named.join(" "));
  assertEquals(named.filter((flag) => !new RegExp(`${flag}(?![a-z0-9-])`).test(help)), []);
});

test("the certificate that p2p help security makes serves TLS", async (world) => {
  const { stdout } = await world.p2p("help", "security");
  const [command] = stdout.replaceAll("\\\n", "").match(/^ +openssl req .*$/m)!;
  const keys = world.path("keys");
  Deno.mkdirSync(keys);
  await output("bash", ["-c", command], keys);
  const [cert, key] = [join(keys, "cert.pem"), join(keys, "key.pem")];
  world.write("share/a.bin", noise(100_000));
  const seed = await world.serve(world.path("share"), "--tls-cert", cert, "--tls-key", key);
  const get = ["get", "a.bin", "--seed", `tls://${seed.address}`];
  assertCode(await world.p2p(...get, "--tls-ca", cert), 0);
  assertEquals(world.got("a.bin"), noise(100_000));
  assertEquals((await world.p2p(...get)).code, 4);
}, { ignored: ON_UNIX.ignored ?? await lacking("bash", "openssl") });
