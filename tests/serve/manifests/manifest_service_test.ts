import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { sha256 } from "../../../core/base/digest.ts";
import { TaskGroup } from "../../../core/base/task_group.ts";
import { DigestCache } from "../../../core/serve/manifests/digest_cache.ts";
import type { Located } from "../../../core/serve/files/open_file.ts";
import { versionOf } from "../../../core/serve/files/file_version.ts";
import { makeManifest, parseManifest } from "../../../core/protocol/manifest.ts";
import { ErrorReply } from "../../../core/protocol/error_replies.ts";
import {
  bytesOf,
  ManualClock,
  nonce,
  patternOf,
  RawClient,
  RunningSeed,
  seedOf,
  TempFolder,
  test,
} from "../support.ts";

/** Large enough for the cache. */
const LARGE = 9 * 1024 * 1024;
const LARGE_CONTENT = patternOf(LARGE);
const never = new AbortController().signal;

async function manifestOf(client: RawClient, name: string): Promise<string> {
  for (;;) {
    const line = await client.ask(`MANIFEST ${name}`);
    if (line.startsWith("ERROR:PENDING")) continue;
    const length = Number(line.match(/^OK (\d+)/)?.[1]);
    return new TextDecoder().decode(await client.bytes(length));
  }
}

function hashings(seed: RunningSeed): number {
  return seed.events.filter(({ kind }) => kind === "hashed").length;
}

test("MANIFEST digests every piece and the whole file", async () => {
  using folder = new TempFolder();
  const content = patternOf(2_500_000);
  folder.write("file", content);
  await using seed = await RunningSeed.start(folder.path);
  using client = await seed.session();
  const manifest = parseManifest(await manifestOf(client, "file"));
  assertEquals(manifest.layout.count, 3);
  assertEquals(manifest.sha256, sha256(content).toHex());
  const last = sha256(content.subarray(2 * 1_048_576));
  assertEquals(manifest.digests.slice(64).toHex(), last.toHex());
});

test("MANIFEST answers PENDING with a percentage after 100 ms, and hashing goes on without the asker", async () => {
  using folder = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  const clock = new ManualClock();
  await using seed = await RunningSeed.start(folder.path, { clock });
  using client = await seed.session();
  await client.send("MANIFEST large\n");
  await clock.sleeperFor(100);
  clock.advance(100);
  assertMatch(await client.line(), /^ERROR:PENDING \d{1,2}$/);
  client.close();
  assertEquals((await seed.event("hashed")).bytes, LARGE);
  using other = await seed.session();
  assertMatch(await other.ask("MANIFEST large"), /^OK /);
});

test("MANIFEST hashes once when many ask together", async () => {
  using folder = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  await using seed = await RunningSeed.start(folder.path);
  const texts = await Promise.all(Array.from({ length: 5 }, async () => {
    using client = await seed.session();
    return await manifestOf(client, "large");
  }));
  assertEquals(new Set(texts).size, 1);
  assertEquals(hashings(seed), 1);
});

test("MANIFEST begins again when the file changes while it is hashed", async () => {
  using folder = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  folder.age("large");
  const clock = new ManualClock();
  await using seed = await RunningSeed.start(folder.path, { clock });
  using client = await seed.session();
  await client.send("MANIFEST large\n");
  await clock.sleeperFor(100);
  const later = patternOf(LARGE - 1, 2);
  folder.write("large", later);
  clock.advance(100);
  assertMatch(await client.line(), /^ERROR:/);
  let manifest = "ERROR:";
  while (manifest.startsWith("ERROR:")) {
    manifest = await client.ask("MANIFEST large");
  }
  const body = await client.bytes(Number(manifest.split(" ")[1]));
  const { sha256: digest } = parseManifest(new TextDecoder().decode(body));
  assertEquals(digest, sha256(later).toHex());
});

test("MANIFEST serves others while it hashes", async () => {
  using folder = new TempFolder();
  folder.write("small", "small");
  // Without bytes on the disk, and more than can be hashed in the time that this test takes.
  folder.write("huge", "");
  Deno.truncateSync(folder.pathOf("huge"), 64 * 1024 ** 3);
  await using seed = await RunningSeed.start(folder.path);
  using asker = await seed.session();
  using other = await seed.session();
  assertMatch(await asker.ask("MANIFEST huge"), /^ERROR:PENDING \d{1,2}$/);
  const body = await other.body("DOWNLOAD small|0|5");
  assertEquals(new TextDecoder().decode(body), "small");
  assertEquals(hashings(seed), 0);
  const { client, name, bytes } = await seed.event("hashing");
  assertEquals([client, name, bytes], ["127.0.0.1", "huge", 64 * 1024 ** 3]);
});

test("MANIFEST of a file that is not large waits for no large ones, however many are asked for", async () => {
  using folder = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  for (const name of ["huge 1", "huge 2", "huge 3"]) {
    Deno.truncateSync(folder.write(name, ""), 64 * 1024 ** 3);
  }
  await using seed = await RunningSeed.start(folder.path);
  using client = await seed.session();
  for (const number of [1, 2, 3]) {
    assertMatch(await client.ask(`MANIFEST huge ${number}`), /^ERROR:PENDING /);
  }
  assert(parseManifest(await manifestOf(client, "large")));
  seed.stopNow();
});

test("MANIFEST is not hashed again when the seed starts anew", async () => {
  using folder = new TempFolder();
  using cache = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  const options = { clock: new ManualClock(), cacheDir: cache.path };
  const texts: string[] = [];
  for (const want of [1, 0]) {
    await using seed = await RunningSeed.start(folder.path, options);
    using client = await seed.session();
    texts.push(await manifestOf(client, "large"));
    assertEquals(hashings(seed), want);
    client.close();
    seed.stop();
    await seed.ended;
  }
  assertEquals(texts[0], texts[1]);
});

test("MANIFEST works when the cache cannot be written", async () => {
  using folder = new TempFolder();
  using cache = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  const cacheDir = cache.write("a-file", "");
  await using seed = await RunningSeed.start(folder.path, { cacheDir });
  using client = await seed.session();
  assert(parseManifest(await manifestOf(client, "large")));
});

test("MANIFEST ends with the seed when it is hashing", async () => {
  using folder = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  const clock = new ManualClock();
  const seed = await RunningSeed.start(folder.path, { clock });
  using client = await seed.session();
  await client.send("MANIFEST large\n");
  await clock.sleeperFor(100);
  seed.stopNow();
  await seed.ended;
  assertEquals(hashings(seed), 0);
});

test("Digests.manifestOf() opens a file only to hash it, and never tells of another version", async () => {
  using folder = new TempFolder();
  folder.write("a", "one");
  const clock = new ManualClock();
  await using jobs = new TaskGroup(never);
  const { digests, files } = seedOf(folder.path, jobs, { clock });
  using opened = new DisposableStack();
  let openings = 0;
  const ask = (found: Located) => {
    const open = () => (openings++, opened.use(files.open(found)));
    return digests.manifestOf(found, open, "client", never);
  };
  const found = files.find("a");
  const texts = [await ask(found), await ask(files.find("a"))].map(({ sha256 }) => sha256);
  assertEquals(texts, Array(2).fill(sha256(bytesOf("one")).toHex()));
  assertEquals(openings, 1);
  folder.write("a", "other");
  assertEquals((await ask(files.find("a"))).sha256, sha256(bytesOf("other")).toHex());
  assertEquals(openings, 2);
  assertEquals((await assertRejects(() => ask(found), ErrorReply)).code, "CHANGED");
});

const SIZE = 10_000_000;
const OLD = new Date(1_000_000_000_000);
const version = (facts: Partial<Deno.FileInfo> = {}) =>
  versionOf({ size: SIZE, mtime: OLD, ctime: OLD, ino: 1, dev: 2, ...facts });
const manifest = makeManifest(SIZE, "0".repeat(64), patternOf(320));

function cacheIn(folder: TempFolder): DigestCache {
  return new DigestCache(folder.path, new ManualClock(), nonce);
}

function entriesIn(folder: TempFolder): string[] {
  try {
    const dir = join(folder.path, "digests");
    return [...Deno.readDirSync(dir)].map(({ name }) => join(dir, name));
  } catch {
    return [];
  }
}

test("DigestCache.find() gives what was kept", async () => {
  using folder = new TempFolder();
  const cache = cacheIn(folder);
  await cache.keep("/a", version(), manifest, OLD.getTime() + 2000, never);
  assertEquals(await cache.find("/a", version()), manifest);
  assertEquals(entriesIn(folder).length, 1);
});

const others: { name: string; path?: string; facts: Partial<Deno.FileInfo> }[] = [
  { name: "the path", path: "/b", facts: {} },
  { name: "the size", facts: { size: SIZE + 1 } },
  { name: "the time", facts: { mtime: new Date(1_000_000_000_001) } },
  { name: "the time of the last change", facts: { ctime: new Date(5) } },
  { name: "the inode", facts: { ino: 3 } },
  { name: "the device", facts: { dev: 3 } },
];

for (const { name, path = "/a", facts } of others) {
  test(`DigestCache.find() gives nothing when ${name} is another`, async () => {
    using folder = new TempFolder();
    const cache = cacheIn(folder);
    await cache.keep("/a", version(), manifest, OLD.getTime() + 2000, never);
    assertEquals(await cache.find(path, version(facts)), undefined);
  });
}

test("DigestCache.keep() keeps nothing when the file changed just before it was hashed", async () => {
  using folder = new TempFolder();
  await cacheIn(folder).keep("/a", version(), manifest, OLD.getTime() + 1999, never);
  assertEquals(entriesIn(folder), []);
});

test("DigestCache.keep() keeps nothing when the file is small", async () => {
  using folder = new TempFolder();
  const small = version({ size: 8 * 1024 * 1024 });
  await cacheIn(folder).keep("/a", small, manifest, Infinity, never);
  assertEquals(entriesIn(folder), []);
});

const damages: { name: string; damage: (text: string) => string }[] = [
  { name: "empty", damage: () => "" },
  { name: "cut", damage: (text) => text.slice(0, -20) },
  { name: "changed in a digit", damage: (text) => text.replace(/00000000/, "00000001") },
  { name: "no text", damage: () => "\u0000\n\u0000" },
];

for (const { name, damage } of damages) {
  test(`DigestCache.find() gives nothing when the entry is ${name}, and it can be replaced`, async () => {
    using folder = new TempFolder();
    const cache = cacheIn(folder);
    await cache.keep("/a", version(), manifest, OLD.getTime() + 2000, never);
    const [entry] = entriesIn(folder);
    Deno.writeTextFileSync(entry!, damage(Deno.readTextFileSync(entry!)));
    assertEquals(await cache.find("/a", version()), undefined);
    await cache.keep("/a", version(), manifest, OLD.getTime() + 2000, never);
    assertEquals(await cache.find("/a", version()), manifest);
  });
}

test("DigestCache.find() gives nothing, and reads nothing, where an entry is no file or too large", async () => {
  using folder = new TempFolder();
  const cache = cacheIn(folder);
  await cache.keep("/a", version(), manifest, OLD.getTime() + 2000, never);
  const [entry] = entriesIn(folder);
  Deno.truncateSync(entry!, 2 ** 40);
  assertEquals(await cache.find("/a", version()), undefined);
  Deno.removeSync(entry!);
  Deno.mkdirSync(entry!);
  assertEquals(await cache.find("/a", version()), undefined);
  // A folder in the way of the new entry costs a hashing each time, and nothing else.
  await cache.keep("/a", version(), manifest, OLD.getTime() + 2000, never);
  assertEquals(entriesIn(folder), [entry!]);
});

test("DigestCache.prune() keeps so many bytes, of the newest entries", async () => {
  using folder = new TempFolder();
  const cache = cacheIn(folder);
  for (const [i, name] of ["a", "b", "c"].entries()) {
    folder.write(`digests/${name}`, "12345");
    Deno.utimeSync(folder.pathOf(`digests/${name}`), 1000 - i, 1000 - i);
  }
  await cache.prune(never, { entries: 9, bytes: 10 });
  assertEquals(entriesIn(folder).map((path) => path.slice(-1)).sort(), ["a", "b"]);
});

test("DigestCache.keep() prunes now and then, so that a long life fills no disk", async () => {
  using folder = new TempFolder();
  const cache = cacheIn(folder);
  folder.write("digests/0", new Uint8Array());
  Deno.truncateSync(folder.pathOf("digests/0"), 2 ** 30);
  folder.age("digests/0");
  for (let i = 0; i < 512; i++) {
    await cache.keep(`/${i}`, version(), manifest, OLD.getTime() + 2000, never);
  }
  assertEquals(entriesIn(folder).length, 512);
});

test("DigestCache.prune() removes the oldest entries and old temporary files", async () => {
  using folder = new TempFolder();
  const cache = cacheIn(folder);
  for (const name of ["a", "b", "c", "d.1.tmp"]) {
    folder.write(`digests/${name}`, "");
  }
  Deno.utimeSync(folder.pathOf("digests/b"), 1000, 1000);
  await cache.prune(never, { entries: 2, bytes: 1000 });
  const names = entriesIn(folder).map((path) => path.slice(-1)).sort();
  assertEquals(names, ["a", "c"]);
});
