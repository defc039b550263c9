import { assertEquals, assertStrictEquals } from "@std/assert";
import { manifestBody } from "../../../core/serve/manifests/manifest_reply.ts";
import { encodeManifest, makeManifest } from "../../../core/protocol/manifest.ts";
import { test } from "../support.ts";

const MIB = 1_048_576;
const made = (pieces: number) =>
  makeManifest(pieces * MIB, "00".repeat(32), new Uint8Array(pieces * 32).fill(pieces));
const textOf = (body: Uint8Array) => new TextDecoder().decode(body);

test("manifestBody() gives all who are sent a large file's manifest the same bytes", () => {
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
