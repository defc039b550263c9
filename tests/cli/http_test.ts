/** Other programs download from the compiled seed: curl, wget, aria2 and tar, each where it is installed. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import {
  assertCode,
  type CliFixture,
  from,
  noise,
  ON_UNIX,
  test,
  type TestOptions,
} from "./harness.ts";

const MIB = 1_048_576;
const BIG = noise(20 * MIB + 7);

async function run(
  world: CliFixture,
  program: string,
  ...args: string[]
): Promise<{ readonly code: number; readonly stdout: Uint8Array; readonly text: string }> {
  const { code, stdout } = await new Deno.Command(program, {
    args,
    cwd: world.path("."),
    stdin: "null",
    stderr: "null",
  }).output();
  return { code, stdout, text: new TextDecoder().decode(stdout) };
}

/** Ignored where the program is missing. */
function needs(program: string): TestOptions {
  if (ON_UNIX.ignored !== undefined) return ON_UNIX;
  try {
    new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    return {};
  } catch {
    return { ignored: `${program} is not installed` };
  }
}

test("curl downloads from p2p serve, resumes and takes ranges", async (world) => {
  world.write("share/sub/a b.bin", BIG);
  const seed = await world.serve(world.path("share"));
  const url = `http://${seed.address}/sub/a%20b.bin`;
  world.write("part.bin", BIG.subarray(0, 5 * MIB + 3));
  assertEquals((await run(world, "curl", "-sf", "-C", "-", "-o", "part.bin", url)).code, 0);
  assertEquals(Deno.readFileSync(world.path("part.bin")), BIG);
  assertEquals(
    (await run(world, "curl", "-sf", "-r", "1000-1999", url)).stdout,
    BIG.slice(1000, 2000),
  );
  assertEquals((await run(world, "curl", "-sf", "--http2", url)).stdout, BIG);
  // Two requests over one connection.
  const twice = await run(world, "curl", "-sf", "-w", "%{num_connects}\n", "-I", url, "-I", url);
  assertMatch(twice.text, /\n1\n[^]*\n0\n$/);
  const hidden = ["-s", "-o", "/dev/null", "-w", "%{http_code}"];
  const leading = `http://${seed.address}/../../etc/passwd`;
  assertEquals((await run(world, "curl", ...hidden, "--path-as-is", leading)).text, "404");
  assertEquals((await run(world, "curl", ...hidden, "-H", "Host: a.example", url)).text, "421");
}, needs("curl"));

test("curl sends the token of p2p serve inside TLS alone", async (world) => {
  const pem = (name: string) => fromFileUrl(new URL(`../support/tls/${name}.pem`, import.meta.url));
  world.write("share/a.txt", "content\n");
  const token = world.write("token", "correct horse\n");
  const tls = ["--tls-cert", pem("seed"), "--tls-key", pem("seed-key")];
  const seed = await world.serve(world.path("share"), "--token-file", token, ...tls);
  const url = `https://${seed.address}/a.txt`;
  const ask = async (...args: string[]) =>
    (await run(world, "curl", "-s", "-w", "%{http_code}", "--cacert", pem("ca"), ...args, url))
      .text;
  assertStringIncludes(await ask(), "token\n401");
  assertStringIncludes(await ask("-u", "any:wrong"), "401");
  assertEquals(await ask("-u", "any:correct horse"), "content\n200");
  const open = await world.serve(world.path("share"), "--token-file", token);
  const plain = `http://${open.address}/a.txt`;
  const { text } = await run(
    world,
    "curl",
    "-s",
    "-w",
    "%{http_code}",
    "-u",
    "x:correct horse",
    plain,
  );
  assertMatch(text, /TLS\n403$/);
}, needs("curl"));

test("wget -c continues a download from p2p serve", async (world) => {
  world.write("share/big.bin", BIG);
  const seed = await world.serve(world.path("share"));
  world.write("big.bin", BIG.subarray(0, 3 * MIB));
  const args = ["-q", "-c", `http://${seed.address}/big.bin`];
  assertEquals((await run(world, "wget", ...args)).code, 0);
  assertEquals(Deno.readFileSync(world.path("big.bin")), BIG);
  assertEquals((await run(world, "wget", ...args)).code, 0);
}, needs("wget"));

test(
  "aria2c downloads from p2p serve over 16 connections, and verifies the digest",
  async (world) => {
    world.write("share/big.bin", BIG);
    const seed = await world.serve(world.path("share"));
    // The digest is known once the file was hashed.
    assertCode(await world.p2p("link", "big.bin", ...from(seed)), 0);
    const args = ["--no-conf", "-q", "-x16", "-s16", "-k1M", "--log=log", "--log-level=notice"];
    const { code } = await run(world, "aria2c", ...args, `http://${seed.address}/big.bin`);
    assertEquals(code, 0);
    assertEquals(Deno.readFileSync(world.path("big.bin")), BIG);
    assertMatch(Deno.readTextFileSync(world.path("log")), /Verification finished successfully/);
  },
  needs("aria2c"),
);

test("p2p link names a file that a browser and p2p get load", async (world) => {
  world.write("share/a b.txt", "content\n");
  const seed = await world.serve(world.path("share"));
  const { stdout } = await world.p2p("link", "a b.txt", ...from(seed));
  assertMatch(stdout, /^http:\/\/127\.0\.0\.1:\d+\/a%20b\.txt#id=[0-9a-f]{32}\n$/);
  const got = await world.p2p("get", stdout.trim());
  assertCode(got, 0);
  assertEquals(Deno.readTextFileSync(got.stdout.trim()), "content\n");
  assertEquals(await (await fetch(stdout.trim())).text(), "content\n");
  const drawn = (await world.p2p("link", "a b.txt", "--qr", ...from(seed))).stdout.split("\n");
  assertEquals([drawn[0], drawn[1]![0]], [stdout.trim(), "█"]);
  assertCode(await world.p2p("link", "none", ...from(seed)), 3);
  assertCode(await world.p2p("link", "a", ...from({ address: "127.0.0.1:1" })), 4);
  const line = await seed.process.stderr.line(/#id=/);
  assertEquals(line.trim(), stdout.trim());
});

test("p2p serve --http off answers no browser", async (world) => {
  world.write("share/a.txt", "content\n");
  const seed = await world.serve(world.path("share"), "--http", "off");
  using client = await Deno.connect({
    hostname: "127.0.0.1",
    port: Number(seed.address.split(":")[1]),
  });
  await client.write(new TextEncoder().encode("GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  const reply = new Uint8Array(100);
  const count = await client.read(reply);
  assertMatch(new TextDecoder().decode(reply.subarray(0, count ?? 0)), /^ERROR:BAD_REQUEST /);
});
