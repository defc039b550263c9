import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { UsageError } from "../../../core/base/errors.ts";
import type { Clock } from "../../../core/base/clock.ts";
import type { ServeSettings } from "../../../core/config.ts";
import { dialer } from "../../../core/source/dial.ts";
import { readMetrics } from "../../support/prometheus.ts";
import { SeedFixture } from "../support.ts";
import { ManualClock, YEAR_2033 } from "../../support/manual_clock.ts";
import { RawClient } from "../../support/raw_client.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";

const METRICS = { host: "127.0.0.1", port: 0 };

class WatchedSeed implements AsyncDisposable {
  readonly #folder = new TempFolder();
  seed!: SeedFixture;
  port = 0;

  static async start(
    options: Partial<ServeSettings> & { clock?: Clock } = {},
  ): Promise<WatchedSeed> {
    const watched = new WatchedSeed();
    watched.#folder.write("hello.txt", "hello\n");
    const path = watched.#folder.path;
    watched.seed = await SeedFixture.start(path, { metrics: METRICS, ...options });
    watched.port = (await watched.seed.event("metrics")).port;
    return watched;
  }

  async connect(): Promise<RawClient> {
    const signal = new AbortController().signal;
    const address = { host: "127.0.0.1", port: this.port, tls: false };
    return new RawClient(await dialer()(address, signal));
  }

  /** The reply to a request's line. */
  async ask(line: string): Promise<{ status: string; headers: string[]; body: string }> {
    using client = await this.connect();
    await client.send(`${line}\r\nHost: x\r\n\r\n`);
    const text = new TextDecoder().decode(await client.rest());
    const [head = "", body = ""] = text.split(/\r\n\r\n([^]*)/);
    const [status = "", ...headers] = head.split("\r\n");
    return { status, headers, body };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.seed[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

test("serveMetrics() answers with a page that counts what clients did", async () => {
  await using watched = await WatchedSeed.start();
  using client = await watched.seed.session();
  assertEquals(await client.text("DOWNLOAD hello.txt|0|6"), "hello\n");
  assertMatch(await client.ask("DOWNLOAD hello.txt|0|7"), /^ERROR:RANGE/);
  await client.body("MANIFEST hello.txt");
  await client.ask("NONSENSE");
  assertEquals(await watched.seed.ask("FILESIZE none"), "ERROR:NOT_FOUND no such file\n");
  const samples = readMetrics((await watched.ask("GET /metrics HTTP/1.1")).body);
  const valueOf = (name: string, labels: Record<string, string> = {}) =>
    samples.find((sample) =>
      sample.name === name &&
      JSON.stringify(Object.entries(sample.labels)) === JSON.stringify(Object.entries(labels))
    )?.value;
  const requests = (dialect: string, kind: string, result: string) =>
    valueOf("p2p_requests_total", { dialect, kind, result });
  assertEquals(requests("session", "DOWNLOAD", "OK"), 1);
  assertEquals(requests("session", "DOWNLOAD", "RANGE"), 1);
  assertEquals(requests("session", "invalid", "BAD_REQUEST"), 1);
  assertEquals(requests("one-shot", "FILESIZE", "NOT_FOUND"), 1);
  assertEquals(valueOf("p2p_connections_accepted_total"), 2);
  assertEquals(valueOf("p2p_file_bytes_sent_total"), 6);
  assertEquals(valueOf("p2p_hashed_bytes_total"), 6);
  assertEquals(valueOf("p2p_files_offered"), 1);
  assertEquals(valueOf("p2p_offered_bytes"), 6);
  assertEquals(valueOf("p2p_request_duration_seconds_count", { kind: "DOWNLOAD" }), 2);
  assertEquals(valueOf("p2p_uploads", { state: "taken" }), 0);
  assert(valueOf("process_start_time_seconds")! * 1000 <= Date.now());
});

test("serveMetrics() counts refused and open connections", async () => {
  await using watched = await WatchedSeed.start({ maxConnections: 1 });
  using _client = await watched.seed.session();
  using away = await watched.seed.connect();
  await away.send("HELLO 2\n");
  assertMatch(await away.line(), /^ERROR:BUSY/);
  const { body } = await watched.ask("GET /metrics HTTP/1.1");
  const samples = readMetrics(body);
  const reasons = samples.filter(({ labels }) => "reason" in labels)
    .map(({ name, labels, value }) => [name, labels["reason"], value]);
  assertEquals(reasons, [
    ["p2p_connections_refused_total", "too many connections", 1],
    ["p2p_busy_total", "too many connections", 1],
  ]);
  const open = samples.find(({ name }) => name === "p2p_connections")!.value;
  assert(open >= 1);
});

const REPLIES: readonly [line: string, status: string][] = [
  ["GET /metrics HTTP/1.1", "HTTP/1.1 200 OK"],
  ["GET /metrics?x=/ HTTP/1.0", "HTTP/1.1 200 OK"],
  ["HEAD /metrics HTTP/1.1", "HTTP/1.1 200 OK"],
  ["GET / HTTP/1.1", "HTTP/1.1 404 Not Found"],
  ["GET /metrics/../x HTTP/1.1", "HTTP/1.1 404 Not Found"],
  ["POST /metrics HTTP/1.1", "HTTP/1.1 405 Method Not Allowed"],
  ["GET /metrics", "HTTP/1.1 400 Bad Request"],
  ["HELLO 2", "HTTP/1.1 400 Bad Request"],
];
test("serveMetrics() answers GET and HEAD of /metrics alone", async () => {
  await using watched = await WatchedSeed.start();
  for (const [line, want] of REPLIES) {
    const { status, headers, body } = await watched.ask(line);
    assertEquals(status, want, line);
    assert(headers.includes("Connection: close"), line);
    if (line.startsWith("HEAD")) assertEquals(body, "");
    else assert(headers.includes(`Content-Length: ${body.length}`), line);
    const type = "Content-Type: text/plain; version=0.0.4; charset=utf-8";
    assertEquals(headers.includes(type), want.endsWith("200 OK"), line);
  }
});

test("serveMetrics() closes connections that send no end, or too long a head", async () => {
  const clock = new ManualClock(YEAR_2033);
  await using watched = await WatchedSeed.start({ clock });
  using long = await watched.connect();
  await long.send("GET /".padEnd(8192, "x"));
  assertEquals((await long.rest()).length, 0);
  using many = await watched.connect();
  await many.send("GET /metrics HTTP/1.1\r\n" + "X: y\r\n".repeat(2000));
  assertEquals((await many.rest()).length, 0);
  using cut = await watched.connect();
  for (const part of ["GET /metrics HT", "TP/1.1\r\nHost: x\r", "\n\r", "\n"]) await cut.send(part);
  assertMatch(new TextDecoder().decode(await cut.rest()), /^HTTP\/1.1 200 OK\r\n/);
  using slow = await watched.connect();
  await slow.send("GET /metrics HTTP/1.1\r\n");
  await clock.timerIn(10_000);
  clock.tick(10_000);
  assertEquals((await slow.rest()).length, 0);
});

test("serveMetrics() has room for a few clients at a time, and again when they are gone", async () => {
  await using watched = await WatchedSeed.start();
  const clients = await Promise.all(Array.from({ length: 20 }, () => watched.connect()));
  // Connections beyond the limit are closed; the others wait for a request.
  const ends = clients.map((client, i) => client.rest().then(() => i));
  for (let closed = 0; closed < 12; closed++) {
    ends.splice(ends.indexOf(ends[await firstOf(ends)]!), 1);
  }
  assertEquals(ends.length, 8);
  for (const client of clients) client.close();
  await Promise.allSettled(ends);
  for (;;) {
    // The server notices a moment later that they are gone.
    const { status } = await watched.ask("GET /metrics HTTP/1.1").catch(() => ({ status: "" }));
    if (status === "HTTP/1.1 200 OK") break;
  }
});

/** The place of the one that ends first. */
async function firstOf(all: readonly Promise<unknown>[]): Promise<number> {
  return await Promise.race(all.map((one, i) => one.then(() => i)));
}

test("serveMetrics() ends with the server, also when a client sends nothing", async () => {
  for (const stop of ["stop", "stopNow"] as const) {
    await using watched = await WatchedSeed.start();
    using client = await watched.connect();
    await client.send("GET");
    // The next one was answered, so this one was accepted before.
    await watched.ask("GET /metrics HTTP/1.1");
    watched.seed[stop]();
    await watched.seed.ended;
    assertEquals((await client.rest()).length, 0);
  }
});

test("listenForMetrics() throws UsageError when the address is taken, and serve() closes its own listener", async () => {
  await using watched = await WatchedSeed.start();
  using folder = new TempFolder();
  const metrics = { host: "127.0.0.1", port: watched.port };
  const error = await assertRejects(
    () => SeedFixture.start(folder.path, { metrics }),
    UsageError,
  );
  assertMatch(error.message, /^Cannot offer metrics: .*in use/);
  assertEquals(error.problem, "metrics-address");
});
