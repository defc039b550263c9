import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { makeManifest } from "../../../core/protocol/manifest.ts";
import { type FileVersion, versionOf } from "../../../core/serve/files/file_version.ts";
import { DiskCache } from "../../../core/serve/manifests/disk_cache.ts";
import { patternOf } from "../../support/bytes.ts";
import { ManualClock, YEAR_2033 } from "../../support/manual_clock.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { test } from "../../support/test.ts";

const never = new AbortController().signal;
const SIZE = 10_000_000;
const OLD = new Date(1_000_000_000_000);
const version = (facts: Partial<Deno.FileInfo> = {}) =>
  versionOf({ size: SIZE, mtime: OLD, ctime: OLD, ino: 1, dev: 2, ...facts });
const manifest = makeManifest(SIZE, "0".repeat(64), patternOf(320));

const fileOf = (path: string, version: FileVersion) => ({ path, version });

function cacheIn(folder: TempFolder): DiskCache {
  return new DiskCache(folder.path, new ManualClock(YEAR_2033));
}

function entriesIn(folder: TempFolder): string[] {
  try {
    const dir = join(folder.path, "digests");
    return [...Deno.readDirSync(dir)].map(({ name }) => join(dir, name));
  } catch {
    return [];
  }
}

test("DiskCache.find() returns what was kept", async () => {
  using folder = new TempFolder();
  const cache = cacheIn(folder);
  await cache.keep(fileOf("/a", version()), manifest, OLD.getTime() + 2000, never);
  assertEquals(await cache.find(fileOf("/a", version())), manifest);
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
  test(`DiskCache.find() returns nothing when ${name} is another`, async () => {
    using folder = new TempFolder();
    const cache = cacheIn(folder);
    await cache.keep(fileOf("/a", version()), manifest, OLD.getTime() + 2000, never);
    assertEquals(await cache.find(fileOf(path, version(facts))), undefined);
  });
}

test("DiskCache.keep() keeps nothing when the file changed just before it was hashed", async () => {
  using folder = new TempFolder();
  await cacheIn(folder).keep(fileOf("/a", version()), manifest, OLD.getTime() + 1999, never);
  assertEquals(entriesIn(folder), []);
});

test("DiskCache.keep() keeps nothing when the file is small", async () => {
  using folder = new TempFolder();
  const small = version({ size: 8 * 1024 * 1024 });
  await cacheIn(folder).keep(fileOf("/a", small), manifest, Infinity, never);
  assertEquals(entriesIn(folder), []);
});

const damages: { name: string; damage: (text: string) => string }[] = [
  { name: "empty", damage: () => "" },
  { name: "cut", damage: (text) => text.slice(0, -20) },
  { name: "changed in a digit", damage: (text) => text.replace(/00000000/, "00000001") },
  { name: "no text", damage: () => "\u0000\n\u0000" },
];

for (const { name, damage } of damages) {
  test(`DiskCache.find() returns nothing when the entry is ${name}, and it can be replaced`, async () => {
    using folder = new TempFolder();
    const cache = cacheIn(folder);
    await cache.keep(fileOf("/a", version()), manifest, OLD.getTime() + 2000, never);
    const [entry] = entriesIn(folder);
    Deno.writeTextFileSync(entry!, damage(Deno.readTextFileSync(entry!)));
    assertEquals(await cache.find(fileOf("/a", version())), undefined);
    await cache.keep(fileOf("/a", version()), manifest, OLD.getTime() + 2000, never);
    assertEquals(await cache.find(fileOf("/a", version())), manifest);
  });
}

test("DiskCache.find() returns nothing, and reads nothing, where an entry is no file or too large", async () => {
  using folder = new TempFolder();
  const cache = cacheIn(folder);
  await cache.keep(fileOf("/a", version()), manifest, OLD.getTime() + 2000, never);
  const [entry] = entriesIn(folder);
  Deno.truncateSync(entry!, 2 ** 40);
  assertEquals(await cache.find(fileOf("/a", version())), undefined);
  Deno.removeSync(entry!);
  Deno.mkdirSync(entry!);
  assertEquals(await cache.find(fileOf("/a", version())), undefined);
  // A folder in the way of the new entry has no other effect than that the file is hashed again.
  await cache.keep(fileOf("/a", version()), manifest, OLD.getTime() + 2000, never);
  assertEquals(entriesIn(folder), [entry!]);
});

test("DiskCache.prune() keeps at most so many bytes, those of the newest entries", async () => {
  using folder = new TempFolder();
  const cache = cacheIn(folder);
  for (const [i, name] of ["a", "b", "c"].entries()) {
    folder.write(`digests/${name}`, "12345");
    Deno.utimeSync(folder.pathOf(`digests/${name}`), 1000 - i, 1000 - i);
  }
  await cache.prune(never, { entries: 9, bytes: 10 });
  assertEquals(entriesIn(folder).map((path) => path.slice(-1)).sort(), ["a", "b"]);
});

test("DiskCache.keep() prunes after every 512 entries", async () => {
  using folder = new TempFolder();
  const cache = cacheIn(folder);
  folder.write("digests/0", new Uint8Array());
  Deno.truncateSync(folder.pathOf("digests/0"), 2 ** 30);
  folder.age("digests/0");
  for (let i = 0; i < 512; i++) {
    await cache.keep(fileOf(`/${i}`, version()), manifest, OLD.getTime() + 2000, never);
  }
  assertEquals(entriesIn(folder).length, 512);
});

test("DiskCache.prune() removes the oldest entries and old temporary files", async () => {
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
