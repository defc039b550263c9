/** HTTP on the port of a running seed. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { ServeSettings } from "../../../core/config.ts";
import { parseManifest } from "../../../core/protocol/manifest.ts";
import { patternOf } from "../../support/bytes.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";
import { SeedFixture } from "../support.ts";
import { type HttpReply, readReply, request } from "./support.ts";

const MIB = 1024 * 1024;
/** Digests of smaller files that were just written are not trusted. */
const BIG = patternOf(9 * MIB + 5);

/** Longer than the fields of a ustar header. */
const LONG = `long/${"d".repeat(120)}/${"n".repeat(120)}`;

class HttpFixture implements AsyncDisposable {
  readonly folder = new TempFolder();
  seed!: SeedFixture;

  static async start(options: Partial<ServeSettings> = {}): Promise<HttpFixture> {
    const fixture = new HttpFixture();
    const { folder } = fixture;
    folder.write("hello.txt", "hello\n");
    folder.write("empty", "");
    folder.write("page.html", "<script>1</script>");
    folder.write("big.bin", BIG);
    folder.write("sub/deep/a b.txt", "a");
    folder.write(LONG, "long");
    folder.write("sub/\u00fc.txt", "u");
    for (const name of ["hello.txt", "big.bin", "empty", "sub/\u00fc.txt"]) folder.age(name);
    fixture.seed = await SeedFixture.start(folder.path, options);
    return fixture;
  }

  /** One request on a connection of its own. */
  async ask(text: string): Promise<HttpReply> {
    using client = await this.seed.connect();
    await client.send(text);
    return await readReply(client, text.startsWith("HEAD"));
  }

  async get(target: string, fields: Readonly<Record<string, string>> = {}): Promise<HttpReply> {
    return await this.ask(request(target, fields));
  }

  /** Until it is no longer pending. */
  async manifest(name: string): Promise<string> {
    for (;;) {
      const { status, text } = await this.get(`/${name}?manifest`);
      if (status === 200) return text;
      assertEquals(status, 503);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.seed[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

test("serve() sends a file with its validators and its type", async () => {
  await using fixture = await HttpFixture.start();
  const { status, fields, text } = await fixture.get("/hello.txt");
  assertEquals([status, text], [200, "hello\n"]);
  assertMatch(fields.get("etag")!, /^"[0-9a-f-]+"$/);
  for (
    const [name, value] of [
      ["content-type", "text/plain; charset=utf-8"],
      ["content-length", "6"],
      ["accept-ranges", "bytes"],
      ["x-content-type-options", "nosniff"],
      ["cross-origin-resource-policy", "same-origin"],
      ["cache-control", "no-cache"],
    ] as const
  ) assertEquals(fields.get(name), value);
  assertMatch(fields.get("last-modified")!, / GMT$/);
  assertMatch(fields.get("date")!, / GMT$/);
  assertEquals(fields.has("access-control-allow-origin"), false);
  assertEquals(fields.has("connection"), false);
});

test("serve() sends a page of the folder without the right to run scripts", async () => {
  await using fixture = await HttpFixture.start();
  const { fields } = await fixture.get("/page.html");
  assertMatch(fields.get("content-security-policy")!, /^sandbox; default-src 'none'/);
});

test("serve() sends the same head to HEAD as to GET, without a body", async () => {
  await using fixture = await HttpFixture.start();
  for (
    const target of ["/hello.txt", "/empty", "/big.bin", "/", "/sub", "/none", "/hello.txt?json"]
  ) {
    const [get, head] = [
      await fixture.get(target),
      await fixture.ask(request(target, { Range: "bytes=0-1" }, "HEAD")),
    ];
    const without = ({ fields }: HttpReply) =>
      Object.fromEntries([...fields].filter(([name]) => name !== "date"));
    assertEquals([head.status, without(head)], [get.status, without(get)]);
  }
});

test("serve() sends ranges of a file", async () => {
  await using fixture = await HttpFixture.start();
  for (
    const [range, start, end] of [["0-0", 0, 1], ["1048570-2097160", 1048570, 2097161], [
      "-7",
      BIG.length - 7,
      BIG.length,
    ]] as const
  ) {
    const { status, fields, body } = await fixture.get("/big.bin", { Range: `bytes=${range}` });
    assertEquals(status, 206);
    assertEquals(fields.get("content-range"), `bytes ${start}-${end - 1}/${BIG.length}`);
    assertEquals(body, BIG.slice(start, end));
  }
  const outside = await fixture.get("/big.bin", { Range: `bytes=${BIG.length}-` });
  assertEquals([outside.status, outside.fields.get("content-range")], [
    416,
    `bytes */${BIG.length}`,
  ]);
  const empty = await fixture.get("/empty", { Range: "bytes=0-" });
  assertEquals([empty.status, empty.text], [200, ""]);
});

test("serve() sends several ranges as parts", async () => {
  await using fixture = await HttpFixture.start();
  const { status, fields, body } = await fixture.get("/big.bin", {
    Range: "bytes=0-9,2000000-2100000,-3",
  });
  assertEquals(status, 206);
  assertEquals(fields.has("content-range"), false);
  const boundary = fields.get("content-type")!.match(
    /^multipart\/byteranges; boundary=(\w+)$/,
  )![1]!;
  const wanted = [[0, 10], [2_000_000, 2_100_001], [BIG.length - 3, BIG.length]] as const;
  const parts = wanted.flatMap(([start, end], i) => [
    `${i === 0 ? "" : "\r\n"}--${boundary}\r\nContent-Type: application/octet-stream\r\n` +
    `Content-Range: bytes ${start}-${end - 1}/${BIG.length}\r\n\r\n`,
    BIG.slice(start, end),
  ]);
  const all = new Blob([...parts, `\r\n--${boundary}--\r\n`]);
  assertEquals(body, await all.bytes());
});

test("serve() sends the whole file when more ranges are asked for than 16, or they overlap", async () => {
  await using fixture = await HttpFixture.start();
  const many = Array.from({ length: 1000 }, (_, i) => `${i}-${i}`).join();
  for (const range of [many, "0-,0-", "x"]) {
    const { status, body } = await fixture.get("/hello.txt", { Range: `bytes=${range}` });
    assertEquals([status, body.length], [200, 6]);
  }
});

test("serve() continues a download only with the version that it began with", async () => {
  await using fixture = await HttpFixture.start();
  const { fields } = await fixture.get("/hello.txt");
  const [tag, date] = [fields.get("etag")!, fields.get("last-modified")!];
  const ask = async (more: Record<string, string>) =>
    (await fixture.get("/hello.txt", { Range: "bytes=1-2", ...more })).status;
  assertEquals(await ask({ "If-Range": tag }), 206);
  assertEquals(await ask({ "If-Range": date }), 206);
  assertEquals(await ask({ "If-Range": '"x"' }), 200);
  assertEquals(await ask({ "If-None-Match": tag }), 304);
  assertEquals(await ask({ "If-Modified-Since": date }), 304);
  assertEquals(await ask({ "If-Match": '"x"' }), 412);
  const unchanged = await fixture.get("/hello.txt", { "If-None-Match": tag });
  assertEquals([unchanged.fields.get("etag"), unchanged.fields.has("content-length")], [
    tag,
    false,
  ]);
  fixture.folder.write("hello.txt", "other\n");
  assertEquals(await ask({ "If-Range": tag }), 200);
  assertEquals(await ask({ "If-Match": tag }), 412);
});

test("serve() marks a file that was just written with a weak tag, which continues nothing", async () => {
  await using fixture = await HttpFixture.start();
  fixture.folder.write("new", "new");
  const { fields } = await fixture.get("/new");
  const tag = fields.get("etag")!;
  assertMatch(tag, /^W\/"/);
  const { status } = await fixture.get("/new", { Range: "bytes=1-", "If-Range": tag });
  assertEquals(status, 200);
});

test("serve() sends manifests, and digests once they are known", async () => {
  await using fixture = await HttpFixture.start();
  assertEquals((await fixture.get("/big.bin")).fields.has("repr-digest"), false);
  const { fields } = await fixture.get("/big.bin", { Range: "bytes=0-0" });
  const manifest = parseManifest(await fixture.manifest("big.bin"));
  const base64 = Uint8Array.fromHex(manifest.sha256).toBase64();
  const whole = (await fixture.get("/big.bin")).fields;
  assertEquals(whole.get("repr-digest"), `sha-256=:${base64}:`);
  assertEquals(whole.get("content-digest"), `sha-256=:${base64}:`);
  assertEquals(whole.get("digest"), `SHA-256=${base64}`);
  assertEquals(whole.get("p2p-id"), manifest.id);
  // A download that goes on when hashing has ended is not interrupted.
  assertEquals(whole.get("etag"), fields.get("etag"));
  const piece = await fixture.get("/big.bin", { Range: `bytes=${MIB}-${2 * MIB - 1}` });
  const digest = await crypto.subtle.digest("SHA-256", piece.body as BufferSource);
  assertEquals(
    piece.fields.get("content-digest"),
    `sha-256=:${new Uint8Array(digest).toBase64()}:`,
  );
  assertEquals(piece.fields.get("repr-digest"), `sha-256=:${base64}:`);
  const part = await fixture.get("/big.bin", { Range: "bytes=1-5" });
  assertEquals(part.fields.has("content-digest"), false);
});

test("serve() sends the listing of a folder as JSON lines, with names below it", async () => {
  await using fixture = await HttpFixture.start();
  const root = await fixture.get("/?json");
  assertEquals(root.fields.get("content-type"), "application/x-ndjson");
  const listed = await listedIn(fixture.seed);
  assertEquals(root.text, listed);
  const sub = await fixture.get("/sub/?json");
  assertEquals(sub.text.split("\n").slice(0, -1).map((line) => JSON.parse(line).name), [
    "deep/a b.txt",
    "\u00fc.txt",
  ]);
  const file = await fixture.get("/hello.txt?json");
  const { name, size } = JSON.parse(file.text);
  assertEquals([name, size], ["hello.txt", 6]);
});

async function listedIn(seed: SeedFixture): Promise<string> {
  using client = await seed.session();
  return await client.text("LIST");
}

test("serve() sends a folder to its address with a slash, and only there", async () => {
  await using fixture = await HttpFixture.start();
  const { status, fields } = await fixture.get("/sub/deep");
  assertEquals([status, fields.get("location")], [301, "/sub/deep/"]);
  for (const target of ["/none", "/none/", "/hello.txt/", "/su", "/sub/deep/x"]) {
    assertEquals((await fixture.get(target)).status, 404, target);
  }
});

test("serve() sends the files of a folder as an archive that tar unpacks", async () => {
  await using fixture = await HttpFixture.start();
  using unpacked = new TempFolder();
  for (const [target, prefix] of [["/?tar", ""], ["/sub/?tar", "sub/"]] as const) {
    const { status, fields, body } = await fixture.get(target);
    assertEquals([status, fields.get("content-type")], [200, "application/x-tar"]);
    assertEquals(body.length % 512, 0);
    const into = join(unpacked.path, prefix === "" ? "all" : "some");
    await Deno.mkdir(into);
    const tar = new Deno.Command("tar", { args: ["x", "-C", into], stdin: "piped" }).spawn();
    const writer = tar.stdin.getWriter();
    await writer.write(body);
    await writer.close();
    assertEquals((await tar.status).code, 0);
    const names = [...prefix === "" ? [LONG] : [], "sub/\u00fc.txt", "sub/deep/a b.txt"];
    for (const name of names) {
      const path = join(into, name);
      assertEquals(
        await Deno.readTextFile(path),
        await Deno.readTextFile(join(fixture.folder.path, name)),
      );
    }
    if (prefix === "") assertEquals(await Deno.readFile(join(into, "big.bin")), BIG);
  }
});

test("serve() answers pipelined requests in order, and keeps the connection", async () => {
  await using fixture = await HttpFixture.start();
  using client = await fixture.seed.connect();
  await client.send(
    request("/hello.txt") + request("/none") + request("/hello.txt", {}, "HEAD") +
      request("/sub/?json") + request("/empty"),
  );
  const statuses = [];
  for (const isHead of [false, false, true, false, false]) {
    statuses.push((await readReply(client, isHead)).status);
  }
  assertEquals(statuses, [200, 404, 200, 200, 200]);
  await client.send("\r\n" + request("/hello.txt", { Connection: "close" }));
  const last = await readReply(client);
  assertEquals([last.status, last.fields.get("connection")], [200, "close"]);
  assertEquals(await client.rest(), new Uint8Array());
});

test("serve() closes after a response to HTTP/1.0, or when asked keeps the connection", async () => {
  await using fixture = await HttpFixture.start();
  using client = await fixture.seed.connect();
  await client.send("GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  assertEquals((await readReply(client)).fields.get("connection"), "keep-alive");
  await client.send("GET /?json HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const { fields, text } = await readReply(client);
  // Its length is not known before its end.
  assertEquals([fields.get("connection"), fields.has("transfer-encoding")], ["close", false]);
  assertStringIncludes(text, '"hello.txt"');
});

test("serve() refuses what it cannot read, and closes", async () => {
  await using fixture = await HttpFixture.start();
  for (
    const [text, status] of [
      ["GET / HTTP/1.1\r\n\r\n", 400],
      ["GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400],
      ["GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nHELLO", 400],
      ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nHELLO", 405],
      ["OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 405],
      ["GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400],
      ["GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505],
      [`GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(16_384)}`, 431],
      [`GET /${"y".repeat(16_384)}`, 414],
      [`GET / HTTP/1.1\r\n${"A: b\r\n".repeat(101)}\r\n`, 431],
    ] as const
  ) {
    using client = await fixture.seed.connect();
    await client.send(text);
    const reply = await readReply(client);
    assertEquals(
      [reply.status, reply.fields.get("connection")],
      [status, "close"],
      text.slice(0, 80),
    );
    assertEquals(await client.rest(), new Uint8Array());
  }
});

test("serve() answers a request that ends in its head", async () => {
  await using fixture = await HttpFixture.start();
  using client = await fixture.seed.connect();
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n");
  await client.end();
  assertEquals((await readReply(client)).status, 400);
});

test("serve() serves no file for a path that leads out, however it is written", async () => {
  await using fixture = await HttpFixture.start();
  for (
    const target of [
      "/../hello.txt",
      "/%2e%2e/hello.txt",
      "/sub/..%2fhello.txt",
      "/sub%2f%c3%bc.txt",
      "/sub/%2e%2e/hello.txt",
      "/hello.txt%00",
      "/%c0%ae%c0%ae/hello.txt",
      "/sub\\..\\hello.txt",
      "//hello.txt",
      "/./hello.txt",
      "/.cache",
    ]
  ) {
    const { status } = await fixture.get(target);
    assert(status === 404 || status === 400, `${target}: ${status}`);
  }
  assertEquals((await fixture.get("/sub/%C3%BC.txt")).text, "u");
});

test("serve() refuses a request for another host", async () => {
  await using fixture = await HttpFixture.start({ httpHosts: ["Files.example.org"] });
  const ask = async (host: string) => (await fixture.get("/hello.txt", { Host: host })).status;
  assertEquals(await ask("evil.example:7270"), 421);
  assertEquals(await ask("files.example.org:7270"), 200);
  assertEquals(await ask("localhost:7270"), 200);
  assertEquals(await ask("[::1]:7270"), 200);
  assertEquals(await ask("a b"), 400);
  assertEquals((await fixture.get("http://evil.example/hello.txt")).status, 421);
  assertEquals(
    (await fixture.get("http://127.0.0.1/hello.txt", { Host: "evil.example" })).status,
    200,
  );
});

test("serve() answers no HTTP with a token and without TLS", async () => {
  await using fixture = await HttpFixture.start({ token: "secret" });
  for (const fields of [{}, { Authorization: "Bearer secret" }] as Record<string, string>[]) {
    const { status, text } = await fixture.get("/hello.txt", fields);
    assertEquals(status, 403);
    assertMatch(text, /^[^.]*TLS\n$/);
  }
});

test("serve() answers HTTP as a one-shot request when HTTP is off", async () => {
  await using fixture = await HttpFixture.start({ http: false });
  assertMatch(await fixture.seed.ask(request("/hello.txt")), /^ERROR:BAD_REQUEST /);
});

test("serve() answers old clients about files that are called like HTTP requests", async () => {
  await using fixture = await HttpFixture.start();
  for (const name of ["GET", "GET / HTTP/1.1", "a HTTP/1.1", "HEAD x"]) {
    if (!name.includes("/")) fixture.folder.write(name, "12345");
    const size = name.includes("/") ? /^ERROR:NOT_FOUND/ : /^SIZE:5\n$/;
    assertMatch(await fixture.seed.ask(`FILESIZE ${name}`), size);
    assertMatch(await fixture.seed.ask(`FILESIZE ${name}\n`), size);
    const bytes = name.includes("/") ? "" : "345";
    assertEquals(await fixture.seed.ask(`DOWNLOAD ${name}|2`), bytes);
  }
});

test("serve() counts and logs HTTP like the other protocols", async () => {
  await using fixture = await HttpFixture.start();
  await fixture.get("/hello.txt");
  const sent = await fixture.seed.event("sent");
  assertEquals([sent.name, sent.bytes, sent.client], ["hello.txt", 6, "127.0.0.1"]);
  await fixture.get("/none", { Authorization: "Bearer secret" });
  const refused = await fixture.seed.event("refused");
  assertEquals([refused.request, refused.reason], ["GET /none", "NOT_FOUND no such file"]);
});

test("serve() finishes the response that it sends when it ends, and begins no other", async () => {
  await using fixture = await HttpFixture.start();
  using busy = await fixture.seed.connect();
  using idle = await fixture.seed.connect();
  await idle.send(request("/hello.txt"));
  await readReply(idle);
  await busy.send(request("/big.bin") + request("/hello.txt"));
  await busy.line();
  fixture.seed.stop();
  await fixture.seed.event("draining");
  assertEquals(await idle.rest(), new Uint8Array());
  for (let line = "x"; line !== "";) line = await busy.line();
  assertEquals(await busy.bytes(BIG.length), BIG);
  await fixture.seed.ended;
});

test("serve() answers 503 when it is full", async () => {
  await using fixture = await HttpFixture.start({ maxConnections: 1, clientConnections: 1 });
  using first = await fixture.seed.session();
  const reply = await fixture.get("/hello.txt");
  assertEquals([reply.status, reply.fields.get("retry-after")], [503, "1"]);
  assertEquals(await first.ask("PING"), "OK 0");
});

test("serve() closes the connection when the file changes while it is sent", async () => {
  await using fixture = await HttpFixture.start();
  fixture.folder.write("large", patternOf(64 * MIB));
  using client = await fixture.seed.connect();
  await client.send(request("/large"));
  await client.line();
  fixture.folder.write("large", "short");
  assert((await client.rest()).length < 64 * MIB);
});

test("serve() waits for a head that arrives in parts", async () => {
  await using fixture = await HttpFixture.start();
  using client = await fixture.seed.connect();
  for (const part of request("/hello.txt")) await client.send(part);
  assertEquals((await readReply(client)).text, "hello\n");
});

test("serve() shows each client the host that it asked for, also from a page that was made before", async () => {
  await using fixture = await HttpFixture.start();
  for (const host of ["127.0.0.1:1", "[::1]:2", "localhost", "127.0.0.1:1"]) {
    const { text } = await fixture.get("/", { Host: host });
    const link = `http://${host}/hello.txt`;
    const word = host.startsWith("[") ? `&#39;${link}&#39;` : link;
    assertStringIncludes(text, `value="${link}"`);
    assertStringIncludes(text, `value="p2p get ${word}"`);
    assertStringIncludes(text, `<h1>${host}</h1>`);
  }
  const { text } = await fixture.ask("GET / HTTP/1.0\r\n\r\n");
  assertStringIncludes(text, 'href="./hello.txt"');
});
