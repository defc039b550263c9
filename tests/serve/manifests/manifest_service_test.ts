import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { sha256 } from "../../../core/base/digest.ts";
import { HasherPool } from "../../../core/hash/pool.ts";
import { startHasher } from "../../support/hasher.ts";
import { TaskGroup } from "../../../core/base/task_group.ts";
import type { Located } from "../../../core/serve/files/open_file.ts";
import { type Manifest, parseManifest } from "../../../core/protocol/manifest.ts";
import { ErrorReply } from "../../../core/protocol/error_replies.ts";
import { contextOf, SeedFixture } from "../support.ts";
import { bytesOf, patternOf } from "../../support/bytes.ts";
import { ManualClock, YEAR_2033 } from "../../support/manual_clock.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";

/** Large enough for the disk cache. */
const LARGE = 9 * 1024 * 1024;
const LARGE_CONTENT = patternOf(LARGE);
const never = new AbortController().signal;

function hashings(seed: SeedFixture): number {
  return seed.events.filter(({ kind }) => kind === "hashed").length;
}

test("MANIFEST digests every piece and the whole file", async () => {
  using folder = new TempFolder();
  const content = patternOf(2_500_000);
  folder.write("file", content);
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  const manifest = parseManifest(await client.text("MANIFEST file"));
  assertEquals(manifest.layout.count, 3);
  assertEquals(manifest.sha256, sha256(content).toHex());
  const last = sha256(content.subarray(2 * 1_048_576));
  assertEquals(manifest.digests.slice(64).toHex(), last.toHex());
});

test("MANIFEST answers PENDING with a percentage after 100 ms, and hashing goes on without the client", async () => {
  using folder = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  const clock = new ManualClock(YEAR_2033);
  await using seed = await SeedFixture.start(folder.path, { clock });
  using client = await seed.session();
  await client.send("MANIFEST large\n");
  await clock.timerIn(100);
  clock.tick(100);
  assertMatch(await client.line(), /^ERROR:PENDING \d{1,2}$/);
  client.close();
  assertEquals((await seed.event("hashed")).bytes, LARGE);
  using other = await seed.session();
  assertMatch(await other.ask("MANIFEST large"), /^OK /);
});

test("MANIFEST hashes once when many clients request it together", async () => {
  using folder = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  await using seed = await SeedFixture.start(folder.path);
  const texts = await Promise.all(Array.from({ length: 5 }, async () => {
    using client = await seed.session();
    return await client.text("MANIFEST large");
  }));
  assertEquals(new Set(texts).size, 1);
  assertEquals(hashings(seed), 1);
});

test("MANIFEST begins again when the file changes while it is hashed", async () => {
  using folder = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  folder.age("large");
  const clock = new ManualClock(YEAR_2033);
  await using seed = await SeedFixture.start(folder.path, { clock });
  using client = await seed.session();
  await client.send("MANIFEST large\n");
  await clock.timerIn(100);
  const later = patternOf(LARGE - 1, 2);
  folder.write("large", later);
  clock.tick(100);
  assertMatch(await client.line(), /^ERROR:/);
  let manifest = "ERROR:";
  while (manifest.startsWith("ERROR:")) {
    manifest = await client.ask("MANIFEST large");
  }
  const body = await client.bytes(Number(manifest.split(" ")[1]));
  const { sha256: digest } = parseManifest(new TextDecoder().decode(body));
  assertEquals(digest, sha256(later).toHex());
});

test("MANIFEST does not block other requests while the file is hashed", async () => {
  using folder = new TempFolder();
  folder.write("small", "small");
  // Sparse, and larger than what can be hashed during this test.
  folder.write("huge", "");
  Deno.truncateSync(folder.pathOf("huge"), 64 * 1024 ** 3);
  await using seed = await SeedFixture.start(folder.path);
  using asker = await seed.session();
  using other = await seed.session();
  assertMatch(await asker.ask("MANIFEST huge"), /^ERROR:PENDING \d{1,2}$/);
  const body = await other.body("DOWNLOAD small|0|5");
  assertEquals(new TextDecoder().decode(body), "small");
  assertEquals(hashings(seed), 0);
  const { client, name, bytes } = await seed.event("hashing");
  assertEquals([client, name, bytes], ["127.0.0.1", "huge", 64 * 1024 ** 3]);
});

test("MANIFEST of a file that is not large does not wait for large ones", async () => {
  using folder = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  for (const name of ["huge 1", "huge 2", "huge 3"]) {
    Deno.truncateSync(folder.write(name, ""), 64 * 1024 ** 3);
  }
  await using seed = await SeedFixture.start(folder.path);
  using client = await seed.session();
  for (const number of [1, 2, 3]) {
    assertMatch(await client.ask(`MANIFEST huge ${number}`), /^ERROR:PENDING /);
  }
  assert(parseManifest(await client.text("MANIFEST large")));
  seed.stopNow();
});

test("MANIFEST does not hash again after a restart", async () => {
  using folder = new TempFolder();
  using cache = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  const options = { clock: new ManualClock(YEAR_2033), cacheDir: cache.path };
  const texts: string[] = [];
  for (const want of [1, 0]) {
    await using seed = await SeedFixture.start(folder.path, options);
    using client = await seed.session();
    texts.push(await client.text("MANIFEST large"));
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
  await using seed = await SeedFixture.start(folder.path, { cacheDir });
  using client = await seed.session();
  assert(parseManifest(await client.text("MANIFEST large")));
});

test("Hashing ends with the server", async () => {
  using folder = new TempFolder();
  folder.write("large", LARGE_CONTENT);
  const clock = new ManualClock(YEAR_2033);
  const seed = await SeedFixture.start(folder.path, { clock });
  using client = await seed.session();
  await client.send("MANIFEST large\n");
  await clock.timerIn(100);
  seed.stopNow();
  await seed.ended;
  assertEquals(hashings(seed), 0);
});

test("ManifestService.manifestOf() opens a file only to hash it, and never returns the manifest of another version", async () => {
  using folder = new TempFolder();
  folder.write("a", "one");
  const clock = new ManualClock(YEAR_2033);
  await using jobs = new TaskGroup(never);
  const { manifests, files } = contextOf(folder.path, jobs, { clock });
  using opened = new DisposableStack();
  let openings = 0;
  const ask = (found: Located) => {
    const open = () => (openings++, opened.use(files.open(found)));
    return manifests.manifestOf(found, open, "client", never);
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

test("ManifestService hashes large files on a worker, which ends when no file is being hashed", async () => {
  using folder = new TempFolder();
  for (const name of ["a", "b"]) folder.write(name, LARGE_CONTENT);
  let workers = 0;
  const ended: Promise<unknown>[] = [];
  const start = () => {
    workers++;
    const worker = startHasher();
    const { promise, resolve } = Promise.withResolvers<void>();
    ended.push(promise);
    const terminate = worker.terminate.bind(worker);
    worker.terminate = () => (resolve(), terminate());
    return worker;
  };
  using hasher = new HasherPool(1, start, 0);
  await using jobs = jobsOf();
  const seed = contextOf(folder.path, jobs, { hasher });
  for (const [i, name] of ["a", "b"].entries()) {
    assertEquals((await hash(seed, name)).sha256, sha256(LARGE_CONTENT).toHex());
    await ended[i];
  }
  assertEquals(workers, 2);
});

const jobsOf = () => new TaskGroup(never);

function hash(seed: ReturnType<typeof contextOf>, name: string): Promise<Manifest> {
  const found = seed.files.find(name);
  using opened = new DisposableStack();
  const open = () => opened.use(seed.files.open(found));
  return seed.manifests.manifestOf(found, open, "client", never);
}

test("ManifestService.fileOf() finds the file that was hashed, although it was written just before", async () => {
  using folder = new TempFolder();
  folder.write("a", "one");
  await using jobs = jobsOf();
  const seed = contextOf(folder.path, jobs);
  const { id } = await hash(seed, "a");
  const { name, version } = seed.manifests.fileOf(id)!;
  assertEquals([name, version.id], ["a", seed.files.find("a").version.id]);
  assertEquals(seed.manifests.fileOf("0".repeat(64)), undefined);
});

test("ManifestService.fileOf() finds no file that changed or is gone, but another one with the content", async () => {
  using folder = new TempFolder();
  for (const name of ["a", "b", "c"]) folder.write(name, "one");
  await using jobs = jobsOf();
  const seed = contextOf(folder.path, jobs);
  const { id } = await hash(seed, "a");
  for (const name of ["b", "c"]) assertEquals((await hash(seed, name)).id, id);
  Deno.removeSync(folder.pathOf("a"));
  assertEquals(seed.manifests.fileOf(id)?.name, "b");
  folder.write("b", "other");
  assertEquals(seed.manifests.fileOf(id)?.name, "c");
  folder.write("c", "other");
  assertEquals(seed.manifests.fileOf(id), undefined);
  // An id without a current file is forgotten.
  folder.write("a", "one");
  assertEquals(seed.manifests.fileOf(id), undefined);
  await hash(seed, "a");
  assertEquals(seed.manifests.fileOf(id)?.name, "a");
});
