/** TLS between the compiled programs. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { assertCode, type CliFixture, type Seed, test } from "./harness.ts";

function pem(name: string): string {
  return fromFileUrl(new URL(`../support/tls/${name}.pem`, import.meta.url));
}

async function serveTls(world: CliFixture, certificate: string): Promise<Seed> {
  world.write("share/a.txt", "content\n");
  const flags = ["--tls-cert", pem(certificate), "--tls-key", pem(`${certificate}-key`)];
  return await world.serve(world.path("share"), ...flags);
}

test("p2p get and list trust a seed behind TLS whose authority they are given", async (world) => {
  const { address } = await serveTls(world, "seed");
  const from = ["--seed", `tls://${address}`, "--tls-ca", pem("ca")];
  assertCode(await world.p2p("get", "a.txt", ...from), 0);
  assertEquals(new TextDecoder().decode(world.got("a.txt")), "content\n");
  const listed = await world.p2p("list", "--json", ...from);
  assertEquals(JSON.parse(listed.stdout).files.length, 1);
  const named = ["--seed", `tls://localhost:${address.split(":")[1]}`, "--tls-ca", pem("ca")];
  assertCode(await world.p2p("list", ...named), 0);
});

test("p2p serve says below its line to download that the authority must be named", async (world) => {
  const seed = await serveTls(world, "seed");
  const line = await seed.process.stderr.line(/^download with: /);
  assertEquals(line, `download with: p2p get a.txt --seed tls://${seed.address}`);
  assertStringIncludes(await seed.process.stderr.line(/^\(/), "--tls-ca");
});

test("p2p get asks a seed behind TLS for its token, too", async (world) => {
  world.write("share/a.txt", "content\n");
  const token = world.write("token", "correct horse\n");
  const seed = await world.serve(
    world.path("share"),
    ...["--tls-cert", pem("seed"), "--tls-key", pem("seed-key"), "--token-file", token],
  );
  const from = ["--seed", `tls://${seed.address}`, "--tls-ca", pem("ca")];
  assertCode(await world.p2p("get", "a.txt", ...from), 4);
  assertCode(await world.p2p("get", "a.txt", "--token-file", token, ...from), 0);
});

const refused = [
  { what: "nobody is trusted for it", certificate: "seed", ca: undefined, says: /--tls-ca/ },
  { what: "another authority is trusted", certificate: "seed", ca: "other-ca", says: /--tls-ca/ },
  {
    what: "it is for another name",
    certificate: "elsewhere",
    ca: "elsewhere",
    says: /its certificate is for elsewhere/,
  },
  {
    what: "it is an authority's own",
    certificate: "authority-as-seed",
    ca: "authority-as-seed",
    says: /CA:FALSE/,
  },
];

for (const { what, certificate, ca, says } of refused) {
  test(`p2p get and list do not take a certificate when ${what}`, async (world) => {
    const { address } = await serveTls(world, certificate);
    const from = ["--seed", `tls://${address}`, ...ca ? ["--tls-ca", pem(ca)] : []];
    for (const words of [["list"], ["get", "a.txt", "--give-up", "1s"]]) {
      const ended = await world.p2p(...words, ...from);
      assertCode(ended, 4);
      assertMatch(ended.stderr, says);
    }
    assertEquals(world.files(), []);
  });
}

test("p2p list says to write tls:// when a seed behind TLS is asked without", async (world) => {
  const { address } = await serveTls(world, "seed");
  const ended = await world.p2p("list", "--seed", address);
  assertCode(ended, 4);
  assertMatch(ended.stderr, /^p2p: .*speaks TLS\nhint: .*tls:\/\//m);
});

test("p2p list says to leave tls:// when a seed without TLS is asked with it", async (world) => {
  world.write("share/a.txt", "content\n");
  const { address } = await world.serve(world.path("share"));
  const ended = await world.p2p("list", "--seed", `tls://${address}`);
  assertCode(ended, 4);
  assertMatch(ended.stderr, /^p2p: .*does not speak TLS/m);
});

test("p2p serve goes on when a client does not manage its handshake", async (world) => {
  const { address } = await serveTls(world, "seed");
  const [hostname, port] = address.split(":") as [string, string];
  for (const words of ["HELLO 2\n", "\x16\x03\x01", ""]) {
    using conn = await Deno.connect({ hostname, port: Number(port) });
    await conn.write(new TextEncoder().encode(words));
  }
  const from = ["--seed", `tls://${address}`, "--tls-ca", pem("ca")];
  assertCode(await world.p2p("list", ...from), 0);
});

const wrongFiles = [
  { flag: "--tls-cert", cert: "garbage", key: "seed-key", says: /CERTIFICATE/ },
  { flag: "--tls-key", cert: "seed", key: "garbage", says: /PRIVATE KEY/ },
  { flag: "--tls-cert", cert: "none", key: "seed-key", says: /none/ },
];

for (const { flag, cert, key, says } of wrongFiles) {
  test(`p2p serve exits 2 and names the file when ${flag} is of no use: ${cert}, ${key}`, async (world) => {
    Deno.mkdirSync(world.path("share"));
    world.write("garbage", "garbage\n");
    const place = (name: string) => name.startsWith("seed") ? pem(name) : world.path(name);
    const flags = ["--tls-cert", place(cert), "--tls-key", place(key), "--port", "0"];
    const ended = await world.p2p("serve", world.path("share"), ...flags);
    assertCode(ended, 2);
    assertMatch(ended.stderr, says);
    assertStringIncludes(ended.stderr, flag);
    assertStringIncludes(ended.stderr, place(flag === "--tls-cert" ? cert : key));
  });
}

test("p2p serve exits 2 when the key is another certificate's", async (world) => {
  Deno.mkdirSync(world.path("share"));
  const flags = ["--tls-cert", pem("seed"), "--tls-key", pem("elsewhere-key"), "--port", "0"];
  const ended = await world.p2p("serve", world.path("share"), ...flags);
  assertCode(ended, 2);
  assertMatch(ended.stderr, /^p2p: Cannot serve TLS: the key is not the certificate's own$/m);
  assertMatch(ended.stderr, /^hint: .*--tls-cert and --tls-key/m);
});

test("p2p list exits 2 and names the file when --tls-ca holds no certificate", async (world) => {
  const file = world.write("garbage", "garbage\n");
  const ended = await world.p2p("list", "--seed", "tls://127.0.0.1:1", "--tls-ca", file);
  assertCode(ended, 2);
  assertStringIncludes(ended.stderr, `--tls-ca, ${file}`);
});
