import { assertEquals, assertMatch } from "@std/assert";
import { dirname, join } from "@std/path";
import { authResponse } from "../../../core/protocol/greeting.ts";
import { SeedFixture } from "../support.ts";
import type { RawClient } from "../../support/raw_client.ts";
import { bytesOf, patternOf } from "../../support/bytes.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";
import { NAME_WITH_BAR } from "../../support/platform.ts";

function files(): TempFolder {
  const folder = new TempFolder();
  folder.write("hello.txt", "hello\n");
  folder.write(NAME_WITH_BAR, "x".repeat(200));
  folder.write("empty", "");
  folder.write("zeros.bin", new Uint8Array(1_048_577));
  return folder;
}

test("Session greets as the protocol specifies", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.connect();
  await client.send("HELLO 2\n");
  assertMatch(
    await client.line(),
    /^HELLO 2 agent=p2p\/1 nonce=[0-9a-f]{32} auth=none max-length=1048576 max-inflight=64 features=read,fetch,swarm$/,
  );
});

const cases: { request: string; reply: RegExp }[] = [
  { request: "PING", reply: /^OK 0$/ },
  { request: "AUTH 00", reply: /^OK 0$/ },
  { request: "FILESIZE hello.txt", reply: /^SIZE:6$/ },
  { request: "FILESIZE empty", reply: /^SIZE:0$/ },
  { request: "FILESIZE none", reply: /^ERROR:NOT_FOUND / },
  { request: "FILESIZE", reply: /^ERROR:BAD_REQUEST / },
  { request: "MANIFEST none", reply: /^ERROR:NOT_FOUND / },
  { request: "MANIFEST ../hello.txt", reply: /^ERROR:NOT_FOUND / },
  { request: "FETCH none|1", reply: /^ERROR:NOT_FOUND / },
  { request: "FETCH ../hello.txt|1", reply: /^ERROR:NOT_FOUND / },
  { request: "FETCH hello.txt", reply: /^ERROR:BAD_REQUEST / },
  { request: "FETCH hello.txt|-1", reply: /^ERROR:BAD_REQUEST / },
  { request: "FETCH hello.txt|1|1", reply: /^ERROR:NOT_FOUND / },
  { request: "DOWNLOAD none|0|1", reply: /^ERROR:NOT_FOUND / },
  { request: "DOWNLOAD hello.txt|0", reply: /^ERROR:NOT_FOUND |^ERROR:BAD_REQUEST / },
  { request: "DOWNLOAD hello.txt|0|0", reply: /^ERROR:RANGE / },
  { request: "DOWNLOAD hello.txt|0|7", reply: /^ERROR:RANGE / },
  { request: "DOWNLOAD hello.txt|6|1", reply: /^ERROR:RANGE / },
  { request: "DOWNLOAD empty|0|1", reply: /^ERROR:RANGE / },
  { request: "DOWNLOAD zeros.bin|0|1048577", reply: /^ERROR:RANGE / },
  { request: "DOWNLOAD hello.txt|99999999999999999999|1", reply: /^ERROR:RANGE / },
  { request: "DOWNLOAD hello.txt|0|99999999999999999999", reply: /^ERROR:RANGE / },
  { request: "DOWNLOAD hello.txt|-1|1", reply: /^ERROR:BAD_REQUEST / },
  { request: "DOWNLOAD hello.txt|01|1", reply: /^ERROR:BAD_REQUEST / },
  { request: `READ ${"0".repeat(64)}|0|1`, reply: /^ERROR:NOT_FOUND / },
  { request: "READ hello.txt|0|1", reply: /^ERROR:BAD_REQUEST / },
  { request: "HELLO 2", reply: /^ERROR:BAD_REQUEST / },
  { request: "", reply: /^ERROR:BAD_REQUEST / },
  { request: "ping", reply: /^ERROR:BAD_REQUEST / },
];

for (const { request, reply } of cases) {
  test(`Session answers "${request}" and goes on`, async () => {
    using folder = files();
    await using seed = await SeedFixture.start(folder.path);
    using client = await seed.session();
    assertMatch(await client.ask(request), reply);
    assertEquals(await client.ask("PING"), "OK 0");
  });
}

test("Session goes on when a line is not UTF-8", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  await client.send(new Uint8Array([0xff, 10]));
  assertMatch(await client.line(), /^ERROR:BAD_REQUEST /);
  assertEquals(await client.ask("PING"), "OK 0");
});

test("Session closes when a line is too long", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  await client.send(`PING\nFILESIZE ${"x".repeat(5000)}`);
  assertEquals(await client.line(), "OK 0");
  assertMatch(await client.line(), /^ERROR:TOO_LONG /);
  assertEquals(await client.rest(), new Uint8Array());
});

test("Session accepts a line of 4,096 bytes", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  assertMatch(await client.ask("x".repeat(4096)), /^ERROR:BAD_REQUEST /);
  assertMatch(await client.ask("x".repeat(4097)), /^ERROR:TOO_LONG /);
});

test("Session closes after BYE, and answers nothing behind it", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  await client.send("PING\nBYE\nPING\n");
  assertEquals(await client.rest(), bytesOf("OK 0\nOK 0\n"));
});

test("Session answers all requests when the client ends its direction", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  await client.send("FILESIZE hello.txt\nDOWNLOAD hello.txt|0|6\nPING");
  await client.end();
  assertEquals(await client.rest(), bytesOf("SIZE:6\nOK 6\nhello\n"));
});

test("Session sends exactly the range that was asked for", async () => {
  using folder = files();
  const content = patternOf(1_500_000);
  folder.write("file", content);
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  const ranges = [[0, 1], [0, 1_048_576], [1_499_999, 1], [262_143, 2], [7, 600_000]];
  for (const [start, length] of ranges as [number, number][]) {
    const body = await client.body(`DOWNLOAD file|${start}|${length}`);
    assertEquals(body, content.slice(start, start + length));
  }
});

/** Of `hello\n`, as the protocol's test vectors say. */
const HELLO_ID = "3e43403d73f45ea23adb8bdd94a93e0a20e6d2e7d24a01c3d55b3b4e186d1a5b";

test("Session answers READ once the content's manifest was requested", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  assertMatch(await client.ask(`READ ${HELLO_ID}|1|4`), /^ERROR:NOT_FOUND /);
  await client.text("MANIFEST hello.txt");
  assertEquals(await client.body(`READ ${HELLO_ID}|1|4`), bytesOf("ello"));
  assertMatch(await client.ask(`READ ${HELLO_ID}|0|7`), /^ERROR:RANGE /);
  // Other connections need not ask for the manifest again.
  using other = await seed.session();
  assertEquals(await other.body(`READ ${HELLO_ID}|0|6`), bytesOf("hello\n"));
});

test("Session answers READ with NOT_FOUND when the file has other bytes now", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  await client.text("MANIFEST hello.txt");
  folder.write("hello.txt", "other bytes\n");
  assertMatch(await client.ask(`READ ${HELLO_ID}|0|6`), /^ERROR:NOT_FOUND /);
});

test("Session splits the numbers off a name with a bar from the right", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  assertEquals((await client.body(`DOWNLOAD ${NAME_WITH_BAR}|7|100`)).length, 100);
});

test("Session answers in the order of the requests when many are in flight", async () => {
  using folder = files();
  const content = patternOf(3_000_000);
  folder.write("file", content);
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  const starts = Array.from({ length: 64 }, (_, i) => (i * 99_991) % 1_900_000);
  const lines = starts.map((start) => `DOWNLOAD file|${start}|1000000\nPING\n`);
  const sending = client.send(lines.join(""));
  for (const start of starts) {
    assertEquals(await client.line(), "OK 1000000");
    const body = await client.bytes(1_000_000);
    assertEquals(body[0], content[start]);
    assertEquals(body.at(-1), content[start + 999_999]);
    assertEquals(await client.line(), "OK 0");
  }
  await sending;
});

test("Session answers every request when they come byte by byte", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  for (const byte of bytesOf("FILESIZE hello.txt\r\nPING\n")) {
    await client.send(new Uint8Array([byte]));
  }
  assertEquals(await client.line(), "SIZE:6");
  assertEquals(await client.line(), "OK 0");
});

const manifests = [
  `{"name": "empty", "size": 0, "pieceSize": 1048576, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "id": "222a64f1ca13becc9e04b425440b6269d63b53d7e4071767c25f1279b9fcb236", "pieces": ""}`,
  `{"name": "hello.txt", "size": 6, "pieceSize": 1048576, "sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03", "id": "3e43403d73f45ea23adb8bdd94a93e0a20e6d2e7d24a01c3d55b3b4e186d1a5b", "pieces": "WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM="}`,
  `{"name": "zeros.bin", "size": 1048577, "pieceSize": 1048576, "sha256": "2cb74edba754a81d121c9db6833704a8e7d417e5b13d1a19f4a52f007d644264", "id": "06a9781d866c31ec3d8758739399d335121b22cae3ebfd2a125cd6981752ccc0", "pieces": "MOFJVevxNSJm3C/4Bn5oEEYH51CrudOzZYK4r5Cfy1huNAuc/7N6mJylROa7eAoseJAdP7M3OHaFEaMGF6+gHQ=="}`,
];

for (const text of manifests) {
  const want = JSON.parse(text);
  test(`Session sends the protocol's manifest of ${want.name}`, async () => {
    using folder = files();
    await using seed = await SeedFixture.start(folder.path);
    using client = await seed.session();
    assertEquals(JSON.parse(await client.text(`MANIFEST ${want.name}`)), want);
  });
}

/** What FETCH sends of a file: the manifest's name, and the bytes behind it. */
async function fetched(client: RawClient, name: string, maxBytes: number) {
  const line = await client.ask(`FETCH ${name}|${maxBytes}`);
  const [, length, manifestBytes] = line.match(/^OK (\d+) manifest=(\d+)$/)!;
  const body = await client.bytes(Number(length));
  const manifest = body.subarray(0, Number(manifestBytes));
  assertEquals(manifest, await client.body(`MANIFEST ${name}`));
  return body.slice(manifest.length);
}

for (const size of [1, 16 * 1024, 16 * 1024 + 1, 300_000, 1_048_576]) {
  test(`Session sends a file of ${size} bytes behind its manifest`, async () => {
    using folder = files();
    folder.write("file", patternOf(size));
    await using seed = await SeedFixture.start(folder.path);
    using client = await seed.session();
    assertEquals(await fetched(client, "file", size), patternOf(size));
    assertEquals(await fetched(client, "file", 2 ** 53 - 1), patternOf(size));
    assertEquals(await fetched(client, "file", size - 1), new Uint8Array());
    assertEquals(await client.ask("PING"), "OK 0");
  });
}

test("Session sends only the manifest of an empty file, and of one with several pieces", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  assertEquals(await fetched(client, "empty", 100), new Uint8Array());
  await client.body("MANIFEST zeros.bin");
  assertEquals(await fetched(client, "zeros.bin", 9_999_999), new Uint8Array());
});

test("Session sends a small file behind a manifest with a long name", async () => {
  using folder = files();
  const name = ["é".repeat(100), "é".repeat(100), "é".repeat(100), "|ä".repeat(60)].join("/");
  Deno.mkdirSync(join(folder.path, dirname(name)), { recursive: true });
  folder.write(name, "small");
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  assertEquals(await fetched(client, name, 5), bytesOf("small"));
  assertEquals(await client.ask("PING"), "OK 0");
});

test("Session lists names greater than the one given", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  const names = (text: string) =>
    text.split("\n").slice(0, -1).map((line) => JSON.parse(line).name);
  assertEquals(names(await client.text("LIST")), [
    NAME_WITH_BAR,
    "empty",
    "hello.txt",
    "zeros.bin",
  ]);
  assertEquals(names(await client.text("LIST empty")), ["hello.txt", "zeros.bin"]);
  assertEquals(names(await client.text("LIST zzz")), []);
});

test("Session lists size and time of a file", async () => {
  using folder = files();
  folder.age("hello.txt");
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  const lines = (await client.text("LIST empty")).split("\n");
  assertEquals(JSON.parse(lines[0]!), {
    name: "hello.txt",
    size: 6,
    modified: 1_000_000_000_000,
  });
});

const TOKEN = "correct horse";
const NONCE = /nonce=([0-9a-f]{32}) auth=token/;

test("Session serves a client that proves the token", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path, { token: TOKEN });
  using client = await seed.connect();
  await client.send("HELLO 2\n");
  const nonce = (await client.line()).match(NONCE)![1]!;
  assertEquals(await client.ask(`AUTH ${authResponse(nonce, TOKEN)}`), "OK 0");
  assertEquals(await client.ask("FILESIZE hello.txt"), "SIZE:6");
});

const strangers = [
  "LIST",
  "PING",
  "FILESIZE hello.txt",
  "MANIFEST hello.txt",
  "FETCH hello.txt|6",
  "DOWNLOAD hello.txt|0|1",
  "nonsense",
  `AUTH ${"0".repeat(64)}`,
  "AUTH x",
];

for (const request of strangers) {
  test(`Session refuses "${request}" and closes when the token is not proven`, async () => {
    using folder = files();
    await using seed = await SeedFixture.start(folder.path, { token: TOKEN });
    using client = await seed.connect();
    await client.send("HELLO 2\n");
    assertMatch(await client.line(), NONCE);
    await client.send(`${request}\nPING\n`);
    assertMatch(await client.line(), /^ERROR:AUTH /);
    assertEquals(await client.rest(), new Uint8Array());
  });
}

test("Session refuses the answer to another connection's nonce", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path, { token: TOKEN });
  using first = await seed.connect();
  await first.send("HELLO 2\n");
  const proof = authResponse((await first.line()).match(NONCE)![1]!, TOKEN);
  using second = await seed.connect();
  await second.send("HELLO 2\n");
  assertMatch(await second.line(), NONCE);
  assertMatch(await second.ask(`AUTH ${proof}`), /^ERROR:AUTH /);
});

test("Session reports one transfer when a file is downloaded in ranges", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  await client.body("DOWNLOAD hello.txt|0|3");
  await client.body("DOWNLOAD hello.txt|3|3");
  const sent = await seed.event("sent");
  assertEquals([sent.name, sent.size, sent.bytes], ["hello.txt", 6, 6]);
});

test("Session reports a transfer when the client leaves in the middle", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  await client.body("DOWNLOAD hello.txt|0|3");
  client.close();
  const sent = await seed.event("sent");
  assertEquals([sent.name, sent.size, sent.bytes], ["hello.txt", 6, 3]);
});

test("Session reports refused requests and reasons, but no answer to a nonce", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path, { token: "secret" });
  using client = await seed.session();
  await client.ask("FILESIZE hello.txt");
  using other = await seed.session();
  await other.ask(`AUTH ${"0".repeat(64)}`);
  await seed.event("refused", 1);
  const reported = seed.events.flatMap((event) =>
    event.kind === "refused" ? [[event.client, event.request, event.reason]] : []
  );
  assertEquals(reported, [
    ["127.0.0.1", "FILESIZE hello.txt", "AUTH this seed wants a token"],
    ["127.0.0.1", "AUTH", "AUTH this seed wants a token"],
  ]);
  assertEquals(
    await seed.ask(`FILESIZE ${"x".repeat(3000)}`),
    "ERROR:AUTH this seed wants a token\n",
  );
  const { request } = await seed.event("refused", 2);
  assertEquals(request?.length, 201);
});
