import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { readMetrics } from "../support/prometheus.ts";
import { doneOf } from "./events.ts";
import {
  assertCode,
  type CliFixture,
  from,
  noise,
  ON_UNIX,
  type Seed,
  test,
  type TestOptions,
} from "./harness.ts";
import { symlink } from "../support/platform.ts";

const MIB = 1_048_576;

test(
  "p2p serve --port 0 prints the port that it got, what it shares, and the line to get it",
  async (world) => {
    world.write("share/a b.txt", "content\n");
    const seed = await world.serve(world.path("share"));
    assertMatch(seed.address, /^127\.0\.0\.1:[1-9]\d+$/);
    const ended = await seed.process.endBy("SIGINT");
    assertEquals(ended.stdout, `listening on ${seed.address}\n`);
    assertMatch(ended.stderr, /^sharing 1 file, 8 B$/m);
    assertStringIncludes(ended.stderr, `p2p get 'a b.txt' --seed ${seed.address}`);
  },
  ON_UNIX,
);

test("p2p serve --json prints where it listens as JSON", async (world) => {
  world.write("share/a.txt", "content\n");
  world.write("share/sub/b.txt", "more\n");
  const flags = ["--host", "127.0.0.1", "--port", "0", "--json"];
  const process = world.start("serve", world.path("share"), ...flags);
  const event = JSON.parse(await process.stdout.line(/./));
  assertEquals(Object.keys(event), ["event", "host", "port", "files", "bytes"]);
  assertEquals([event.event, event.host], ["listening", "127.0.0.1"]);
  assertEquals([event.files, event.bytes], [2, 13]);
  const address = `127.0.0.1:${event.port}`;
  assertCode(await world.p2p("get", "--all", ...from({ address })), 0);
});

test("p2p serve serves the working folder when none is named", async (world) => {
  world.write("here/a.txt", "content\n");
  const process = world.start("serve", "--host", "127.0.0.1", "--port", "0");
  const line = await process.stdout.line(/^listening on /);
  const seed = { address: line.slice("listening on ".length) };
  assertEquals(await namesAt(world, seed), ["a.txt"]);
});

test("p2p serve exits 2 when the port is in use", async (world) => {
  Deno.mkdirSync(world.path("share"));
  const seed = await world.serve(world.path("share"));
  const port = seed.address.split(":")[1]!;
  const flags = ["--host", "127.0.0.1", "--port", port];
  const ended = await world.p2p("serve", world.path("share"), ...flags);
  assertCode(ended, 2);
  assertMatch(ended.stderr, new RegExp(`^p2p: .*${port}.* in use`, "m"));
  assertEquals(ended.stdout, "");
});

test("p2p serve exits 2 when there is no such folder, or it is a file", async (world) => {
  const file = world.write("file", "");
  for (const dir of [world.path("missing"), file]) {
    const ended = await world.p2p("serve", dir, "--port", "0");
    assertCode(ended, 2);
    assertMatch(ended.stderr, /^p2p: /);
    assertStringIncludes(ended.stderr, dir);
  }
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`p2p serve finishes what it is sending at ${signal}, and exits 0`, async (world) => {
    const bytes = noise(8 * MIB);
    world.write("share/file.bin", bytes);
    const seed = await world.serve(world.path("share"));
    using client = await RawClient.connect(seed);
    await client.begin("file.bin", 8);
    seed.process.kill(signal);
    await seed.process.stderr.line(/waiting for 1 connection/);
    const bodies = await client.bodies();
    assert(bodies.length >= 1, "the body that was begun came whole");
    bodies.forEach((body, i) => assertEquals(body, bytes.subarray(i * MIB, (i + 1) * MIB)));
    assertCode(await seed.process.ended, 0);
  }, ON_UNIX);
}

test("p2p serve ends at once at the second SIGINT", async (world) => {
  world.write("share/file.bin", noise(8 * MIB));
  const seed = await world.serve(world.path("share"));
  using client = await RawClient.connect(seed);
  await client.begin("file.bin", 8);
  seed.process.kill("SIGINT");
  await seed.process.stderr.line(/waiting for 1 connection/);
  assertCode(await seed.process.endBy("SIGINT"), 130);
}, ON_UNIX);

test("p2p serve takes no new client while it drains", async (world) => {
  world.write("share/file.bin", noise(8 * MIB));
  const seed = await world.serve(world.path("share"));
  using client = await RawClient.connect(seed);
  await client.begin("file.bin", 8);
  seed.process.kill("SIGINT");
  await seed.process.stderr.line(/waiting for 1 connection/);
  assertCode(await world.p2p("list", ...from(seed)), 4);
}, ON_UNIX);

test("p2p serve offers names with a leading dot with --hidden only", async (world) => {
  for (const name of ["a.txt", ".secret", ".git/config", "sub/.env"]) {
    world.write(`share/${name}`, name);
  }
  const shy = await world.serve(world.path("share"));
  assertEquals(await namesAt(world, shy), ["a.txt"]);
  for (const name of [".secret", ".git/config", "sub/.env"]) {
    assertCode(await world.p2p("get", name, ...from(shy)), 3);
  }
  const open = await world.serve(world.path("share"), "--hidden");
  assertEquals(await namesAt(world, open), [".git/config", ".secret", "a.txt", "sub/.env"]);
  assertCode(await world.p2p("get", ".secret", ...from(open)), 0);
  assertEquals(world.files(), [".secret"]);
});

test("p2p serve never serves through links that lead out of the folder", async (world) => {
  world.write("private/secret.txt", "secret\n");
  world.write("share/inside.txt", "content\n");
  symlink(world.path("private/secret.txt"), world.path("share/file-out.txt"));
  symlink(world.path("private"), world.path("share/folder-out"));
  symlink("../private/secret.txt", world.path("share/relative-out.txt"));
  symlink("inside.txt", world.path("share/link-inside.txt"));
  const seed = await world.serve(world.path("share"), "--hidden");
  assertEquals(await namesAt(world, seed), ["inside.txt", "link-inside.txt"]);
  for (const name of ["file-out.txt", "folder-out/secret.txt", "relative-out.txt"]) {
    assertCode(await world.p2p("get", name, ...from(seed)), 3);
  }
  assertCode(await world.p2p("get", "link-inside.txt", ...from(seed)), 0);
  assertEquals(new TextDecoder().decode(world.got("link-inside.txt")), "content\n");
}, ON_UNIX);

test("p2p serve offers no unfinished download", async (world) => {
  for (const name of ["a.bin", "a.bin.p2p-part", "a.bin.p2p-journal", "dir/b.P2P-Part"]) {
    world.write(`share/${name}`, "x");
  }
  const seed = await world.serve(world.path("share"));
  assertEquals(await namesAt(world, seed), ["a.bin"]);
});

test("p2p get exits 2 when the name is one that p2p keeps for itself", async (world) => {
  for (const name of ["a.bin.p2p-part", "dir/b.P2P-Journal"]) {
    const ended = await world.p2p("get", name, ...from({ address: "127.0.0.1:1" }));
    assertCode(ended, 2);
    assertMatch(ended.stderr, /unfinished downloads/);
  }
  assertEquals(world.files(), []);
});

test("p2p serve notices files that appear, change and vanish", async (world) => {
  world.write("share/changes.txt", "first\n");
  world.write("share/vanishes.txt", "gone soon\n");
  const seed = await world.serve(world.path("share"));
  assertCode(await world.p2p("get", "changes.txt", "--out", "one", ...from(seed)), 0);
  world.write("share/changes.txt", "second\n");
  world.write("share/appears.txt", "new\n");
  Deno.removeSync(world.path("share/vanishes.txt"));
  const names = ["changes.txt", "appears.txt"];
  assertCode(await world.p2p("get", ...names, "--out", "two", ...from(seed)), 0);
  assertEquals(Deno.readTextFileSync(world.path("here/two/changes.txt")), "second\n");
  assertEquals(Deno.readTextFileSync(world.path("here/two/appears.txt")), "new\n");
  assertCode(await world.p2p("get", "vanishes.txt", ...from(seed)), 3);
});

test("p2p serve keeps digests over restarts in its cache", async (world) => {
  world.write("share/file.bin", noise(4 * MIB));
  // Only a file that has not changed for some time has a digest that can be kept.
  Deno.utimeSync(world.path("share/file.bin"), 1_700_000_000, 1_700_000_000);
  const ids: string[] = [];
  for (const out of ["one", "two"]) {
    const seed = await world.serve(world.path("share"));
    const flags = ["--out", out, "--json", ...from(seed)];
    ids.push(doneOf(await world.p2p("get", "file.bin", ...flags)).id!);
    await seed.process.endBy("SIGKILL");
  }
  assertEquals(ids[0], ids[1]);
});

test("p2p serve prints a line that can be pasted, also where there is a token", async (world) => {
  world.write("share/a.txt", "content\n");
  world.write("here/secret.txt", "correct horse\n");
  const seed = await world.serve(world.path("share"), "--token-file", "secret.txt");
  const line = await seed.process.stderr.line(/^download with: p2p /);
  const words = line.slice("download with: p2p ".length).split(" ");
  assertCode(await world.p2p(...words.map((word) => word.replace(/^'(.*)'$/, "$1"))), 0);
  assertEquals(world.files(), ["a.txt", "secret.txt"]);
  const note = await seed.process.stderr.line(/^\(/);
  assertEquals(note, "(from another computer, use a copy of the token file)");
});

test("p2p get knows a seed's token with --token-file", async (world) => {
  world.write("share/a.txt", "content\n");
  const right = world.write("right", "correct horse\n");
  const seed = await world.serve(world.path("share"), "--token-file", right);
  assertCode(await world.p2p("get", "a.txt", "--token-file", right, ...from(seed)), 0);
  assertEquals(world.files(), ["a.txt"]);
  const listed = await world.p2p("list", "--json", "--token-file", right, ...from(seed));
  assertEquals(JSON.parse(listed.stdout).files.length, 1);
});

const tokens = [
  { what: "is missing", token: undefined },
  { what: "is wrong", token: "battery staple\n" },
  { what: "differs in a space only", token: "correct horse \n" },
];

for (const { what, token } of tokens) {
  test(`p2p get exits 4 and says so when the seed's token ${what}`, async (world) => {
    world.write("share/a.txt", "content\n");
    const right = world.write("right", "correct horse\n");
    const seed = await world.serve(world.path("share"), "--token-file", right);
    const flags = token === undefined ? [] : ["--token-file", world.write("other", token)];
    const ended = await world.p2p("get", "a.txt", ...flags, ...from(seed));
    assertCode(ended, 4);
    assertMatch(ended.stderr, /^p2p: .*token/m);
    assertMatch(ended.stderr, /^hint: .*--token-file/m);
    assertEquals(world.files(), []);
    assertCode(await world.p2p("list", ...flags, ...from(seed)), 4);
  });
}

test("p2p serve exits 2 when the token file is missing or empty", async (world) => {
  Deno.mkdirSync(world.path("share"));
  for (const file of [world.path("none"), world.write("empty", "\n")]) {
    const flags = ["--port", "0", "--token-file", file];
    const ended = await world.p2p("serve", world.path("share"), ...flags);
    assertCode(ended, 2);
    assertStringIncludes(ended.stderr, file);
  }
});

test("p2p get waits for its turn when the seed takes few connections", async (world) => {
  for (let i = 0; i < 4; i++) world.write(`share/${i}.bin`, noise(2 * MIB, i));
  const seed = await world.serve(world.path("share"), "--client-connections", "1");
  assertCode(await world.p2p("get", "--all", "--max", "4", ...from(seed)), 0);
  assertEquals(world.files(), ["0.bin", "1.bin", "2.bin", "3.bin"]);
});

for (const flag of ["--limit", "--client-limit"]) {
  test(`p2p serve keeps to ${flag}`, async (world) => {
    world.write("share/a.bin", noise(2 * MIB));
    const seed = await world.serve(world.path("share"), flag, "1MiB");
    const ended = await world.p2p("get", "a.bin", "--json", ...from(seed));
    const { elapsedMs } = doneOf(ended);
    // The first round goes at once; there is no upper bound on a busy machine.
    assert(elapsedMs >= 1700, `2 MiB took ${elapsedMs} ms at 1 MiB/s`);
  });
}

test("p2p serve keeps few bytes a second moving, so that nobody takes it for stalled", async (world) => {
  world.write("share/a.bin", noise(20_000));
  const seed = await world.serve(world.path("share"), "--limit", "5KiB");
  const flags = ["--stall", "1s", "--json", ...from(seed)];
  const ended = await world.p2p("get", "a.bin", ...flags);
  assertCode(ended, 0);
  assertEquals(ended.stderr.includes("stalled"), false);
});

/** Below /dev, the compiled program's right to read all files ends. */
const IN_SHARED_MEMORY: TestOptions = isFolder("/dev/shm") ? {} : { ignored: "no /dev/shm here" };

test(
  "p2p serve says at once that it cannot serve a folder below /dev, and exits 6",
  async (world) => {
    const folder = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "p2p-cli-" });
    try {
      Deno.writeTextFileSync(join(folder, "a.txt"), "content\n");
      const ended = await world.p2p("serve", folder, "--host", "127.0.0.1", "--port", "0");
      assertCode(ended, 6);
      assertEquals(ended.stdout, "");
      assertStringIncludes(ended.stderr, `p2p: Cannot serve "${folder}"`);
      assertMatch(ended.stderr, /^hint: /m);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
  IN_SHARED_MEMORY,
);

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

async function namesAt(world: CliFixture, seed: { readonly address: string }): Promise<string[]> {
  const ended = await world.p2p("list", "--json", ...from(seed));
  assertCode(ended, 0);
  return JSON.parse(ended.stdout).files.map(({ name }: { name: string }) => name);
}

/** A client that asks, and does not read until it is reported to. */
class RawClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  #unread = new Uint8Array();

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async connect({ address }: Seed): Promise<RawClient> {
    const [hostname, port] = address.split(":") as [string, string];
    const client = new RawClient(await Deno.connect({ hostname, port: Number(port) }));
    await client.#send("HELLO 2\n");
    assertMatch(await client.#line(), /^HELLO 2 /);
    return client;
  }

  /** Asks for so many MiB of a file, and waits for the first reply to begin. */
  async begin(name: string, count: number): Promise<void> {
    const lines = Array.from({ length: count }, (_, i) => `DOWNLOAD ${name}|${i * MIB}|${MIB}\n`);
    // All in one write, so that the seed sees all of them at once.
    await this.#send(lines.join(""));
    await this.#fill();
  }

  /** All whole bodies until the seed closes; what comes instead of one must be a refusal. */
  async bodies(): Promise<Uint8Array[]> {
    const bodies: Uint8Array[] = [];
    while (await this.#fill());
    while (this.#unread.length > 0) {
      const line = await this.#line();
      if (line.startsWith("ERROR:SHUTDOWN")) continue;
      assertEquals(line, `OK ${MIB}`);
      assert(this.#unread.length >= MIB, "a body was cut short");
      bodies.push(this.#unread.slice(0, MIB));
      this.#unread = this.#unread.slice(MIB);
    }
    return bodies;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }

  async #send(text: string): Promise<void> {
    await this.#conn.write(new TextEncoder().encode(text));
  }

  async #line(): Promise<string> {
    for (;;) {
      const at = this.#unread.indexOf(10);
      if (at >= 0) {
        const line = new TextDecoder().decode(this.#unread.subarray(0, at));
        this.#unread = this.#unread.slice(at + 1);
        return line;
      }
      assert(await this.#fill(), "the seed closed");
    }
  }

  async #fill(): Promise<boolean> {
    const buffer = new Uint8Array(256 * 1024);
    const count = await this.#conn.read(buffer);
    if (count === null) return false;
    const joined = new Uint8Array(this.#unread.length + count);
    joined.set(this.#unread);
    joined.set(buffer.subarray(0, count), this.#unread.length);
    this.#unread = joined;
    return true;
  }
}

test("p2p serve --json reports of a file that went over four connections once", async (world) => {
  world.write("shared/big.bin", noise(9_000_000));
  const seed = world.start(
    "serve",
    world.path("shared"),
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--json",
  );
  const { port } = JSON.parse(await seed.stdout.line(/"listening"/));
  assertCode(await world.p2p("get", "big.bin", "--seed", `127.0.0.1:${port}`), 0);
  await seed.stdout.line(/"sent"/);
  const ended = await seed.endBy("SIGINT");
  assertCode(ended, 0);
  const events = ended.stdout.trimEnd().split("\n").map((line) => JSON.parse(line))
    .filter(({ event }) => event !== "links");
  assertEquals(events.map(({ event }) => event), ["listening", "sent", "draining"]);
  const { name, size, bytes, client } = events[1];
  assertEquals([name, size, bytes, client], ["big.bin", 9_000_000, 9_000_000, "127.0.0.1"]);
}, ON_UNIX);

test("p2p serve --json goes on serving when nobody reads what it prints", async (world) => {
  world.write("shared/a.txt", "a");
  const args = ["serve", world.path("shared"), "--host", "127.0.0.1", "--port", "0", "--json"];
  const seed = world.startWith({ oneLine: true }, ...args);
  const { port } = JSON.parse(await seed.stdout.line(/"listening"/));
  for (const out of ["one", "two"]) {
    assertCode(await world.p2p("get", "a.txt", "--out", out, "--seed", `127.0.0.1:${port}`), 0);
    await seed.stderr.line(/ sent a\.txt to 127\.0\.0\.1: 1 B /);
  }
}, ON_UNIX);

test("p2p serve --metrics offers them where it says, until it ends", async (world) => {
  world.write("shared/a.txt", "a");
  const seed = await world.serve(world.path("shared"), "--metrics", "127.0.0.1:0");
  const line = await seed.process.stderr.line(/ metrics on http:/);
  const url = line.slice(line.indexOf("http:"));
  assertCode(await world.p2p("get", "a.txt", ...from(seed)), 0);
  const samples = readMetrics(await (await fetch(url)).text());
  const downloads = samples.find(({ name, labels }) =>
    name === "p2p_requests_total" && labels["kind"] === "FETCH" && labels["result"] === "OK"
  );
  assertEquals(downloads?.value, 1);
  assertCode(await seed.process.endBy("SIGTERM"), 0);
  await assertRejects(() => fetch(url));
}, ON_UNIX);

test("p2p serve exits with 2 when it cannot offer metrics there", async (world) => {
  world.write("shared/a.txt", "a");
  const seed = await world.serve(world.path("shared"));
  const flags = ["--host", "127.0.0.1", "--port", "0", "--metrics", seed.address];
  const ended = await world.p2p("serve", world.path("shared"), ...flags);
  assertCode(ended, 2);
  assertMatch(ended.stderr, /^p2p: Cannot offer metrics: .*\nhint: .*--metrics/m);
  const wrong = await world.p2p("serve", world.path("shared"), "--metrics", "9100");
  assertCode(wrong, 2);
});

test("p2p serve says once which names it cannot offer", async (world) => {
  world.write("shared/a.txt", "a");
  world.write("shared/two\nlines", "a");
  const seed = await world.serve(world.path("shared"));
  const line = await seed.process.stderr.line(/skipped: /);
  assertMatch(line, / skipped: 1 name that is not allowed "two\\x0alines"$/);
}, ON_UNIX);
