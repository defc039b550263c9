import { assertEquals, assertStrictEquals } from "@std/assert";
import { manifestBody, ManifestCache } from "../../../core/serve/manifests/manifest_cache.ts";
import { encodeManifest, makeManifest } from "../../../core/protocol/manifest.ts";
import { versionOf } from "../../../core/serve/files/file_version.ts";
import { test } from "../../support/test.ts";

const MIB = 1_048_576;
const made = (pieces: number) =>
  makeManifest(pieces * MIB, "00".repeat(32), new Uint8Array(pieces * 32).fill(pieces));
const textOf = (body: Uint8Array) => new TextDecoder().decode(body);

test("manifestBody() shares the encoded manifest of a large file", () => {
  const manifest = made(33);
  const first = manifestBody("a", manifest);
  assertStrictEquals(manifestBody("a", manifest), first);
  assertEquals(textOf(first), encodeManifest("a", manifest));
});

for (const pieces of [1, 33]) {
  test(`manifestBody() keeps names and versions of ${pieces} pieces apart`, () => {
    const [old, now] = [made(pieces), made(pieces + 1)];
    const held = manifestBody("a", old);
    assertEquals(textOf(manifestBody("b", old)), encodeManifest("b", old));
    assertEquals(textOf(manifestBody("a", now)), encodeManifest("a", now));
    assertEquals(textOf(held), encodeManifest("a", old));
  });
}

const locate = (path: string) => ({
  name: path,
  path,
  version: versionOf({ size: 1, mtime: new Date(0), ctime: new Date(0), ino: 1, dev: 1 }),
});
const current = () => true;

test("ManifestCache forgets the least recently used manifests, and their ids, beyond 32 MiB", () => {
  const cache = new ManifestCache();
  const manifests = Array.from(
    { length: 40 },
    (_, i) => makeManifest(MIB, "00".repeat(32), new Uint8Array(MIB).fill(i)),
  );
  const paths = manifests.map((_, i) => `/${i}`);
  for (const [i, manifest] of manifests.entries()) {
    cache.keep(locate(paths[i]!), manifest, Infinity);
    // Both are in use all the time.
    cache.find(locate("/0"));
    cache.fileOf(manifests[1]!.id, current);
  }
  const kept = paths.filter((path) => cache.find(locate(path)));
  assertEquals(kept, ["/0", "/1", ...paths.slice(-29)]);
  const withId = paths.filter((_, i) => cache.fileOf(manifests[i]!.id, current));
  assertEquals(withId, kept);
});

test("ManifestCache.find() returns nothing for a small file that may have changed since it was hashed", () => {
  const cache = new ManifestCache();
  const manifest = made(1);
  cache.keep(locate("/a"), manifest, 1999);
  assertEquals(cache.find(locate("/a")), undefined);
  assertEquals(cache.fileOf(manifest.id, current)?.path, "/a");
  cache.keep(locate("/a"), manifest, 2000);
  assertEquals(cache.find(locate("/a")), manifest);
});
