import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  AuthError,
  BusyError,
  ChangedError,
  NotFoundError,
  P2pError,
  ProtocolError,
  TimeoutError,
  UnreachableError,
} from "../../core/base/errors.ts";
import { Semaphore } from "../../core/base/semaphore.ts";
import { encodeManifest, makeManifest } from "../../core/protocol/manifest.ts";
import { sha256 } from "../../core/base/digest.ts";
import { type HttpClient, httpClients } from "../../core/source/http_client.ts";
import type { ReadOptions } from "../../core/source/source.ts";
import { WebSource, type WebSourceOptions } from "../../core/source/web_source.ts";
import { byteResponse } from "../support/byte_response.ts";
import { patternOf } from "../support/bytes.ts";
import {
  type FaultHandler,
  type FaultRequest,
  FaultServer,
  fileReply,
  filesHandler,
} from "../support/fault_server.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { test } from "../support/test.ts";
import { noAbort } from "./support.ts";

const FILE = patternOf(5000);
const OTHER = patternOf(5000, 2);
const MANIFEST = makeManifest(FILE.length, sha256(FILE).toHex(), sha256(FILE));
const SIDECAR = new TextEncoder().encode(encodeManifest("a", MANIFEST));
const JSON_TYPE = { "Content-Type": "application/json" };
const BASE = "http://public.test/files/";

/** A web source before a server that follows a script. */
class Fixture implements AsyncDisposable {
  readonly clock = new ManualClock(1_000_000);
  readonly source: WebSource;
  readonly http: HttpClient;
  readonly slots = new Semaphore(8);
  readonly received: number[] = [];

  constructor(url: string, options: Partial<WebSourceOptions> = {}) {
    this.http = options.http ?? httpClients()({ connections: 4 });
    this.source = new WebSource({ url }, {
      clock: this.clock,
      connections: 4,
      slots: this.slots,
      stallMs: 5000,
      connectMs: 5000,
      ...options,
      http: this.http,
    });
  }

  async read(
    start: number,
    end: number,
    options: Partial<ReadOptions> & { id?: string | null; version?: string; name?: string } = {},
    signal = noAbort,
  ): Promise<Uint8Array> {
    const { id = null, version, name = "a", ...more } = options;
    const into = new Uint8Array(end - start);
    const onBytes = (count: number) => void this.received.push(count);
    await this.source.read(
      { name, id, size: FILE.length, version },
      { start, end },
      into,
      { onBytes, rateLimit: undefined, ...more },
      signal,
    );
    return into;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
    this.http[Symbol.dispose]();
    assertEquals(this.slots.available, 8, "every connection was given back");
    assertEquals(this.clock.pending, 0, "no timer is left");
  }
}

type Script = (url: URL, headers: Readonly<Record<string, string>>) => Response;

/** An HTTP client without a network. */
class ScriptedHttp implements HttpClient {
  readonly requests: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
  }[] = [];

  constructor(readonly script: Script, readonly hosts: Readonly<Record<string, string>> = {}) {}

  get(url: URL, headers: Readonly<Record<string, string>>): Promise<Response> {
    this.requests.push({ url: url.href, headers });
    return Promise.resolve(this.script(url, headers));
  }

  resolve(host: string): Promise<readonly string[]> {
    const address = this.hosts[host] ?? (/^[\d.]+$/.test(host) ? host : undefined);
    return Promise.resolve(address === undefined ? [] : [address]);
  }

  [Symbol.dispose](): void {}
}

/** What a correct server answers, as a `Response`. */
function rangeOf(headers: Readonly<Record<string, string>>, file = FILE): Response {
  const [, first, last] = headers["range"]?.match(/^bytes=(\d+)-(\d+)$/) ?? [];
  if (first === undefined) {
    return byteResponse(file, { headers: { "content-length": `${file.length}` } });
  }
  const end = Math.min(Number(last) + 1, file.length);
  return byteResponse(file.slice(Number(first), end), {
    status: 206,
    headers: { "content-range": `bytes ${first}-${end - 1}/${file.length}` },
  });
}

const redirect = (location: string) => new Response(null, { status: 302, headers: { location } });

test("WebSource reads ranges, asks never with HEAD, and wants no encoding", async () => {
  await using server = new FaultServer(filesHandler({ "/a": FILE }));
  await using fixture = new Fixture(server.url());
  assertEquals(await fixture.source.manifest("a", noAbort), undefined);
  assertEquals(await fixture.source.size("a", noAbort), 5000);
  assertEquals(await fixture.read(1000, 3000), FILE.slice(1000, 3000));
  assertEquals(await fixture.read(4999, 5000), FILE.slice(4999));
  assertEquals(fixture.received.reduce((sum, count) => sum + count), 2001);
  for (const { method, headers } of server.requests) {
    assertEquals([method, headers.get("accept-encoding")], ["GET", "identity"]);
  }
  assert(fixture.source.reached && !fixture.source.troubled);
});

test("WebSource uses its connections again", async () => {
  await using server = new FaultServer(filesHandler({ "/a": FILE }));
  await using fixture = new Fixture(server.url());
  for (let at = 0; at < 5000; at += 500) await fixture.read(at, at + 500);
  assertEquals(server.open, 1);
});

test("WebSource sends at most as many requests at a time as it may have connections", async () => {
  let running = 0, most = 0;
  await using server = new FaultServer(async (request) => {
    most = Math.max(most, ++running);
    // The other requests come while this one is answered.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
    running--;
    return fileReply(request, FILE);
  });
  await using fixture = new Fixture(server.url("/a"), { connections: 2 });
  await Promise.all(Array.from({ length: 10 }, (_, i) => fixture.read(i * 500, i * 500 + 500)));
  assertEquals(most, 2);
});

test("WebSource appends names to its address, each part encoded, and keeps the query", async () => {
  const name = "a b/ü?#%+&;=.bin";
  const path = "/x%20y/a%20b/%C3%BC%3F%23%25%2B%26%3B%3D.bin";
  await using server = new FaultServer((request) =>
    request.target === `${path}?sig=1` ? fileReply(request, FILE) : { status: 404 }
  );
  await using fixture = new Fixture(server.url("/x%20y/?sig=1"));
  assertEquals(await fixture.source.manifest(name, noAbort), undefined);
  assertEquals(await fixture.source.size(name, noAbort), 5000);
  assertEquals(await fixture.read(0, 10, { name }), FILE.slice(0, 10));
  assertEquals(server.requests.every(({ target }) => target === `${path}?sig=1`), true);
});

test("WebSource shows neither its password nor the query of its address", async () => {
  const http = new ScriptedHttp(() => new Response(null, { status: 500 }));
  await using fixture = new Fixture("https://me:secret@public.test/a?sig=secret", { http });
  const error = await assertRejects(() => fixture.source.size("a", noAbort), UnreachableError);
  assertEquals(fixture.source.id, "https://public.test/a");
  assert(!error.message.includes("secret"), error.message);
});

const failures = [
  [() => ({ status: 404 }), NotFoundError, "does not have it"],
  [() => ({ status: 410 }), NotFoundError, "does not have it any more"],
  [() => ({ status: 401 }), AuthError, "refuses access (HTTP 401)"],
  [() => ({ status: 403 }), AuthError, "refuses access (HTTP 403)"],
  [() => ({ status: 412 }), ChangedError, "has changed"],
  [() => ({ status: 500 }), UnreachableError, "failed (HTTP 500)"],
  [() => ({ status: 521 }), UnreachableError, "failed (HTTP 521)"],
  [() => ({ status: 429 }), BusyError, "is busy"],
  [() => ({ status: 503, headers: { "Retry-After": "3" } }), BusyError, "is busy"],
  [() => ({ status: 418 }), ProtocolError, "answered 418"],
  [() => ({ status: 302 }), ProtocolError, "without an address"],
  [() => ({ status: 302, headers: { Location: "/again" } }), ProtocolError, "more than 10 times"],
  [() => ({ status: 302, headers: { Location: "ftp://x/" } }), ProtocolError, "not HTTP"],
  [() => ({ status: 302, headers: { Location: "http://[" } }), ProtocolError, "not valid"],
  [() => ({ status: 206, body: FILE }), ProtocolError, "without a valid Content-Range"],
  [
    (request: FaultRequest) => ({
      ...fileReply(request, FILE),
      headers: { "Content-Range": "bytes 4-4/9" },
    }),
    ProtocolError,
    "another part",
  ],
  [
    () => ({ status: 200, body: FILE, headers: { "Content-Encoding": "deflate" } }),
    ProtocolError,
    "encoded",
  ],
  [
    (request: FaultRequest) => ({ ...fileReply(request, FILE), cutAfter: 0, body: FILE }),
    ProtocolError,
    "another length",
  ],
  [() => ({ status: 200, body: FILE, chunked: true }), ProtocolError, "how long"],
  [() => ({ status: 200, body: FILE, length: null }), ProtocolError, "how long"],
] as const satisfies readonly (readonly [FaultHandler, unknown, string])[];
for (const [i, [handler, type, text]] of failures.entries()) {
  test(`WebSource names the failure "${text}" (${i})`, async () => {
    await using server = new FaultServer(handler);
    await using fixture = new Fixture(server.url());
    const error = await fixture.source.size("a", noAbort).catch((error) => error);
    assertInstanceOf(error, type as typeof UnreachableError);
    assert(error.message.includes(text), error.message);
    assert(error.message.includes(fixture.source.id), error.message);
  });
}

test("WebSource waits as long as Retry-After says, and uses fewer connections then", async () => {
  let running = 0, most = 0, busy = true;
  await using server = new FaultServer(async (request) => {
    if (busy) return { status: 503, headers: { "Retry-After": "3" } };
    most = Math.max(most, ++running);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
    running--;
    return fileReply(request, FILE);
  });
  await using fixture = new Fixture(server.url("/a"));
  const error = await assertRejects(() => fixture.source.size("a", noAbort), BusyError);
  assertEquals(error.retryAfterMs, 3000);
  busy = false;
  await Promise.all(Array.from({ length: 6 }, (_, i) => fixture.read(i * 500, i * 500 + 500)));
  assertEquals(most, 2);
});

test("WebSource knows the size of an empty file", async () => {
  await using server = new FaultServer(filesHandler({ "/a": new Uint8Array() }));
  await using fixture = new Fixture(server.url());
  assertEquals(await fixture.source.size("a", noAbort), 0);
});

test("WebSource asks for the whole where the reply to a range does not tell the size", async () => {
  await using server = new FaultServer((request) => {
    if (request.range === undefined) return fileReply(request, FILE);
    return { ...fileReply(request, FILE), headers: { "Content-Range": "bytes 0-1/*" } };
  });
  await using fixture = new Fixture(server.url("/a"));
  assertEquals(await fixture.source.size("a", noAbort), 5000);
});

test("WebSource reports a connection that cannot be made, and one that is cut", async () => {
  let cut = false;
  await using server = new FaultServer((request) => ({
    ...fileReply(request, FILE),
    ...cut ? { cutAfter: 100 } : {},
  }));
  await using fixture = new Fixture(server.url("/a"));
  await fixture.read(0, 10);
  cut = true;
  const error = await assertRejects(() => fixture.read(0, 1000), UnreachableError);
  assert(error.message.includes("it was cut"), error.message);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await using dead = new Fixture(`http://127.0.0.1:${port}/secret?token=secret`);
  const refused = await assertRejects(() => dead.source.size("a", noAbort), UnreachableError);
  assertEquals(
    refused.message,
    `Cannot connect to http://127.0.0.1:${port}/secret: connection refused`,
  );
  assert(dead.source.troubled && !dead.source.reached);
});

test("WebSource reports a stall before the head and in the body", async () => {
  const asked = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  await using server = new FaultServer(async () => {
    asked.resolve();
    await over.promise;
    return { status: 500 };
  });
  await using fixture = new Fixture(server.url("/a"));
  const silent = fixture.source.size("a", noAbort).catch((error) => error);
  await asked.promise;
  await fixture.clock.advance(5000);
  assertInstanceOf(await silent, TimeoutError);
  over.resolve();
  server.handler = (request) => fileReply(request, FILE);
  await fixture.source.size("a", noAbort);
  server.handler = (request) => ({ ...fileReply(request, FILE), stallAfter: 100 });
  const begun = Promise.withResolvers<void>();
  const stalled = fixture.read(0, 1000, { onBytes: () => begun.resolve() }).catch((error) => error);
  await begun.promise;
  await fixture.clock.advance(10_000);
  const error = await stalled;
  assertInstanceOf(error, TimeoutError);
  assert(error.message.includes("nothing came for 5 s"), error.message);
});

test("WebSource stops reading when it is aborted, and writes nothing afterwards", async () => {
  await using server = new FaultServer((request) => fileReply(request, FILE));
  await using fixture = new Fixture(server.url("/a"));
  await fixture.source.size("a", noAbort);
  server.handler = (request) => ({ ...fileReply(request, FILE), stallAfter: 100 });
  const stop = new AbortController();
  const reason = new Error("enough");
  const begun = Promise.withResolvers<void>();
  const reading = fixture.read(0, 1000, { onBytes: () => begun.resolve() }, stop.signal);
  await begun.promise;
  stop.abort(reason);
  assertEquals(await reading.catch((error) => error), reason);
});

test("WebSource rejects more bytes than a reply announced", async () => {
  await using server = new FaultServer((request) => fileReply(request, FILE));
  await using fixture = new Fixture(server.url("/a"));
  await fixture.source.size("a", noAbort);
  server.handler = (request) => ({ ...fileReply(request, FILE), body: FILE, chunked: true });
  const error = await assertRejects(() => fixture.read(0, 1000), ProtocolError);
  assert(error.message.includes("more bytes than it announced"), error.message);
});

test("WebSource puts a range together from shorter parts, but not from bytes", async () => {
  let most = 400;
  const handler: FaultHandler = ({ range }) => {
    const [first, last] = range!;
    return fileReply({ range: [first, Math.min(last, first + most - 1)] }, FILE);
  };
  await using server = new FaultServer(handler);
  await using fixture = new Fixture(server.url("/a"));
  assertEquals(await fixture.read(100, 2000), FILE.slice(100, 2000));
  most = 1;
  const error = await assertRejects(() => fixture.read(100, 2000), ProtocolError);
  assert(error.message.includes("much less than it is asked for"), error.message);
});

test("WebSource reads chunked parts, and a file that is one piece from a server without ranges", async () => {
  await using server = new FaultServer((request) => ({
    ...fileReply(request, FILE),
    chunked: true,
  }));
  await using fixture = new Fixture(server.url("/a"));
  assertEquals(await fixture.read(10, 4000), FILE.slice(10, 4000));
  server.handler = () => ({ status: 200, body: FILE });
  await using whole = new Fixture(server.url("/a"));
  assertEquals(await whole.read(0, 5000, { maySendWhole: () => false }), FILE);
});

test("WebSource takes the manifest beside the file, and rejects one of another version", async () => {
  const files: Record<string, Uint8Array> = { "/a": FILE, "/a.p2p": SIDECAR };
  await using server = new FaultServer(filesHandler(files));
  await using fixture = new Fixture(server.url());
  assertEquals((await fixture.source.manifest("a", noAbort))?.id, MANIFEST.id);
  files["/a"] = patternOf(4000);
  await fixture.clock.advance(3000);
  const error = await assertRejects(() => fixture.source.manifest("a", noAbort), ProtocolError);
  assert(error.message.includes("another version"), error.message);
});

test("WebSource takes the manifest of a seed behind a web server", async () => {
  await using server = new FaultServer((request) =>
    request.target === "/a?manifest"
      ? { status: 200, headers: JSON_TYPE, body: SIDECAR }
      : request.target === "/a"
      ? fileReply(request, FILE)
      : { status: 404 }
  );
  await using fixture = new Fixture(server.url());
  assertEquals((await fixture.source.manifest("a", noAbort))?.id, MANIFEST.id);
  assert(!server.requests.some(({ target }) => target === "/a.p2p"));
});

test("WebSource waits for a seed that hashes the file", async () => {
  await using server = new FaultServer((request) =>
    request.target === "/a"
      ? fileReply(request, FILE)
      : { status: 503, headers: { "Retry-After": "1" } }
  );
  await using fixture = new Fixture(server.url());
  await assertRejects(() => fixture.source.manifest("a", noAbort), BusyError);
});

test("WebSource asks a plain server for two bytes only when it tries its query, and only once", async () => {
  await using server = new FaultServer(filesHandler({ "/a": FILE, "/b": FILE }));
  await using fixture = new Fixture(server.url());
  await fixture.source.manifest("a", noAbort);
  await fixture.source.manifest("b", noAbort);
  const queries = server.requests.filter(({ target }) => target.includes("?"));
  assertEquals(queries.map(({ target, range }) => [target, range]), [["/a?manifest", [0, 1]]]);
});

test("WebSource takes a JSON file that ignores the query for what it is", async () => {
  await using server = new FaultServer(
    filesHandler({ "/a.json": new TextEncoder().encode('{"name": "x"}') }, JSON_TYPE),
  );
  await using fixture = new Fixture(server.url());
  assertEquals(await fixture.source.manifest("a.json", noAbort), undefined);
});

const noManifests: readonly (readonly [string, FaultHandler])[] = [
  ["a page for everything", () => ({ status: 200, body: new TextEncoder().encode("<html>") })],
  ["an endless one", () => ({ status: 200, body: patternOf(9 * 1024 * 1024), chunked: true })],
  ["a huge one", () => ({ status: 200, body: patternOf(9 * 1024 * 1024) })],
  ["a refusal", () => ({ status: 403 })],
  ["a failure", () => ({ status: 500 })],
];
for (const [name, sidecar] of noManifests) {
  test(`WebSource does without a manifest where the server has ${name} in its place`, async () => {
    await using server = new FaultServer((request) =>
      request.target === "/a" ? fileReply(request, FILE) : sidecar(request)
    );
    await using fixture = new Fixture(server.url());
    assertEquals(await fixture.source.manifest("a", noAbort), undefined);
  });
}

test("WebSource rejects a manifest that is damaged", async () => {
  const damaged = new TextEncoder().encode(
    encodeManifest("a", MANIFEST).replace('"id":"', '"id":"0'),
  );
  await using server = new FaultServer(filesHandler({ "/a": FILE, "/a.p2p": damaged }));
  await using fixture = new Fixture(server.url());
  await assertRejects(
    () => fixture.source.manifest("a", noAbort),
    ProtocolError,
    "id does not fit",
  );
});

test("WebSource sends validators only without a manifest", async () => {
  const tag = { ETag: '"one"' };
  await using server = new FaultServer(filesHandler({ "/a": FILE }, tag));
  await using fixture = new Fixture(server.url());
  await fixture.source.size("a", noAbort);
  const version = fixture.source.versionOf("a")!;
  assert(!version.includes("one"));
  await fixture.read(0, 10, { version });
  await fixture.read(0, 10, { version, id: MANIFEST.id });
  assertEquals(
    server.requests.map(({ headers }) => headers.get("if-match")),
    [undefined, '"one"', undefined],
  );
  assertEquals(server.requests.some(({ headers }) => headers.has("if-range")), false);
});

const changed: readonly (readonly [string, FaultHandler])[] = [
  ["412", () => ({ status: 412 })],
  ["another tag", (request) => fileReply(request, OTHER, { ETag: '"two"' })],
  ["no tag any more", (request) => fileReply(request, patternOf(6000), {})],
  ["another size", (request) => fileReply(request, patternOf(6000), { ETag: '"one"' })],
];
for (const [name, handler] of changed) {
  test(`WebSource notices that the file has changed by ${name}`, async () => {
    await using server = new FaultServer(filesHandler({ "/a": FILE }, { ETag: '"one"' }));
    await using fixture = new Fixture(server.url());
    await fixture.source.size("a", noAbort);
    const version = fixture.source.versionOf("a")!;
    assertEquals(await fixture.read(0, 10, { version }), FILE.slice(0, 10));
    server.handler = handler;
    await assertRejects(() => fixture.read(10, 20, { version }), ChangedError);
  });
}

test("WebSource notices a change by the time of the last change", async () => {
  const at = (second: number) => ({ "Last-Modified": `Wed, 18 May 2033 03:33:${second} GMT` });
  await using server = new FaultServer(filesHandler({ "/a": FILE }, at(20)));
  await using fixture = new Fixture(server.url());
  await fixture.source.size("a", noAbort);
  const version = fixture.source.versionOf("a")!;
  await fixture.read(0, 10, { version });
  server.handler = filesHandler({ "/a": OTHER }, at(30));
  await assertRejects(() => fixture.read(10, 20, { version }), ChangedError);
});

test("WebSource reads at the address of a redirect, and resolves the original one again once it has expired", async () => {
  let token = 1;
  let signed = 0;
  await using server = new FaultServer((request) => {
    if (request.target === "/a") {
      signed++;
      return { status: 302, headers: { Location: `/cdn/a?token=${token}` } };
    }
    if (request.target !== `/cdn/a?token=${token}`) return { status: 403 };
    return fileReply(request, FILE);
  });
  await using fixture = new Fixture(server.url());
  assertEquals(await fixture.source.size("a", noAbort), 5000);
  assertEquals(await fixture.read(0, 100), FILE.slice(0, 100));
  assertEquals(signed, 1);
  token = 2;
  const parts = await Promise.all([0, 1, 2, 3].map((i) => fixture.read(i * 1000, (i + 1) * 1000)));
  assertEquals(parts.flatMap((part) => Array.from(part)), Array.from(FILE.slice(0, 4000)));
  assertEquals(signed, 2, "one request for all reads that met the expired address");
});

for (const status of [401, 403, 404, 410]) {
  test(`WebSource gives up at an address that expires again at once with ${status}`, async () => {
    await using server = new FaultServer((request) =>
      request.target === "/a"
        ? { status: 307, headers: { Location: "/cdn" } }
        : request.range?.[1] === 1
        ? fileReply(request, FILE)
        : { status }
    );
    await using fixture = new Fixture(server.url());
    const error = await fixture.read(0, 100).catch((error) => error);
    assertInstanceOf(error, P2pError);
    assertEquals(error.retryable, false);
    assertEquals(server.requests.filter(({ target }) => target === "/a").length, 2);
  });
}

test("WebSource gives credentials to its own origin only", async () => {
  const http = new ScriptedHttp((url, headers) =>
    url.host === "public.test" ? redirect("https://cdn.test/a?x=1") : rangeOf(headers)
  );
  const headers = { "x-api-key": "secret" };
  await using fixture = new Fixture("https://me:p%40ss@public.test/", { http, headers });
  assertEquals(await fixture.source.size("a", noAbort), 5000);
  await fixture.read(0, 100);
  const [own, ...others] = http.requests;
  assertEquals(own!.url, "https://public.test/a");
  assertEquals(own!.headers["authorization"], `Basic ${btoa("me:p@ss")}`);
  assertEquals(own!.headers["x-api-key"], "secret");
  assertEquals(others.length, 2);
  for (const { url, headers } of others) {
    assertEquals(url, "https://cdn.test/a?x=1");
    assertEquals([headers["authorization"], headers["x-api-key"]], [undefined, undefined]);
  }
});

test("WebSource ignores credentials in the address of a redirect", async () => {
  const http = new ScriptedHttp((url, headers) =>
    url.host === "public.test" ? redirect("https://evil:pw@cdn.test/a") : rangeOf(headers)
  );
  await using fixture = new Fixture(BASE, { http });
  await fixture.source.size("a", noAbort);
  assertEquals(http.requests[1]!.url, "https://cdn.test/a");
  assertEquals(http.requests[1]!.headers["authorization"], undefined);
});

const privateTargets = [
  "http://10.0.0.1/a",
  "http://inside.test/a",
  "http://[::1]/a",
  "http://127.0.0.1/",
];
for (const target of privateTargets) {
  test(`WebSource follows no redirect from a public address to ${target}`, async () => {
    const http = new ScriptedHttp(
      (url, headers) => url.host === "public.test" ? redirect(target) : rangeOf(headers),
      { "public.test": "8.8.8.8", "inside.test": "192.168.1.1", "::1": "::1" },
    );
    await using fixture = new Fixture(BASE, { http });
    const error = await assertRejects(() => fixture.source.size("a", noAbort), ProtocolError);
    assert(error.message.includes("private network"), error.message);
    assertEquals(http.requests.length, 1);
  });
}

const allowed = [
  ["a private address to another one", "10.0.0.2", "http://10.0.0.1/a"],
  ["a public address to another one", "8.8.8.8", "http://9.9.9.9/a"],
  ["a public address to a host that only the proxy knows", "8.8.8.8", "http://unknown.test/a"],
] as const;
for (const [name, address, target] of allowed) {
  test(`WebSource follows a redirect from ${name}`, async () => {
    const http = new ScriptedHttp(
      (url, headers) => url.host === "public.test" ? redirect(target) : rangeOf(headers),
      { "public.test": address },
    );
    await using fixture = new Fixture(BASE, { http });
    assertEquals(await fixture.source.size("a", noAbort), 5000);
  });
}

test("WebSource reads pieces as they pass from a server that sends whole files only", async () => {
  await using server = new FaultServer(() => ({ status: 200, body: FILE }));
  await using fixture = new Fixture(server.url("/a"));
  assertEquals(await fixture.source.size("a", noAbort), 5000);
  assert(fixture.source.sendsWholeOnly("a"));
  server.requests.length = 0;
  // In another order than the file's: the first one is served first.
  const parts = await Promise.all([2, 0, 1, 3].map((i) => fixture.read(i * 1000, (i + 1) * 1000)));
  assertEquals([1, 2, 0, 3].flatMap((i) => Array.from(parts[i]!)), Array.from(FILE.slice(0, 4000)));
  assertEquals(await fixture.read(4000, 5000), FILE.slice(4000));
  assertEquals(server.requests.length, 1);
  assertEquals(await fixture.read(1000, 2000), FILE.slice(1000, 2000));
  assertEquals(server.requests.length, 2);
});

test("WebSource leaves the line to others where it would have to read a whole file", async () => {
  await using server = new FaultServer(() => ({ status: 200, body: FILE }));
  await using fixture = new Fixture(server.url("/a"));
  const error = await assertRejects(
    () => fixture.read(0, 1000, { maySendWhole: () => false }),
    BusyError,
  );
  assert(error.message.includes("whole files only"), error.message);
});

test("WebSource goes on after a whole file that was cut, from its beginning", async () => {
  let cut = true;
  await using server = new FaultServer(({ range }) => {
    const isCut = cut && range === undefined;
    if (isCut) cut = false;
    return { status: 200, body: FILE, ...isCut ? { cutAfter: 2500 } : {} };
  });
  await using fixture = new Fixture(server.url("/a"));
  assertEquals(await fixture.read(0, 2000), FILE.slice(0, 2000));
  await assertRejects(() => fixture.read(2000, 4000), UnreachableError);
  assertEquals(await fixture.read(2000, 4000), FILE.slice(2000, 4000));
});

test("WebSource ends the reading of a whole file when it is aborted, and serves the next range", async () => {
  await using server = new FaultServer(({ range }) => ({
    status: 200,
    body: FILE,
    ...range === undefined ? { stallAfter: 1500 } : {},
  }));
  await using fixture = new Fixture(server.url("/a"));
  assertEquals(await fixture.read(0, 1000), FILE.slice(0, 1000));
  const stop = new AbortController();
  const begun = Promise.withResolvers<void>();
  const reason = new Error("enough");
  const reading = fixture.read(1000, 2000, { onBytes: () => begun.resolve() }, stop.signal);
  await begun.promise;
  stop.abort(reason);
  assertEquals(await reading.catch((error) => error), reason);
  server.handler = () => ({ status: 200, body: FILE });
  assertEquals(await fixture.read(1000, 2000), FILE.slice(1000, 2000));
});

test("WebSource frees the connection of a whole file that is not read any more", async () => {
  await using server = new FaultServer(() => ({ status: 200, body: FILE }));
  await using fixture = new Fixture(server.url("/a"));
  await fixture.read(0, 1000);
  assertEquals(fixture.slots.available, 7);
  await fixture.clock.advance(20_000);
  assertEquals(fixture.slots.available, 8);
});

test("WebSource never asks for more than the rate limit allows", async () => {
  await using server = new FaultServer((request) => fileReply(request, FILE));
  await using fixture = new Fixture(server.url("/a"));
  const waits: number[] = [];
  const rateLimit = {
    maxBytes: 700,
    wait(bytes: number) {
      waits.push(bytes);
      return Promise.resolve();
    },
  };
  assertEquals(await fixture.read(0, 2000, { rateLimit }), FILE.slice(0, 2000));
  assertEquals(waits, [700, 700, 600]);
});

test("WebSource lists a seed behind a web server, and says that a plain server cannot list", async () => {
  const listing =
    '{"name": "b", "size": 1, "modified": 0}\n{"name": "a", "size": 2, "modified": 0}\n';
  await using server = new FaultServer(({ target }) =>
    target === "/x/?json"
      ? { status: 200, headers: JSON_TYPE, body: new TextEncoder().encode(listing) }
      : { status: 200, headers: { "Content-Type": "text/html" }, body: FILE }
  );
  await using fixture = new Fixture(server.url("/x/"));
  assertEquals((await fixture.source.list(noAbort)).map(({ name }) => name), ["a", "b"]);
  await using plain = new Fixture(server.url("/y/"));
  const error = await assertRejects(() => plain.source.list(noAbort), ProtocolError);
  assert(error.message.includes("plain web server"), error.message);
});

test("WebSource connects to a host by its name", async () => {
  await using server = new FaultServer((request) => fileReply(request, FILE));
  await using fixture = new Fixture(server.url("/a", "localhost"));
  assertEquals(await fixture.source.size("a", noAbort), 5000);
});
