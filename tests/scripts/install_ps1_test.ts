/** `scripts/install.ps1`, run by the PowerShell that comes with Windows. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { CHECKSUMS } from "../../scripts/checksums.ts";
import { output } from "../../scripts/release/tools.ts";
import { testUnless } from "./release/support.ts";
import { ReleaseServer } from "./release_server.ts";
import { TempFolder } from "../support/temp_folder.ts";

const SCRIPT = fromFileUrl(new URL("../../scripts/install.ps1", import.meta.url));
const ignored = Deno.build.os === "windows" ? undefined : "it is for Windows";
const archiveOf = (version: string) => `p2p-${version}-windows-x64.zip`;

class InstallFixture implements AsyncDisposable {
  readonly server = new ReleaseServer();
  readonly #folder = new TempFolder();
  readonly to = this.path("programs");

  static async make(): Promise<InstallFixture> {
    const machine = new InstallFixture();
    Deno.mkdirSync(machine.path("tmp"));
    for (const version of ["1.2.2", "1.2.3"]) await machine.release(version);
    return machine;
  }

  path(...parts: string[]): string {
    return join(this.#folder.path, ...parts);
  }

  /** Its program is one of Windows that starts anywhere, and knows --version. */
  async release(version: string): Promise<void> {
    const program = this.path(`p2p-${version}-windows-x64`);
    Deno.mkdirSync(program);
    const windows = Deno.env.get("SystemRoot") ?? "C:\\Windows";
    Deno.copyFileSync(join(windows, "System32", "curl.exe"), join(program, "p2p.exe"));
    Deno.writeTextFileSync(join(program, "README.md"), version);
    const folder = this.path(`release-${version}`);
    Deno.mkdirSync(folder);
    const archive = join(folder, archiveOf(version));
    await output(
      "powershell",
      ["-NoProfile", "-Command", `Compress-Archive '${program}' '${archive}'`],
      ".",
    );
    await this.server.publish(version, folder);
  }

  async install(...args: string[]): Promise<{ code: number; reported: string }> {
    return await this.installWith({ P2P_RELEASES: this.server.page }, ...args);
  }

  async installWith(
    env: Record<string, string>,
    ...args: string[]
  ): Promise<{ code: number; reported: string }> {
    const { code, stdout, stderr } = await new Deno.Command("powershell", {
      args: ["-NoProfile", "-ExecutionPolicy", "Bypass", "-File", SCRIPT, "-To", this.to, ...args],
      env: { P2P_RELEASES: "", TEMP: this.path("tmp"), TMP: this.path("tmp"), ...env },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { code, reported: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  /** What is in the folder for programs, and what was left in that of temporary files. */
  installed(): string[] {
    const left = Array.from(Deno.readDirSync(this.path("tmp")), ({ name }) => name);
    assertEquals(left.filter((name) => name.startsWith("p2p-")), []);
    try {
      return Array.from(Deno.readDirSync(this.to), ({ name }) => name).sort();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

function test(name: string, fn: (machine: InstallFixture) => Promise<void>): void {
  testUnless(ignored, `install.ps1 ${name}`, async () => {
    await using machine = await InstallFixture.make();
    await fn(machine);
  });
}

test("puts the newest in its place, reports of the PATH, and replaces it when run again", async (machine) => {
  for (const says of [/ is in .*p2p\.exe\r?\n/, /, in the place of the older one/]) {
    const { code, reported } = await machine.install();
    assertEquals(code, 0, reported);
    assertEquals(machine.installed(), ["p2p.exe"]);
    assertMatch(reported, says);
    assertStringIncludes(reported, "your PATH lacks ");
    await output(join(machine.to, "p2p.exe"), ["--version"], ".");
  }
});

test("takes the version that is asked for, and a folder", async (machine) => {
  assertEquals((await machine.install("-Version", "v1.2.2")).code, 0);
  const folder = machine.path("release-1.2.2");
  const wrong = await machine.installWith({}, "-From", folder, "-Version", "1.2.3");
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.reported, "Cannot install version 1.2.3");
  assertEquals((await machine.installWith({}, "-From", folder)).code, 0);
});

for (const file of [CHECKSUMS, archiveOf("1.2.3")]) {
  test(`places nothing when ${file} is cut off`, async (machine) => {
    machine.server.mishaps.set(file, "cut");
    assertEquals((await machine.install()).code, 1);
    assertEquals(machine.installed(), []);
  });
}

test("places nothing when the archive is not the one that was published", async (machine) => {
  machine.server.mishaps.set(archiveOf("1.2.3"), "changed");
  const { code, reported } = await machine.install();
  assertEquals([code, machine.installed()], [1, []]);
  assertMatch(reported, /Cannot trust "p2p-1\.2\.3-windows-x64\.zip": its SHA-256 is \w{64}/);
});

test("says what to do when it knows no place", async (machine) => {
  const { code, reported } = await machine.installWith({});
  assertEquals([code, machine.installed()], [1, []]);
  assertStringIncludes(reported, "P2P_RELEASES");
});
