import { assertEquals, assertMatch } from "@std/assert";
import { SeedFixture } from "../support.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";
import { NAME_WITH_BAR } from "../../support/platform.ts";

function files(): TempFolder {
  const folder = new TempFolder();
  folder.write("hello.txt", "hello\n");
  folder.write(`sub/${NAME_WITH_BAR}`, "0123456789");
  folder.write("empty", "");
  return folder;
}

const cases: { request: string; reply: string }[] = [
  { request: "LIST", reply: `empty\nhello.txt\nsub/${NAME_WITH_BAR}\n` },
  { request: "FILESIZE hello.txt", reply: "SIZE:6\n" },
  { request: "FILESIZE empty", reply: "SIZE:0\n" },
  { request: "FILESIZE none", reply: "ERROR:NOT_FOUND no such file\n" },
  { request: "FILESIZE ../x", reply: "ERROR:NOT_FOUND no such file\n" },
  { request: "DOWNLOAD hello.txt|0", reply: "hello\n" },
  { request: "DOWNLOAD hello.txt|4", reply: "o\n" },
  { request: "DOWNLOAD hello.txt|6", reply: "" },
  { request: "DOWNLOAD hello.txt|7", reply: "" },
  { request: "DOWNLOAD hello.txt|99999999999999999999", reply: "" },
  { request: `DOWNLOAD sub/${NAME_WITH_BAR}|7`, reply: "789" },
  { request: "DOWNLOAD empty|0", reply: "" },
  { request: "DOWNLOAD none|0", reply: "" },
  { request: "DOWNLOAD hello.txt", reply: "" },
  { request: "DOWNLOAD hello.txt|-1", reply: "" },
  { request: "DOWNLOAD", reply: "" },
];

const endings = [
  { name: "at LF", tail: "\n", end: false },
  { name: "at CR LF", tail: "\r\n", end: false },
  { name: "at the end of the stream", tail: "", end: true },
];

for (const { request, reply } of cases) {
  for (const { name, tail, end } of endings) {
    test(`serve() answers one-shot "${request}" when the request ends ${name}`, async () => {
      using folder = files();
      await using seed = await SeedFixture.start(folder.path);
      using client = await seed.connect();
      await client.send(request + tail);
      if (end) await client.end();
      assertEquals(new TextDecoder().decode(await client.rest()), reply);
    });
  }
}

test("serve() answers a one-shot request when 200 ms pass without a further byte", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.connect();
  await client.send("FILESIZE hello.txt");
  assertEquals(await client.line(), "SIZE:6");
  assertEquals(await client.rest(), new Uint8Array());
});

test("serve() sends at most a chunk when a one-shot client downloads", async () => {
  using folder = files();
  folder.write("long", "0123456789".repeat(10));
  await using seed = await SeedFixture.start(folder.path, { chunkBytes: 32 });
  assertEquals(await seed.ask("DOWNLOAD long|0"), "01234567890123456789012345678901");
  assertEquals(await seed.ask("DOWNLOAD long|96"), "6789");
});

test("serve() answers BAD_REQUEST when the first line is no request", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  for (const line of ["GET\n", "SIZE / HTTP\n", "HELLO 3\n", "HELLO 2 \n", "list\n"]) {
    assertMatch(await seed.ask(line), /^ERROR:BAD_REQUEST .*\n$/);
  }
});

test("serve() closes without a reply when the first line is not text", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.connect();
  await client.send(new Uint8Array([0x16, 0x03, 0x01, 0xff, 0xfe, 10]));
  assertEquals(await client.rest(), new Uint8Array());
});

test("serve() refuses one-shot requests when a token is set", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path, { token: "secret" });
  assertMatch(await seed.ask("LIST"), /^ERROR:AUTH .*\n$/);
  assertMatch(await seed.ask("FILESIZE hello.txt"), /^ERROR:AUTH .*\n$/);
  assertEquals(await seed.ask("DOWNLOAD hello.txt|0"), "");
});

test("serve() reports one transfer when a one-shot client downloads a file in chunks", async () => {
  using folder = files();
  await using seed = await SeedFixture.start(folder.path, { chunkBytes: 4 });
  await seed.ask("DOWNLOAD hello.txt|0");
  await seed.ask("DOWNLOAD hello.txt|4");
  const sent = await seed.event("sent");
  assertEquals([sent.name, sent.size, sent.bytes], ["hello.txt", 6, 6]);
  assertEquals(seed.events.filter(({ kind }) => kind === "sent").length, 1);
});
