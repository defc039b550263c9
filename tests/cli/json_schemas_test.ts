/** Every JSON object that the program prints fits its schema in commands/schema/, with no other field. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { BoundedWriter } from "../../commands/bounded_writer.ts";
import { JsonSchemas } from "../support/json_schemas.ts";
import { OldSeed } from "../support/old_seed.ts";
import {
  assertCode,
  type CliFixture,
  type Ended,
  from,
  noise,
  ON_UNIX,
  type RunningProcess,
  test,
  type TestOptions,
} from "./harness.ts";

const MIB = 1_048_576;
const SILENT = { address: "127.0.0.1:1" };

type Json = Readonly<Record<string, unknown>>;

const covered = new Set<string>();

/** A test whose objects must include one of each of these schemas. */
function contractTest(
  name: string,
  schemaNames: readonly string[],
  fn: (world: CliFixture, schemas: Checker) => Promise<void>,
  options: TestOptions = {},
): void {
  for (const each of schemaNames) covered.add(each);
  test(name, async (world) => {
    const schemas = new Checker();
    await fn(world, schemas);
    const missing = schemaNames.filter((each) => !schemas.met.has(each));
    assertEquals(missing, [], "no object of these was printed");
  }, options);
}

/** Checks lines of output against the schemas. */
class Checker extends JsonSchemas {
  /** The events of a `get` or `serve`. */
  events(command: "get" | "serve" | "sync", stdout: string): Json[] {
    const events = objectsIn(stdout);
    for (const each of events) this.check(`${command}-${each.event}`, each);
    return events;
  }

  /** The only object that a command printed. */
  object(name: string, { stdout }: Ended): Json {
    const [object, ...more] = objectsIn(stdout);
    assert(object !== undefined && more.length === 0, stdout);
    this.check(name, object);
    return object;
  }

  /** The stored lines of a task, each also against the definition of its kind. */
  logs({ stdout }: Ended): Json[] {
    return objectsIn(stdout).map((line) => {
      const event = line.event as Json;
      this.check(`logs#${event.kind}`, event);
      this.check("logs", line);
      return event;
    });
  }

  verified({ stdout }: Ended): Json[] {
    const object = JSON.parse(stdout);
    this.check("verify", object);
    const files: Json[] = object.files;
    for (const file of files) {
      const { result } = file;
      this.check(`verify#${result === "same" || result === "differs" ? result : "failed"}`, file);
    }
    return files;
  }
}

function objectsIn(stdout: string): Json[] {
  assert(stdout === "" || stdout.endsWith("\n"), stdout);
  return stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

function seedWith(world: CliFixture, dir: string, files: Readonly<Record<string, Uint8Array>>) {
  for (const [name, bytes] of Object.entries(files)) world.write(`${dir}/${name}`, bytes);
  return world.serve(world.path(dir));
}

/** What a plain web server answers: one file, by ranges, and no listing. */
function fileReply({ url, headers }: Request, path: string, bytes: Uint8Array<ArrayBuffer>) {
  if (new URL(url).pathname !== path) return new Response("not found", { status: 404 });
  const [, first, last] = headers.get("range")?.match(/^bytes=(\d+)-(\d+)$/) ?? [];
  if (first === undefined) return new Response(bytes);
  const end = Math.min(Number(last) + 1, bytes.length);
  const range = `bytes ${first}-${end - 1}/${bytes.length}`;
  const body = bytes.slice(Number(first), end);
  return new Response(body, { status: 206, headers: { "content-range": range } });
}

async function event(running: RunningProcess, kind: string, state?: string): Promise<void> {
  await running.stdout.find((line) => {
    const object = JSON.parse(line);
    return object.event === kind && (state === undefined || object.state === state);
  }, `${kind} ${state ?? ""}`);
}

contractTest(
  "get --json of seeds that differ fits its schemas",
  ["get-task", "get-progress", "get-seed", "get-done", "get-summary"],
  async (world, schemas) => {
    const content = noise(3 * MIB + 5);
    const seeds = [
      await seedWith(world, "one", { "a.bin": content, "empty": noise(0) }),
      await seedWith(world, "two", { "a.bin": content }),
      await seedWith(world, "three", { "a.bin": noise(2 * MIB, 2) }),
    ];
    const ended = await world.p2p("get", "a.bin", "empty", "--json", ...from(...seeds));
    assertCode(ended, 0);
    const events = schemas.events("get", ended.stdout);
    const dones = events.filter((each) => each.event === "done");
    assert(dones.some(({ contents }) => Array.isArray(contents) && contents.length === 2));
    assertEquals(events.at(-1)?.event, "summary");
    const again = await world.p2p("get", "a.bin", "--json", ...from(seeds[0]!));
    assertEquals(schemas.events("get", again.stdout).at(-2)?.how, "already-there");
  },
);

contractTest(
  "get --json of an old seed, without digests, fits its schemas",
  ["get-task", "get-done", "get-summary"],
  async (world, schemas) => {
    await using old = new OldSeed({ "a.bin": noise(4000) }, { chunkBytes: 2000 });
    const ended = await world.p2p("get", "a.bin", "--json", ...from(old));
    const events = schemas.events("get", ended.stdout);
    const done = events.find((each) => each.event === "done");
    assertEquals([done?.id, done?.verified], [null, false]);
  },
);

contractTest(
  "sync --dry-run --json and a deleted file fit their schemas",
  ["sync-plan", "sync-deleted"],
  async (world, schemas) => {
    world.write("share/a.txt", "a");
    world.write("share/b.txt", "b");
    const seed = await world.serve(world.path("share"));
    const sync = (...flags: string[]) => world.p2p("sync", "--json", ...flags, ...from(seed));
    schemas.events("sync", (await sync("--dry-run")).stdout);
    assertCode(await sync(), 0);
    Deno.removeSync(world.path("share/b.txt"));
    // The seed looks at its folder at most once a second.
    let deleted = await sync("--delete");
    while (!/"deleted"/.test(deleted.stdout)) deleted = await sync("--delete");
    schemas.events(
      "sync",
      deleted.stdout.split("\n").filter((line) => /"deleted"/.test(line)).join("\n") + "\n",
    );
  },
);

contractTest(
  "the JSON of a web server as a seed fits its schemas",
  ["get-task", "get-progress", "get-done", "list", "seeds"],
  async (world, schemas) => {
    const content = noise(2 * MIB + 1);
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => fileReply(request, "/files/a.bin", content),
    );
    const seed = { address: `http://127.0.0.1:${server.addr.port}/files/` };
    const ended = await world.p2p("get", "a.bin", "--json", ...from(seed));
    assertCode(ended, 0);
    const done = schemas.events("get", ended.stdout).find((each) => each.event === "done");
    assertEquals(done?.bytesBySeed, { [seed.address]: content.length });
    for (const command of ["list", "seeds"]) {
      const { seeds } = schemas.object(command, await world.p2p(command, "--json", ...from(seed)));
      assertEquals((seeds as Json[])[0]!.seed, seed.address);
    }
  },
);

contractTest(
  "get --json of downloads that fail fits its schemas",
  ["get-failed", "get-summary"],
  async (world, schemas) => {
    const seed = await seedWith(world, "share", { "a.bin": noise(100) });
    world.write("here/a.bin", "other\n");
    const flags = ["--json", ...from(seed)];
    const ended = await world.p2p("get", "a.bin", "none.bin", "x*", ...flags);
    const events = schemas.events("get", ended.stdout);
    const codes = events.filter((each) => each.event === "failed").map(({ code }) => code);
    assertEquals(codes.sort(), ["conflict", "not-found"]);
    assertEquals((events.at(-1)!.tasks as Json[]).at(-1)!.task, "");
    const silent = await world.p2p("get", "a.bin", "--json", ...from(SILENT));
    assertCode(silent, 4);
    schemas.events("get", silent.stdout);
    const unlisted = await world.p2p("get", "x*", "--json", ...from(SILENT));
    assertCode(unlisted, 4);
    assertEquals(schemas.events("get", unlisted.stdout).map((each) => each.event), ["summary"]);
    // Nothing has begun.
    const wrong = await world.p2p("get", "--json", "--max", "none", "a.bin");
    assertCode(wrong, 2);
    assertEquals(wrong.stdout, "");
  },
);

contractTest(
  "the JSON of a running download, seen and controlled from elsewhere, fits its schemas",
  [
    "get-progress",
    "get-summary",
    "status",
    "why",
    "control",
    "max-show",
    "max-set",
    "logs",
    "logs#state",
  ],
  async (world, schemas) => {
    const seed = await seedWith(world, "share", { "a.bin": noise(8 * MIB), "b.bin": noise(MIB) });
    const slow = ["--limit", "64KiB", "--max", "1"];
    const running = world.start("get", "a.bin", "b.bin", "--json", ...slow, ...from(seed));
    await event(running, "progress", "downloading");
    const status = schemas.object("status", await world.p2p("status", "--json"));
    assertEquals((status.tasks as Json[]).map(({ state }) => state), ["downloading", "waiting"]);
    const limits = {
      max: 1,
      limit: 65536,
      taskLimit: null,
      memory: 48 * 1024 * 1024,
      seedConnections: "auto",
    };
    for (const name of ["a.bin", "b.bin"]) {
      const why = schemas.object("why", await world.p2p("why", name, "--json"));
      assertEquals(why.limits, limits);
    }
    const max = schemas.object("max-show", await world.p2p("max", "--json"));
    assertEquals(max.running, [{ pid: running.pid, max: 1 }]);
    schemas.object("max-set", await world.p2p("max", "2", "--json"));
    schemas.object("control", await world.p2p("pause", "a.bin", "--json"));
    await event(running, "progress", "paused");
    const paused = schemas.object("status", await world.p2p("status", "a.bin", "--json"));
    assertEquals((paused.tasks as Json[])[0]!.pausedBy, "user");
    schemas.object("control", await world.p2p("resume", "a.bin", "--json"));
    const cancelled = await world.p2p("cancel", "--all", "--delete", "--json");
    const { order, tasks } = schemas.object("control", cancelled);
    assertEquals([order, (tasks as Json[]).length], ["cancel-and-delete", 2]);
    const ended = await running.ended;
    assertCode(ended, 8);
    const events = schemas.events("get", ended.stdout);
    assertEquals(events.filter((each) => each.event === "failed"), []);
    schemas.logs(await world.p2p("logs", "a.bin", "--json", "--level", "debug"));
    schemas.object("why", await world.p2p("why", "a.bin", "--json"));
  },
);

contractTest(
  "the JSON of an interrupted download, of its logs and of what it left fits its schemas",
  [
    "get-failed",
    "status",
    "logs",
    ...["queued", "found", "stored", "seed", "failed", "resumed", "done", "target", "note"]
      .map((kind) => `logs#${kind}`),
  ],
  async (world, schemas) => {
    const seed = await seedWith(world, "share", { "a.bin": noise(6 * MIB) });
    const other = await seedWith(world, "other", { "a.bin": noise(6 * MIB, 2) });
    const slow = ["--limit", "2MiB", "--json"];
    const begin = async (sources: readonly { readonly address: string }[]) => {
      const running = world.start("get", "a.bin", ...slow, ...from(...sources));
      await running.stdout.find((line) => JSON.parse(line).downloaded >= MIB, "a stored piece");
      const ended = await running.endBy("SIGINT");
      assertCode(ended, 130);
      const failed = schemas.events("get", ended.stdout).at(-2)!;
      assertEquals([failed.event, failed.code, failed.exit], ["failed", "interrupted", 130]);
    };
    await begin([seed]);
    const status = schemas.object("status", await world.p2p("status", "--json"));
    assertEquals((status.tasks as Json[])[0]!.pausedBy, "interrupt");
    // The part of the first content is set aside for that of the second one.
    await begin([other, SILENT]);
    const all = schemas.object("status", await world.p2p("status", "--all", "--json"));
    assertEquals((all.asides as Json[]).length, 1);
    schemas.logs(await world.p2p("logs", "a.bin", "--json", "--level", "debug"));
    assertCode(await world.p2p("get", "a.bin", ...from(other)), 0);
    assertCode(await world.p2p("get", "a.bin", ...from(seed), "--on-conflict", "rename"), 0);
    schemas.logs(await world.p2p("logs", "a.bin", "--json", "--level", "debug"));
  },
  ON_UNIX,
);

contractTest(
  "serve --json fits its schemas",
  ["listening", "omitted", "metrics", "links", "sent", "hashing", "hashed", "refused", "draining"]
    .map((event) => `serve-${event}`),
  async (world, schemas) => {
    world.write("share/a.bin", noise(2 * MIB));
    world.write("share/b.bin.p2p-part", "unfinished");
    Deno.symlinkSync("missing", join(world.path("share"), "broken"));
    const flags = ["--host", "127.0.0.1", "--port", "0", "--metrics", "127.0.0.1:0"];
    const running = world.start(
      "serve",
      world.path("share"),
      "--json",
      ...["--log-level", "debug", ...flags],
    );
    const { port } = JSON.parse(await running.stdout.line(/"listening"/));
    const seed = { address: `127.0.0.1:${port}` };
    await running.stdout.line(/"links"/);
    assertCode(await world.p2p("get", "a.bin", ...from(seed)), 0);
    await running.stdout.line(/"sent"/);
    using client = await Deno.connect({ hostname: "127.0.0.1", port });
    await client.write(new TextEncoder().encode("HELLO P2P/1\r\nNONSENSE\n"));
    await running.stdout.line(/"refused"/);
    const ended = await running.endBy("SIGINT");
    assertCode(ended, 0);
    schemas.events("serve", ended.stdout);
  },
  ON_UNIX,
);

contractTest(
  "serve --json counts lost lines as its schema says",
  ["serve-lost"],
  async (_, schemas) => {
    const blocked = Promise.withResolvers<void>();
    const texts: string[] = [];
    const output = {
      terminal: false,
      closed: new AbortController().signal,
      write: (text: string) => void texts.push(text),
      writeSoon: async (text: string) => {
        texts.push(text);
        await blocked.promise;
      },
      writeBytes: () => Promise.resolve(),
      size: () => ({ columns: 80, rows: 25 }),
    };
    {
      await using writer = new BoundedWriter(output);
      for (let i = 0; i < 1003; i++) writer.put("{}");
      blocked.resolve();
    }
    const lost = objectsIn(texts.join("")).filter((each) => each.event === "lost");
    assertEquals(lost.length, 1);
    schemas.check("serve-lost", lost[0]);
  },
);

contractTest(
  "list --json, seeds --json and link --json fit their schemas",
  ["list", "seeds", "link"],
  async (world, schemas) => {
    await using old = new OldSeed({ "a.bin": noise(100) });
    const seeds = from(
      await seedWith(world, "one", { "a.bin": noise(100), "sub/b.bin": noise(10) }),
      await seedWith(world, "two", { "a.bin": noise(100, 2) }),
      old,
      SILENT,
    );
    const list = schemas.object("list", await world.p2p("list", "--json", ...seeds));
    const files = list.files as Json[];
    assertEquals(files.map(({ name }) => name), ["a.bin", "sub/b.bin"]);
    assertEquals((files[0]!.ids as string[]).length, 2);
    const links = schemas.object("link", await world.p2p("link", "a.bin", "--json", ...seeds));
    const ids = (links.links as Json[]).map(({ id }) => id === null);
    assertEquals(ids, [false, false, true]);
    const health = schemas.object("seeds", await world.p2p("seeds", "--json", ...seeds));
    const dialects = (health.seeds as Json[]).map(({ dialect }) => dialect);
    assertEquals(dialects, ["session", "session", "one-shot", null]);
    const none = await world.p2p("list", "none*", "--json", ...seeds);
    assertCode(none, 3);
    assertEquals(schemas.object("list", none).files, []);
    const silent = await world.p2p("seeds", "--json", ...from(SILENT));
    assertCode(silent, 4);
    schemas.object("seeds", silent);
  },
);

contractTest(
  "verify --json fits its schemas",
  ["verify", "verify#same", "verify#differs", "verify#failed"],
  async (world, schemas) => {
    const content = noise(2 * MIB + 1);
    const seeds = [
      await seedWith(world, "one", { "a.bin": content, "b.bin": content }),
      await seedWith(world, "two", { "a.bin": noise(10) }),
    ];
    world.write("here/a.bin", content);
    world.write("here/b.bin", content.with(5, content[5]! ^ 1).subarray(0, 2 * MIB));
    world.write("here/c.bin", "unknown");
    const files = ["a.bin", "b.bin", "c.bin", "missing.bin"];
    const ended = await world.p2p("verify", ...files, "--json", ...from(...seeds));
    assertCode(ended, 1);
    const results = schemas.verified(ended).map(({ result }) => result);
    assertEquals(results, ["same", "differs", "not-found", "usage"]);
  },
);

contractTest("manifest --json fits its schema", ["manifest"], async (world, schemas) => {
  world.write("here/a.bin", noise(10));
  const written = schemas.object(
    "manifest",
    await world.p2p("manifest", "a.bin", "--url", "https://a.example/files/", "--json"),
  );
  const [file] = written.files as Json[];
  assertEquals([file!.path, file!.urls], ["a.bin.p2p", ["https://a.example/files/a.bin"]]);
});

contractTest("config --json fits its schema", ["config"], async (world, schemas) => {
  world.write("config/config.json", '{"seeds": ["nas1", "tls://nas2:1"], "limit": "10MiB"}');
  const config = schemas.object(
    "config",
    await world.p2pWith({ env: { P2P_MAX: "5", P2P_QUIET: "on" } }, "config", "--json"),
  );
  const values = new Map((config.settings as Json[]).map(({ name, value }) => [name, value]));
  assertEquals(values.get("seeds"), ["nas1:7270", "tls://nas2:1"]);
  assertEquals([values.get("max"), values.get("limit"), values.get("quiet")], [5, "10MiB", true]);
});

Deno.test("every schema in commands/schema/ is checked against real output", () => {
  assertEquals([...covered].sort(), [...new JsonSchemas().names].sort());
});
