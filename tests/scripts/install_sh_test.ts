/** `scripts/install.sh`, run by `sh` on machines of its own: with a home, a PATH and a platform. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { CHECKSUMS } from "../../scripts/checksums.ts";
import { output } from "../../scripts/release/tools.ts";
import { lacking, testUnless } from "./release/support.ts";
import { ReleaseServer } from "./release_server.ts";
import { TempFolder } from "../support/temp_folder.ts";

const SCRIPT = fromFileUrl(new URL("../../scripts/install.sh", import.meta.url));

/** All that the script may need, besides something to download and something to check with. */
const TOOLS = [
  "sh",
  "cat",
  "chmod",
  "cp",
  "gzip",
  "mkdir",
  "mktemp",
  "mv",
  "rm",
  "sed",
  "tar",
  "wc",
] as const;

const WITHOUT_CURL = await lacking("curl");
const WITHOUT_WGET = await lacking("wget");
const ignored = Deno.build.os === "windows" ? "Windows has install.ps1" : await lacking("tar");
const downloader = WITHOUT_CURL === undefined ? "curl" : "wget";
const offline = ignored ??
  (WITHOUT_CURL && WITHOUT_WGET && "there is neither curl nor wget");

interface Platform {
  readonly system: string;
  readonly machine: string;
}

const LINUX: Platform = { system: "Linux", machine: "x86_64" };

interface Ended {
  readonly code: number;
  readonly reported: string;
}

/** A machine with nothing on it but what a test puts there, and two releases to choose from. */
class InstallFixture implements AsyncDisposable {
  readonly server = new ReleaseServer();
  readonly #folder = new TempFolder();
  readonly home = this.path("home");
  readonly to = join(this.home, ".local/bin");

  static async with(tools: readonly string[], platform = LINUX): Promise<InstallFixture> {
    const machine = new InstallFixture();
    for (const name of ["home", "bin", "tmp"]) Deno.mkdirSync(machine.path(name));
    for (const tool of [...TOOLS, ...tools]) await machine.#link(tool);
    machine.addTool(
      "uname",
      `[ "$1" = -s ] && echo ${platform.system} || echo ${platform.machine}`,
    );
    for (const version of ["1.2.2", "1.2.3"]) await machine.release(version);
    return machine;
  }

  path(...parts: string[]): string {
    return join(this.#folder.path, ...parts);
  }

  /** Puts a program on the PATH. */
  addTool(name: string, lines: string): void {
    Deno.writeTextFileSync(this.path("bin", name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  }

  async #link(tool: string): Promise<void> {
    const where = await output("sh", ["-c", `command -v ${tool}`], ".");
    Deno.symlinkSync(where.trim(), this.path("bin", tool));
  }

  /** Publishes a release, whose programs are these lines of a shell. */
  async release(version: string, lines = `echo "p2p ${version} (for a test)"`): Promise<string> {
    const folder = this.path(`release-${version}`);
    Deno.mkdirSync(folder, { recursive: true });
    for (const target of ["linux-x64", "linux-arm64", "macos-arm64"]) {
      const name = `p2p-${version}-${target}`;
      const program = this.path("programs", name, "p2p");
      Deno.mkdirSync(dirname(program), { recursive: true });
      Deno.writeTextFileSync(program, `#!/bin/sh\n# ${target}\n${lines}\n`, { mode: 0o755 });
      const archive = join(folder, `${name}.tar.gz`);
      await output("tar", ["-czf", archive, name], this.path("programs"));
    }
    await this.server.publish(version, folder);
    return folder;
  }

  /** Runs the script with the page of releases as its place. */
  async install(...args: string[]): Promise<Ended> {
    return await this.installWith({ P2P_RELEASES: this.server.page }, ...args);
  }

  async installWith(env: Record<string, string>, ...args: string[]): Promise<Ended> {
    return await this.run(["sh", SCRIPT, ...args], env);
  }

  async run([program, ...args]: readonly string[], env: Record<string, string>): Promise<Ended> {
    const { code, stderr, stdout } = await new Deno.Command(program!, {
      args,
      cwd: this.home,
      clearEnv: true,
      env: { HOME: this.home, PATH: this.path("bin"), TMPDIR: this.path("tmp"), ...env },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    // Whatever happens, nothing stays in the folder of temporary files.
    assertEquals([...Deno.readDirSync(this.path("tmp"))], []);
    return { code, reported: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  /** What is in the folder for programs. */
  installed(): string[] {
    try {
      return Array.from(Deno.readDirSync(this.to), ({ name }) => name).sort();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  /** What the installed program says of itself. */
  async version(to = this.to): Promise<string> {
    return (await output(join(to, "p2p"), ["--version"], this.home)).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

function test(
  name: string,
  fn: (machine: InstallFixture) => Promise<void>,
  tools: readonly string[] = [],
) {
  testUnless(offline, `install.sh ${name}`, async () => {
    await using machine = await InstallFixture.with(
      tools.length > 0 ? tools : [downloader, CHECKER],
    );
    await fn(machine);
  });
}

/** The one that this machine has. */
const CHECKER = await lacking("sha256sum") === undefined ? "sha256sum" : "shasum";

for (const [tool, missing] of [["curl", WITHOUT_CURL], ["wget", WITHOUT_WGET]] as const) {
  testUnless(
    ignored ?? missing,
    `install.sh puts the newest in ~/.local/bin with ${tool}`,
    async () => {
      await using machine = await InstallFixture.with([tool, CHECKER]);
      const { code, reported } = await machine.install();
      assertEquals(code, 0, reported);
      assertEquals(machine.installed(), ["p2p"]);
      assertEquals(await machine.version(), "p2p 1.2.3 (for a test)");
      assertEquals(Deno.statSync(join(machine.to, "p2p")).mode! & 0o777, 0o755);
      assertStringIncludes(reported, `p2p 1.2.3 (for a test) is in ${machine.to}/p2p\n`);
      assertStringIncludes(reported, `to be rid of it: rm '${machine.to}/p2p'`);
      assertStringIncludes(reported, `export PATH="${machine.to}:$PATH"`);
    },
  );

  testUnless(ignored ?? missing, `install.sh places nothing when ${tool} is cut off`, async () => {
    await using machine = await InstallFixture.with([tool, CHECKER]);
    await machine.install("--version", "1.2.2");
    for (const file of [CHECKSUMS, "p2p-1.2.3-linux-x64.tar.gz"]) {
      machine.server.mishaps.clear();
      machine.server.mishaps.set(file, "cut");
      const { code, reported } = await machine.install();
      assertEquals(code, 1, reported);
      assertStringIncludes(
        reported,
        `Cannot download "${machine.server.page}/latest/download/${file}"`,
      );
      assertEquals(await machine.version(), "p2p 1.2.2 (for a test)");
      assertEquals(machine.installed(), ["p2p"]);
    }
  });
}

for (const tool of ["sha256sum", "shasum", "openssl"]) {
  testUnless(offline ?? await lackingChecker(tool), `install.sh checks with ${tool}`, async () => {
    await using machine = await InstallFixture.with([
      downloader,
      tool,
      ...tool === "shasum" ? ["perl"] : [],
    ]);
    assertEquals((await machine.install()).code, 0);
    machine.server.mishaps.set("p2p-1.2.2-linux-x64.tar.gz", "changed");
    assertMatch(
      (await machine.install("--version", "1.2.2")).reported,
      /its SHA-256 is [0-9a-f]{64}, /,
    );
    assertEquals(await machine.version(), "p2p 1.2.3 (for a test)");
  });
}

async function lackingChecker(tool: string): Promise<string | undefined> {
  const asked = tool === "openssl" ? ["version"] : ["--version"];
  return await output(tool, asked, ".").then(() => undefined, () => `there is no ${tool}`);
}

test("fails when the archive is not the one that was published, and keeps the old one", async (machine) => {
  await machine.install("--version", "1.2.2");
  machine.server.mishaps.set("p2p-1.2.3-linux-x64.tar.gz", "changed");
  const { code, reported } = await machine.install();
  assertEquals(code, 1);
  assertMatch(
    reported,
    /^install: Cannot trust "p2p-1\.2\.3-linux-x64\.tar\.gz": its SHA-256 is \w{64}, SHA256SUMS says \w{64}\nhint: /m,
  );
  assertEquals(await machine.version(), "p2p 1.2.2 (for a test)");
  assertEquals(machine.installed(), ["p2p"]);
});

test("installs the version that is asked for, and upgrades when run again", async (machine) => {
  assertStringIncludes((await machine.install("--version", "v1.2.2")).reported, "p2p 1.2.2");
  assertEquals(await machine.version(), "p2p 1.2.2 (for a test)");
  const { reported } = await machine.install();
  assertStringIncludes(reported, "p2p 1.2.3 (for a test) is in ");
  assertStringIncludes(reported, ", in the place of p2p 1.2.2 (for a test)\n");
  assertEquals(await machine.version(), "p2p 1.2.3 (for a test)");
  assertStringIncludes((await machine.install()).reported, ", as before\n");
});

test("fails when there is no such version", async (machine) => {
  const { code, reported } = await machine.install("--version", "9.9.9");
  assertEquals([code, machine.installed()], [1, []]);
  assertStringIncludes(
    reported,
    `Cannot download "${machine.server.page}/download/v9.9.9/SHA256SUMS"`,
  );
});

test("takes a folder that holds a release, and no other version than is there", async (machine) => {
  const folder = machine.path("release-1.2.2");
  const wrong = await machine.installWith({}, "--from", folder, "--version", "1.2.3");
  assertEquals([wrong.code, machine.installed()], [1, []]);
  assertStringIncludes(wrong.reported, "Cannot install version 1.2.3: at ");
  assertEquals((await machine.installWith({}, "--from", `${folder}/`)).code, 0);
  assertEquals(await machine.version(), "p2p 1.2.2 (for a test)");
});

test("takes the address of one release, and prefers --from to P2P_RELEASES", async (machine) => {
  const { code } = await machine.install("--from", `${machine.server.page}/download/v1.2.2`);
  assertEquals(code, 0);
  assertEquals(await machine.version(), "p2p 1.2.2 (for a test)");
});

test("installs into --to, made when missing, and says nothing of a PATH that has it", async (machine) => {
  const path = `${machine.path("bin")}:${machine.home}/my programs`;
  const env = { P2P_RELEASES: machine.server.page, PATH: path };
  const { code, reported } = await machine.installWith(env, "--to", "my programs");
  assertEquals([code, machine.installed()], [0, []]);
  assertEquals(await machine.version(join(machine.home, "my programs")), "p2p 1.2.3 (for a test)");
  assert(!reported.includes("PATH"), reported);
});

test("says which one the PATH finds first", async (machine) => {
  machine.addTool("p2p", "echo another");
  const { reported } = await machine.install();
  assertStringIncludes(reported, `your PATH finds another one first: ${machine.path("bin/p2p")}\n`);
});

test("keeps the old one when the new one does not start", async (machine) => {
  await machine.install();
  await machine.release("1.2.4", "echo 'GLIBC_2.99 not found'; exit 1");
  const { code, reported } = await machine.install();
  assertEquals(code, 1);
  assertStringIncludes(reported, "Cannot start p2p on this machine: GLIBC_2.99 not found\n");
  assertEquals(await machine.version(), "p2p 1.2.3 (for a test)");
});

test("says what to do when it knows no place", async (machine) => {
  const { code, reported } = await machine.installWith({});
  assertEquals([code, machine.installed()], [1, []]);
  assertMatch(reported, /no place is given\nhint: Say it with --from, or in P2P_RELEASES/);
});

test("fails when the folder cannot be written", async (machine) => {
  Deno.writeTextFileSync(join(machine.home, "file"), "");
  const { code, reported } = await machine.install("--to", "file/bin");
  assertEquals(code, 1);
  assertMatch(reported, /Cannot make the folder "file\/bin"\nhint: .*--to/);
});

const mistakes = [
  { args: ["--form", "x"], says: /Cannot use "--form"\nhint: .*--help/ },
  { args: ["--to"], says: /--to wants a value/ },
  { args: ["--version", "../../x"], says: /Cannot use version "\.\.\/\.\.\/x"/ },
  { args: ["--from", "ftp://host/x"], says: /neither https, http nor a folder/ },
  { args: ["--from", "/nowhere"], says: /Cannot read "\/nowhere\/SHA256SUMS"/ },
];
for (const { args, says } of mistakes) {
  test(`refuses ${args.join(" ")}`, async (machine) => {
    const { code, reported } = await machine.install(...args);
    assertEquals([code, machine.installed()], [1, []]);
    assertMatch(reported, says);
  });
}

const machines = [
  { system: "Linux", machine: "x86_64", gets: "linux-x64" },
  { system: "Linux", machine: "aarch64", gets: "linux-arm64" },
  { system: "Darwin", machine: "arm64", gets: "macos-arm64" },
  { system: "Linux", machine: "riscv64", says: /Cannot install on linux riscv64: there is no p2p/ },
  { system: "SunOS", machine: "i86pc", says: /Cannot install on SunOS: there is no p2p for it/ },
  { system: "MINGW64_NT-10.0", machine: "x86_64", says: /hint: Use install\.ps1/ },
  { system: "Darwin", machine: "x86_64", says: /macos-x64: the release at ".*" has no archive/ },
];
for (const { gets, says, ...platform } of machines) {
  const what = gets === undefined ? "fails" : `installs ${gets}`;
  testUnless(offline, `install.sh ${what} on ${platform.system} ${platform.machine}`, async () => {
    await using machine = await InstallFixture.with([downloader, CHECKER], platform);
    const { code, reported } = await machine.install();
    if (gets === undefined) {
      assertEquals([code, machine.installed()], [1, []]);
      assertMatch(reported, says);
    } else {
      assertEquals(code, 0, reported);
      assertStringIncludes(Deno.readTextFileSync(join(machine.to, "p2p")), `# ${gets}\n`);
    }
  });
}

testUnless(
  offline,
  "install.sh installs macos-arm64 when its shell is a translated one",
  async () => {
    const platform = { system: "Darwin", machine: "x86_64" };
    await using machine = await InstallFixture.with([downloader, CHECKER], platform);
    machine.addTool("sysctl", '[ "$*" = "-n sysctl.proc_translated" ] && echo 1');
    assertEquals((await machine.install()).code, 0);
    assertStringIncludes(Deno.readTextFileSync(join(machine.to, "p2p")), "# macos-arm64\n");
  },
);

test("says what is missing to download with", async (machine) => {
  assertMatch((await machine.install()).reported, /neither curl nor wget\nhint: .*--from <folder>/);
}, [CHECKER]);

test("says what is missing to check with, and places nothing", async (machine) => {
  const { code, reported } = await machine.install();
  assertEquals([code, machine.installed()], [1, []]);
  assertStringIncludes(reported, "neither sha256sum, shasum nor openssl\n");
}, [downloader]);

test("works from a pipe, as the one line of a release page runs it", async (machine) => {
  const pipe = `cat "${SCRIPT}" | sh -s -- --version 1.2.2`;
  const { code } = await machine.run(["sh", "-c", pipe], { P2P_RELEASES: machine.server.page });
  assertEquals(code, 0);
  assertEquals(await machine.version(), "p2p 1.2.2 (for a test)");
});

test("does nothing when only its beginning arrived", async (machine) => {
  const script = Deno.readTextFileSync(SCRIPT);
  const lastLine = script.trimEnd().lastIndexOf("\n");
  for (let cut = lastLine; cut > 0; cut -= Math.ceil(script.length / 20)) {
    const part = machine.path("part.sh");
    Deno.writeTextFileSync(part, script.slice(0, cut));
    await machine.run(["sh", part], { P2P_RELEASES: machine.server.page });
    assertEquals(machine.installed(), [], `cut at ${cut}`);
  }
});
