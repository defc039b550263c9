/** The program for Linux on ARM64, run by qemu where it is installed. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { compile } from "../../scripts/compile.ts";
import { storedDenort } from "../../scripts/offline/denort.ts";
import { output } from "../../scripts/release/tools.ts";
import { downloaded } from "./events.ts";
import { assertCode, type CliFixture, from, noise, type RunOptions, test } from "./harness.ts";

const TARGET = "aarch64-unknown-linux-gnu";
const QEMU = "qemu-aarch64-static";
/** Where Debian puts the C library of `libc6-arm64-cross`. */
const LIBRARIES = "/usr/aarch64-linux-gnu";

/** A start takes up to 8 s, and qemu hashes 1 MiB/s on a busy machine. */
const DEADLINE_MS = 300_000;

const MIB = 1024 * 1024;
const BYTES = noise(6 * MIB + 5);
const STORED = 2 * MIB;

/** Why the program cannot run here. */
async function ignoredBecause(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "qemu runs Linux programs on Linux only";
  if (await output(QEMU, ["--version"], ".").then(() => false, () => true)) {
    return `there is no ${QEMU} (Debian: qemu-user-static)`;
  }
  if (await Deno.stat(`${LIBRARIES}/lib/libgcc_s.so.1`).then(() => false, () => true)) {
    return `there is no ${LIBRARIES}/lib (Debian: libc6-arm64-cross, libgcc-s1-arm64-cross)`;
  }
  return await storedDenort(TARGET) === undefined
    ? "its denort was not fetched: run deno task release linux-arm64"
    : undefined;
}

const ignored = await ignoredBecause();

async function onArm64(world: CliFixture): Promise<RunOptions> {
  const program = world.path("p2p-arm64");
  await compile({ output: program, commit: undefined, target: TARGET });
  return { program: [QEMU, "-L", LIBRARIES, program], deadlineMs: DEADLINE_MS };
}

test(
  "the program for linux-arm64 says its version and serves p2p of another platform",
  async (world) => {
    const arm64 = await onArm64(world);
    const version = await world.p2pWith(arm64, "--version");
    assertCode(version, 0);
    assertStringIncludes(version.stdout, TARGET);
    world.write("share/file.bin", BYTES);
    const seed = await world.serveWith(arm64, world.path("share"));
    assertCode(await world.p2p("get", "file.bin", ...from(seed)), 0);
    assertEquals(world.got("file.bin"), BYTES);
    assertCode(await seed.process.endBy("SIGINT"), 0);
  },
  { ignored },
);

test("the program for linux-arm64 resumes after SIGKILL and after SIGINT", async (world) => {
  const arm64 = await onArm64(world);
  world.write("share/file.bin", BYTES);
  const seed = await world.serveWith({ deadlineMs: DEADLINE_MS }, world.path("share"));
  const get = ["get", "file.bin", ...from(seed)];
  const slowly = [...get, "--limit", "1MiB", "--json"];

  const killed = world.startWith(arm64, ...slowly);
  await downloaded(killed, STORED);
  assertEquals((await killed.endBy("SIGKILL")).signal, "SIGKILL");
  const interrupted = world.startWith(arm64, ...slowly);
  await downloaded(interrupted, STORED + MIB);
  const ended = await interrupted.endBy("SIGINT");
  assertCode(ended, 130);
  assertMatch(ended.stderr, /^hint: .*same command/m);
  const finished = await world.p2pWith(arm64, ...get);
  assertCode(finished, 0);
  assertMatch(finished.stderr, /resumed/);
  assertEquals(world.got("file.bin"), BYTES);
  assertEquals(world.files(), ["file.bin"]);
}, { ignored });
